"""`envkit env textconv`: the text that `git diff` shows of an encrypted file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from envkit._internal.files import read_capped
from envkit._internal.os_errors import reason_of
from envkit.dotenv.file import LIMIT_BYTES
from envkit.errors import UsageError
from envkit.git.masked import masked

EXAMPLE = "envkit env textconv .env.prod"


def textconv(
    file: Annotated[str, typer.Argument(metavar="FILE", help="File to show.")],
) -> int:
    """Print a file with masked values, for git diff."""
    try:
        data = read_capped(file, LIMIT_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {reason_of(error)}") from None
    sys.stdout.buffer.write(masked(data, path=file).encode("utf-8", "surrogateescape"))
    return 0

"""Write a result to stdout, or to the file that `--output` names."""

from __future__ import annotations

import os
import sys

from envkit.errors import UsageError, WriteRefusedError


def write_result(data: bytes, output: str | None, *, mode: int | None = None) -> None:
    """Write a result to stdout, or to the file that `--output` names.

    Args:
        data: the whole result.
        output: the file's path; None or `-` for stdout.
        mode: permission bits of the file; see `write_atomic`.

    Raises:
        UsageError: the file cannot be written.
        WriteRefusedError: it cannot be until a person changes something, or its name is in
            the working folder and a link leads out of that.
    """
    if output is None or output == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    from envkit._internal.atomic_write import write_atomic
    from envkit._internal.leftovers import sweep_beside
    from envkit._internal.os_errors import reason_of
    from envkit._internal.replaceable import lasting_failure

    try:
        path = _real_path(output)
        sweep_beside(path)
        write_atomic(path, data, mode=mode, follow=False)
    except OSError as error:
        lasting = lasting_failure(error, output)
        raise lasting or UsageError(f"cannot write {output}: {reason_of(error)}") from None


def _real_path(output: str) -> str:
    """Return where a file is; a repository that brings a link must not say where that is."""
    from envkit._internal.files import resolved

    target, folder = resolved(output), resolved(".").rstrip("/") + "/"
    if os.path.abspath(output).startswith(folder) and not target.startswith(folder):
        raise WriteRefusedError(
            f"{output} is a link that leads out of this folder, to {target}",
            hint=f"run it again with '--output {target}', if that is the file you mean",
        )
    return target

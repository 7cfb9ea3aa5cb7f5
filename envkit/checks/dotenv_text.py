"""Check for lines of `.env` files that other tools read differently or cannot read.

Only regular files are read. A pipe can be read once, and that is reserved for its source.
"""

from __future__ import annotations

import os

from envkit._internal.files import read_in_project
from envkit.checks.files import in_use
from envkit.checks.problem import Problem
from envkit.dotenv.file import LIMIT_BYTES
from envkit.dotenv.lint import (
    BACKTICK,
    DOLLAR,
    ESCAPE,
    IN_PROFILE,
    ODD_LINE,
    ORDER,
    in_profile,
    in_store,
)
from envkit.dotenv.parser import decode
from envkit.errors import DotenvError, ProfileError, UntrustedError
from envkit.profile.toml_file import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.checks.inspection import Inspection
    from envkit.dotenv.lint import Finding

CODES = (ODD_LINE, ESCAPE, DOLLAR, BACKTICK, ORDER, IN_PROFILE)


def find(inspection: Inspection) -> Iterator[Problem]:
    """Yield problem lines of the `.env` files in use, and of profiles in that format."""
    users: dict[str, dict[str, None]] = {}
    for profile in inspection.profiles:
        for path in profile.files:
            users.setdefault(path, {})[profile.name] = None
    for path, names in users.items():
        yield from (one._replace(environments=tuple(names)) for one in of_profile(path))
    for path, environments in in_use(inspection, beside=False).items():
        found = of_store(path, inspection.root)
        yield from (one._replace(environments=environments) for one in found)


def of_profile(path: str) -> Iterator[Problem]:
    """Yield the lines of a valid profile that have no effect in a profile."""
    if not path.endswith(".env"):
        return
    try:
        text = read_text(path)
    except ProfileError:
        return  # it existed when the profile was loaded
    yield from (_problem(finding, path) for finding in in_profile(text, path=path))


def of_store(path: str, root: str) -> Iterator[Problem]:
    """Yield the lines of a file with values that other tools read differently.

    Args:
        path: absolute; the file may not exist.
        root: the project's folder.
    """
    try:
        if not os.path.isfile(path):
            return
        text = decode(read_in_project(path, root, LIMIT_BYTES)[0], path=path)
    except (OSError, DotenvError, UntrustedError):
        return  # its source reports the failure
    yield from (_problem(finding, path) for finding in in_store(text, path=path))


def _problem(finding: Finding, path: str) -> Problem:
    variables = (finding.name,) if finding.name else ()
    code, message = finding.code, finding.message
    return Problem(code, message, path, finding.line, finding.hint, variables=variables)

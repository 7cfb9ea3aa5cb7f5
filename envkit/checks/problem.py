"""The problems that `envkit check` finds: what, where, and how to fix it. Never a value.

The codes are stable and documented in docs/reference/checks.md; severity and exit status follow
from the code. `reused` and `missing` mean the same as in `envkit diff`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.errors import EnvkitError
    from envkit.profile.location import Location

_MAX_LISTED = 8


class Severity(StrEnum):
    """How severe a problem is, the most severe first."""

    ERROR = "error"
    WARNING = "warning"  # fails a check with --strict
    NOTE = "note"  # fails no check


class Kind(NamedTuple):
    """The meaning of one code.

    Attributes:
        title: a sentence without a full stop.
        exit_status: the exit status of a check that finds such an error.
    """

    severity: Severity
    title: str
    exit_status: int = 1


_ERROR, _WARNING, _NOTE = Severity

KINDS = {
    # profiles
    "profile-invalid": Kind(_ERROR, "A profile is not valid"),
    "profile-warning": Kind(_WARNING, "A profile contains a probable mistake"),
    "missing": Kind(_WARNING, "One environment lacks a variable that another one has"),
    # values
    "reference-invalid": Kind(_ERROR, "A placeholder names something that no store can contain"),
    "value-absent": Kind(_ERROR, "The value that a placeholder names is missing"),
    "value-invalid": Kind(_ERROR, "A value does not match the type or rules in its profile"),
    "dotenv-invalid": Kind(_ERROR, "A .env file, or a line of it, cannot be read"),
    "no-such-version": Kind(_ERROR, "The store does not have the requested version"),
    "access-denied": Kind(_ERROR, "A store denies access", exit_status=6),
    "not-logged-in": Kind(_ERROR, "A store rejects the credentials, or none are set", 6),
    "store-unavailable": Kind(_ERROR, "A store cannot be reached", 5),
    "store-protocol": Kind(_ERROR, "A store sent an answer that envkit does not understand", 5),
    "store-error": Kind(_ERROR, "A store failed", 5),
    "lease-needed": Kind(_NOTE, "A value is a dynamic secret, which a check does not create"),
    "stale-pin": Kind(_WARNING, "A version is pinned, but the store has a newer one"),
    # secrets
    "reused": Kind(_ERROR, "Two environments have the same secret"),
    "unmasked-secret": Kind(_ERROR, "A variable with secret = false has a secret as its value"),
    "literal-secret": Kind(_ERROR, "A secret is written into a profile"),
    "possible-secret": Kind(_WARNING, "A value in a profile looks random"),
    # files
    "file-exposed": Kind(_ERROR, "Other users can read or write a .env file"),
    "file-tracked": Kind(_ERROR, "Git tracks a .env file"),
    "file-not-ignored": Kind(_WARNING, "Git does not ignore a .env file"),
    "file-half-plain": Kind(_WARNING, "Some values of an encrypted .env file are not encrypted"),
    # lines of .env files
    "dotenv-odd-line": Kind(_WARNING, "A line of a .env file cannot be read"),
    "dotenv-escape": Kind(_WARNING, "Readers of a .env file disagree on a backslash before $"),
    "dotenv-dollar": Kind(_WARNING, "Other readers of a .env file expand $NAME in it"),
    "dotenv-backtick": Kind(_WARNING, "A shell would run part of a .env file"),
    "dotenv-order": Kind(_WARNING, "A line of a .env file uses a variable that is set below it"),
    "profile-dollar": Kind(_WARNING, "A profile has ${NAME}, which has no meaning there"),
    # rotations
    "rotation-invalid": Kind(_ERROR, "The settings of a rotation are not valid"),
    "rotation-conflict": Kind(_ERROR, "Two rotations of one secret have different settings"),
    "rotation-overdue": Kind(_ERROR, "A rotation is overdue"),
    "rotation-quarantined": Kind(
        _ERROR, "A rotation is quarantined until you fix the cause and run it again"
    ),
    "rotation-stopped": Kind(_ERROR, "A rotation has stopped and needs your decision"),
    "rotation-unreadable": Kind(_ERROR, "The state of a rotation cannot be read"),
    "rotation-blocked": Kind(_ERROR, "An old value is still in use and cannot be retired"),
    "rotation-failing": Kind(_WARNING, "A rotation failed and will be retried"),
    "rotation-unused": Kind(_WARNING, "No variable uses the secret that is rotated"),
    "rotation-unchecked": Kind(_WARNING, "A rotation needs a package that is not installed"),
    "rotation-without-after": Kind(_WARNING, "Nothing restarts the programs after a rotation"),
    "rotation-tools": Kind(_NOTE, "This host lacks a program that a rotation runs"),
    "rotation-orphaned": Kind(_ERROR, "A rotation is unfinished, and no profile declares it"),
    "unknown-passwords": Kind(_WARNING, "A user has passwords that envkit does not know"),
    "no-overlap": Kind(_WARNING, "Running programs cannot follow a rotation"),
    "short-grace": Kind(_WARNING, "Programs cache a credential for longer than it is valid"),
    # code
    "undefined-variable": Kind(_ERROR, "The code needs a variable that a profile does not define"),
    "undefined-optional": Kind(
        _WARNING, "The code reads an optional variable that a profile does not define"
    ),
    "unused-variable": Kind(_WARNING, "A profile defines a variable that the code does not name"),
    "dynamic-read": Kind(_NOTE, "The code reads a variable whose name is computed at run time"),
    "unchecked-code": Kind(
        _WARNING, "A language of the code needs a package that is not installed"
    ),
    "unread-code": Kind(_NOTE, "A source file cannot be read"),
}


class Problem(NamedTuple):
    """One finding.

    Attributes:
        code: a key of KINDS.
        message: the problem, with the names of variables, in lower case and without a full stop.
        file: absolute path; empty if the problem is not in a file.
        line: from 1; 0 for the file as a whole.
        hint: how to fix it, in the imperative.
        environments: the environments that it concerns.
        variables: the variables that it concerns.
    """

    code: str
    message: str
    file: str = ""
    line: int = 0
    hint: str = ""
    environments: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """The severity of its code."""
        return KINDS[self.code].severity

    def at(self, location: Location) -> Problem:
        """Return the same problem at a place."""
        return self._replace(file=location.path, line=location.line)


def code_of(error: EnvkitError) -> str:
    """Return the code of a problem for an error of a store or a value; default: the error's own."""
    if error.code in KINDS:
        return error.code
    return {5: "store-error", 6: "access-denied"}.get(error.exit_status, "value-invalid")


def merge_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each problem once, for all its environments, sorted by severity and place."""
    merged: dict[Problem, dict[str, None]] = {}
    for problem in problems:
        environments = merged.setdefault(problem._replace(environments=()), {})
        environments.update(dict.fromkeys(problem.environments))
    gravity = list(Severity)
    return tuple(
        sorted(
            (problem._replace(environments=tuple(found)) for problem, found in merged.items()),
            key=lambda p: (gravity.index(p.severity), p.file, p.line, p.code, p.message),
        )
    )


def exit_status(problems: Iterable[Problem], *, strict: bool = False) -> int:
    """Return the exit status of a check: 6 or 5 if a store failed, otherwise 1 or 0.

    Args:
        problems: all problems that were found.
        strict: whether warnings count as errors.
    """
    failing = (Severity.ERROR, Severity.WARNING) if strict else (Severity.ERROR,)
    statuses = {KINDS[p.code].exit_status for p in problems if p.severity in failing}
    return next((status for status in (6, 5, 1) if status in statuses), 0)


def listed(words: Iterable[str]) -> str:
    """Return `a, b and c`; of many words, only the first ones and the number of the others."""
    shown = list(words)
    if len(shown) > _MAX_LISTED:
        shown = [*shown[:_MAX_LISTED], f"{len(shown) - _MAX_LISTED} more"]
    *first, last = shown
    return f"{', '.join(first)} and {last}" if first else last

"""Differences that a team has looked at and accepted, each with its reason.

    # .envkit-ignore, beside the profiles/ folder
    LOG_LEVEL                  # quieter in production
    SENTRY_* missing           # only deployed environments report
    METRICS_TOKEN reused       # one account, by the vendor's terms

A line is a glob, what is accepted of the variables that it matches, and why. Unless it
says so, that is `missing` and `different`: a reused secret and a store that cannot be
read are accepted by name only.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from envkit._internal.files import read_capped
from envkit.env_diff import DIFFERENT, MISSING, SAME, STATUSES, Entry, EnvDiff
from envkit.errors import ProfileError, did_you_mean
from envkit.location import display_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = ".envkit-ignore"
MAX_BYTES = 1024 * 1024
_DEFAULT = (MISSING, DIFFERENT)
_KNOWN = tuple(status for status in STATUSES if status != SAME)


class Rule(NamedTuple):
    """One line: which variables, what of them, why, and where it is written."""

    glob: str
    statuses: tuple[str, ...]
    reason: str
    location: str

    def accepts(self, entry: Entry) -> bool:
        """Return whether the line means this difference."""
        return entry.status in self.statuses and fnmatchcase(entry.name, self.glob)


class Accepted(NamedTuple):
    """What `accept` made of a diff.

    Attributes:
        diff: without the accepted differences.
        ignored: those, each with the line that accepts it.
        idle: the lines that accept nothing.
    """

    diff: EnvDiff
    ignored: tuple[tuple[Entry, Rule], ...] = ()
    idle: tuple[Rule, ...] = ()


def load_rules(path: str) -> list[Rule]:
    """Read an ignore file.

    Raises:
        ProfileError: it cannot be read, or a line of it; with file and line.
    """
    shown = display_path(path)
    try:
        text = read_capped(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ProfileError(f"{shown}: not UTF-8", hint="save the file as UTF-8") from None
    except OSError as error:
        reason = (error.strerror or "input or output failed").lower()
        raise ProfileError(f"cannot read {shown}: {reason}") from None
    lines = enumerate(text.splitlines(), start=1)
    return [_rule(line, f"{shown}:{number}") for number, line in lines if _means_something(line)]


def _means_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _rule(line: str, place: str) -> Rule:
    what, _, reason = line.partition("#")
    glob, *words = what.split()
    statuses = [status for word in words for status in word.split(",") if status]
    for status in statuses:
        if status not in _KNOWN:
            raise ProfileError(
                f"{place}: '{status}' is nothing that can be ignored",
                hint=did_you_mean(status, _KNOWN),
            )
    if not reason.strip():
        raise ProfileError(
            f"{place}: {glob} is ignored without a reason", hint="write the reason after '#'"
        )
    return Rule(glob, tuple(statuses) or _DEFAULT, reason.strip(), place)


def accept(diff: EnvDiff, rules: Sequence[Rule]) -> Accepted:
    """Take the accepted differences out of a diff. Pure."""
    kept: list[Entry] = []
    ignored: list[tuple[Entry, Rule]] = []
    for entry in diff.entries:
        rule = next((rule for rule in rules if rule.accepts(entry)), None)
        if rule is None:
            kept.append(entry)
        else:
            ignored.append((entry, rule))
    idle = tuple(rule for rule in rules if not any(map(rule.accepts, diff.entries)))
    return Accepted(diff._replace(entries=tuple(kept)), tuple(ignored), idle)

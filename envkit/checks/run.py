"""Run all checks of environments before a deployment, and return one report.

    report = check(["staging", "prod"])
    for problem in report.problems:
        print(problem.file, problem.line, problem.message, problem.hint)

Guarantees: no problem contains a value or reveals one. An error in one environment hides
nothing in another. A store that cannot be read is not the same as an absent value. Nothing is
changed.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit.checks import dotenv_text, files, literals, pins, reuse, rotations, values
from envkit.checks.code import find as find_code_problems
from envkit.checks.inspection import (
    Inspection,
    ask_stores,
    find_rotations,
    load_profiles,
    prepare_all,
    silent,
)
from envkit.checks.problem import exit_status, merge_problems
from envkit.checks.profiles import find_access, find_missing, find_warnings
from envkit.profile.discovery import profiles_folder
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from envkit.checks.problem import Problem
    from envkit.sources.protocols import Source


class Family(NamedTuple):
    """A group of checks that run together.

    Attributes:
        find: yields the problems in an inspection.
        codes: the codes of the problems that only this group finds; if all of them are skipped,
            the group does not run.
    """

    find: Callable[[Inspection], Iterable[Problem]]
    codes: tuple[str, ...] = ()


# each group sees everything that was loaded and read; add a new group here
FAMILIES = (
    Family(find_warnings, ("profile-warning",)),
    Family(find_access),
    Family(find_missing, ("missing",)),
    Family(values.find),
    Family(pins.find, ("stale-pin",)),
    Family(reuse.find, ("reused",)),
    Family(values.find_unmasked, ("unmasked-secret",)),
    Family(literals.find, ("literal-secret", "possible-secret")),
    Family(files.find, ("file-exposed", "file-tracked", "file-not-ignored", "file-half-plain")),
    Family(dotenv_text.find, dotenv_text.CODES),
    Family(rotations.find),
    Family(rotations.find_unused, ("rotation-unused",)),
    Family(rotations.find_late, rotations.OF_STORES),
    Family(
        find_code_problems,
        (
            *("undefined-variable", "undefined-optional", "unused-variable"),
            *("dynamic-read", "unchecked-code", "unread-code"),
        ),
    ),
)


class Report(NamedTuple):
    """The result of a check.

    Attributes:
        environments: the names of the checked profiles.
        offline: whether the stores were left out.
        problems: the most severe first.
    """

    environments: tuple[str, ...]
    offline: bool
    problems: tuple[Problem, ...]

    def exit_status(self, *, strict: bool = False) -> int:
        """Return 0 for no problems, 1 for problems, 5 or 6 if a store failed.

        Args:
            strict: whether warnings count as errors.
        """
        return exit_status(self.problems, strict=strict)


def check(
    environments: Sequence[str] = (),
    *,
    profiles: str | None = None,
    everything: bool = False,
    offline: bool = False,
    code: Sequence[str] = (),
    skip: Collection[str] = (),
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
    sources: Mapping[str, Source] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Check environments before a deployment.

    Args:
        environments: names or aliases of profiles; default: `ENVKIT_ENV`, then every profile.
        profiles: the folder of profiles; default: `ENVKIT_PROFILES`, then a search upwards.
        everything: check all profiles except those that others only extend.
        offline: read no store.
        code: folders with the program's code, to compare its variables with the profiles.
        skip: the codes of problems that are not looked for.
        timeout_seconds: for all stores together.
        environ: the process environment; default: `os.environ`.
        sources: replacements for the profiles' sources of these names.
        progress: called with the activity, the amount done, and the total.

    Returns:
        the report, which contains the problems.

    Raises:
        ProfileNotFoundError: a profile does not exist, or there are no profiles.
        UntrustedError: the user has not trusted what reading the stores needs.
    """
    environ = os.environ if environ is None else environ
    default = environ.get("ENVKIT_ENV")
    names = list(environments) or ([default] if default and not everything else [])
    folder = profiles_folder(profiles, environ)
    loaded, problems = load_profiles(names, folder, everything=everything or not names)
    deadline = Deadline(timeout_seconds)
    prepared, unsound = prepare_all(
        loaded, environ=environ, deadline=deadline, sources=sources, offline=offline
    )
    inspection = Inspection(
        folder,
        environ,
        loaded,
        prepared,
        rotations=find_rotations(loaded, folder, environ=environ, deadline=deadline),
        code=[os.path.abspath(path) for path in code],
        replaced=sources or (),
        progress=progress or silent,
    )
    if not offline:
        rotations.refuse_untrusted(inspection.rotations)
        inspection.progress("reading from stores", 0, 0)
        inspection = inspection._replace(answers=ask_stores(prepared, deadline), deadline=deadline)
    problems += unsound
    for family in FAMILIES:
        if not family.codes or not set(family.codes).issubset(skip):
            problems += family.find(inspection)
    remaining = [problem for problem in problems if problem.code not in skip]
    names = [profile.name for profile in loaded]
    return Report(tuple(names), offline, merge_problems(_without_echoes(remaining)))


def _without_echoes(problems: Sequence[Problem]) -> list[Problem]:
    """Remove "missing" problems of variables that a problem of the code already reports."""
    undefined = {p.variables for p in problems if p.code == "undefined-variable"}
    return [p for p in problems if p.code != "missing" or p.variables not in undefined]

"""The input of the checks, loaded and read once: profiles, plans, values.

A profile that cannot be loaded or planned is a problem by itself. It does not stop the checks of
other environments.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.checks.problem import Problem, code_of
from envkit.comparison.side import Side
from envkit.errors import (
    EnvkitError,
    ProfileError,
    ProfileNotFoundError,
    ResolutionError,
    UntrustedError,
)
from envkit.profile.discovery import FORMS, profile_names
from envkit.profile.loader import load
from envkit.profile.placeholder import Name
from envkit.resolution.environment import Environment
from envkit.resolution.evaluate import evaluate
from envkit.resolution.failing_source import open_or_fail
from envkit.resolution.fetch import fetch
from envkit.resolution.prepare import prepare_profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from envkit._internal.clock import Deadline
    from envkit.errors import VariableFailure
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.resolution.prepare import PreparedProfile
    from envkit.rotation.catalog import Survey
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import Source

_PLACE = re.compile(r"(?P<file>[^:]+)(?::(?P<line>\d+))?(?::\d+)?: (?P<rest>.*)", re.DOTALL)


def silent(what: str, done: int, total: int) -> None:
    """Report no progress."""


class Answer(NamedTuple):
    """The answers of the stores of one environment.

    Attributes:
        outcomes: of its references, and for each pinned one also without its version.
    """

    prepared: PreparedProfile
    side: Side
    outcomes: Mapping[Reference, Outcome]


class Inspection(NamedTuple):
    """The input of the checks.

    Attributes:
        folder: the folder of profiles.
        environ: the process environment.
        profiles: the environments whose profiles could be loaded.
        prepared: those of them whose placeholders are valid.
        answers: the answers of their stores; empty if no store was read.
        rotations: the rotations of the environments, and of others that share a secret with them;
            None if they have none.
        code: absolute paths of the folders with the program's code.
        deadline: for all stores together; None if no store is read.
        replaced: the names of sources that replace those of the profiles.
        progress: called with the activity, the amount done, and the total.
    """

    folder: str
    environ: Mapping[str, str]
    profiles: Sequence[Profile]
    prepared: Sequence[PreparedProfile] = ()
    answers: Sequence[Answer] = ()
    rotations: Survey | None = None
    code: Sequence[str] = ()
    deadline: Deadline | None = None
    replaced: Collection[str] = ()
    progress: Callable[[str, int, int], None] = silent

    @property
    def root(self) -> str:
        """The folder that contains `profiles/` and the `.env` files."""
        return os.path.dirname(self.folder)


def load_profiles(
    names: Sequence[str], folder: str, *, everything: bool
) -> tuple[list[Profile], list[Problem]]:
    """Load the profiles of the environments to check.

    Args:
        names: names or aliases of profiles.
        folder: absolute path of the folder of profiles.
        everything: load all other profiles as well, except those that others only extend.

    Returns:
        the profiles, each once, and the problems of those that cannot be loaded.

    Raises:
        ProfileNotFoundError: a named profile does not exist, or there are no profiles.
    """
    known = profile_names(folder) if everything else []
    if everything and not known:
        raise ProfileNotFoundError(
            f"no profile in {display_path(folder)}", hint="run 'envkit init' to create one"
        )
    loaded: dict[str, Profile] = {}
    problems = []
    for name in dict.fromkeys((*names, *known)):
        try:
            profile = load(name, folder)
        except ProfileNotFoundError:
            raise
        except ProfileError as error:
            problems.append(
                placed("profile-invalid", error.message, _file_of(name, folder), hint=error.hint)
            )
        else:
            loaded[profile.name] = profile
    bases = {path for p in loaded.values() for path in p.files if path != p.path}
    chosen = [
        profile
        for profile in loaded.values()
        if profile.path not in bases or not {profile.name, *profile.aliases}.isdisjoint(names)
    ]
    return chosen, problems


def _file_of(name: str, folder: str) -> str:
    """Return the file of a profile that cannot be loaded, or the folder if it does not exist."""
    files = (os.path.join(folder, f"{name}{form}") for form in FORMS)
    return next(filter(os.path.isfile, files), folder)


def find_rotations(
    profiles: Sequence[Profile], folder: str, *, environ: Mapping[str, str], deadline: Deadline
) -> Survey | None:
    """Return the rotations of environments; None if they have none. Contacts no store."""
    if not any(profile.rotations for profile in profiles):
        return None
    from envkit.rotation.catalog import survey

    names = [profile.name for profile in profiles]
    return survey(folder, names, environ=environ, deadline=deadline)


def prepare_all(
    profiles: Sequence[Profile],
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
    sources: Mapping[str, Source] | None = None,
    offline: bool = False,
) -> tuple[list[PreparedProfile], list[Problem]]:
    """Plan environments and open their sources, without contacting a store.

    Raises:
        UntrustedError: an environment needs trust; not raised if `offline`.

    Returns:
        the environments without their invalid variables, and the problems found. An environment
        that cannot be planned at all is left out.
    """
    prepared = []
    problems: list[Problem] = []
    for profile in profiles:
        one, found = _prepare_sound_part(profile, environ, deadline, sources, offline=offline)
        problems += found
        if one is not None:
            prepared.append(one)
    return prepared, problems


def _prepare_sound_part(
    profile: Profile,
    environ: Mapping[str, str],
    deadline: Deadline,
    sources: Mapping[str, Source] | None,
    *,
    offline: bool,
) -> tuple[PreparedProfile | None, list[Problem]]:
    """Prepare a profile without the variables that have invalid references."""
    problems: list[Problem] = []
    unsound: set[str] = set()
    while True:
        sound = [name for name in profile.variables if name not in unsound]
        try:
            one = prepare_profile(
                profile,
                sound,
                environ=environ,
                deadline=deadline,
                sources=sources,
                open_=open_or_fail,
                locating=offline,
            )
        except UntrustedError:
            raise
        except ResolutionError as error:
            problems += [of_failure(profile, failure) for failure in error.failures]
            more = _needing(profile, {failure.name for failure in error.failures})
            if more <= unsound:
                return None, problems
            unsound |= more
        except EnvkitError as error:
            code = "profile-invalid" if isinstance(error, ProfileError) else code_of(error)
            problem = placed(code, error.message, profile.path, hint=error.hint)
            return None, [*problems, problem._replace(environments=(profile.name,))]
        else:
            return one, problems


def _needing(profile: Profile, names: set[str]) -> set[str]:
    """Return these variables and all variables that depend on them."""
    while True:
        more = {
            variable.name
            for variable in profile.variables.values()
            for placeholder in variable.template.placeholders
            if isinstance(placeholder.operand, Name) and placeholder.operand.name in names
        }
        if more <= names:
            return names
        names = names | more


def of_failure(profile: Profile, failure: VariableFailure) -> Problem:
    """Return the problem for a variable without a value, at its place in the profile."""
    return Problem(
        code_of(failure.error),
        f"{failure.name}: {failure.error.message}",
        hint=failure.error.hint or "",
        environments=(profile.name,),
        variables=(failure.name,),
    ).at(profile.variables[failure.name].location)


def ask_stores(prepared: Sequence[PreparedProfile], deadline: Deadline) -> list[Answer]:
    """Read all environments in parallel, each as far as its stores allow."""
    outcomes = fetch([_with_newest(one) for one in prepared], deadline)
    return [
        Answer(one, _side(one, found), found) for one, found in zip(prepared, outcomes, strict=True)
    ]


def newest(reference: Reference) -> Reference:
    """Return a pinned reference without its version."""
    return reference._replace(version=None)


def _with_newest(prepared: PreparedProfile) -> PreparedProfile:
    """Add to each pinned reference the same reference without a version, to read both at once."""
    references = {
        source: tuple(dict.fromkeys((*refs, *map(newest, refs))))
        for source, refs in prepared.plan.references.items()
    }
    return prepared.reading(references)


def _side(one: PreparedProfile, outcomes: Mapping[Reference, Outcome]) -> Side:
    found, failures = evaluate(one.plan, outcomes, one.locate)
    return Side(
        one.profile.name,
        Environment(one.profile.name, found.values()),
        one.profile.variables,
        failures,
        frozenset(variable.name for variable in one.plan.order if variable.secret),
        belongs_to=one.profile.name,
    )


def placed(code: str, text: str, path: str, *, root: str = "", hint: str | None = None) -> Problem:
    """Return the problem for a message that may begin with its place.

    Args:
        code: the code of the problem.
        text: `profiles/prod.toml:12: PORT: unknown type`.
        path: the file to report if the message names none.
        root: the folder for relative paths of `.env` files; other paths are relative to the
            working directory.
        hint: how to fix the problem.
    """
    found = _PLACE.fullmatch(text)
    if found is not None:
        for base in (root, ""):
            file = os.path.abspath(os.path.join(base, found["file"]))
            if os.path.isfile(file):
                return Problem(code, found["rest"], file, int(found["line"] or 0), hint or "")
    return Problem(code, text, path, hint=hint or "")

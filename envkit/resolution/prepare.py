"""Prepare profiles: load and plan them and open their sources. Reads no store."""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import is_name
from envkit.errors import (
    IncompleteError,
    InvalidReferenceError,
    ResolutionError,
    UsageError,
    VariableFailure,
)
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.resolution.plan import plan
from envkit.sources.registry import current_guard, may_need_trust, open_source, store_identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.resolution.plan import Plan
    from envkit.sources.protocols import Source

    class SourceOpener(Protocol):
        """A function that opens a source of a profile."""

        def __call__(
            self,
            profile: Profile,
            name: str,
            *,
            environ: Mapping[str, str],
            deadline: Deadline,
            locating: bool = False,
        ) -> Source:
            """See `open_source`."""
            ...


class PreparedProfile(NamedTuple):
    """A profile, its selected variables and its opened sources; no store has been read yet."""

    profile: Profile
    plan: Plan
    sources: Mapping[str, Source]

    def locate(self, reference: Reference) -> str:
        """Return the location of a reference, for people."""
        return self.sources[reference.source].locate(reference)

    def store(self, source: str) -> object:
        """Return a key that is equal for sources of several profiles that read the same store."""
        return store_identity(self.profile, source)

    def reading(self, references: Mapping[str, tuple[Reference, ...]]) -> PreparedProfile:
        """Return a copy that reads other references, by source."""
        return self._replace(plan=self.plan._replace(references=references))


def prepare(
    environments: Sequence[str],
    *,
    profiles: str | None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    names: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str],
    deadline: Deadline,
    sources: Mapping[str, Source] | None = None,
    locating: bool = False,
) -> list[PreparedProfile]:
    """Load and plan profiles and open their sources; read no store.

    If a later profile defines a variable, an earlier profile plans it only as a dependency.
    `overrides` are literal values that replace those of the profiles.
    `names` are matched exactly; `only` and `exclude` are globs.
    With `locating`, the sources only report locations, which needs no trust.

    Raises:
        UsageError: no environment is given, an override is not a variable, no profile has one
            of `names`, `only` or `exclude`, or the globs match no variable. No source has been
            opened.
        ProfileError: a profile is missing or not valid.
        ResolutionError: references are not valid for their stores.
    """
    folder = profiles_folder(profiles, environ)
    loaded = [load(name, folder) for name in named(environments, environ)]
    _override(loaded, overrides or {})
    name = joined(loaded)
    chosen: list[str] | None = None
    if only or exclude or names:
        from envkit.resolution.selection import choose

        known = dict.fromkeys(variable for one in loaded for variable in one.variables)
        given = overrides or ()
        chosen = choose(known, name, only=only, exclude=exclude, names=names, kept=given)
    taken: set[str] = set()
    prepared: list[PreparedProfile] = []
    failures: list[VariableFailure] = []
    for profile in reversed(loaded):
        left = [name for name in profile.variables if name not in taken]
        selected = left
        if chosen is not None:
            wanted = {*chosen, *(overrides or ())}
            selected = [name for name in left if name in wanted]
        taken.update(selected)
        try:
            one = prepare_profile(
                profile,
                selected,
                environ=environ,
                deadline=deadline,
                sources=sources,
                locating=locating,
            )
            prepared.insert(0, one)
        except ResolutionError as error:
            failures.extend(error.failures)
    if failures:
        raise ResolutionError(name, failures)
    return prepared


def prepare_profile(
    profile: Profile,
    selected: Sequence[str],
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
    sources: Mapping[str, Source] | None = None,
    locating: bool = False,
    open_: SourceOpener = open_source,
) -> PreparedProfile:
    """Plan some variables of a loaded profile, check their references and open their sources.

    Args:
        profile: a loaded profile.
        selected: the names of some of its variables.
        environ: the process environment.
        deadline: nothing waits longer.
        sources: replacements for the profile's sources with these names.
        locating: see `open_source`.
        open_: opens a source. Reports use `failing_source.open_or_fail` to list the variables that
            cannot be read; to start an app, every source must open.

    Raises:
        UntrustedError: the profile needs trust that the user has not given.
        ProfileError: variables refer to each other in a cycle, or a source is not valid.
        ResolutionError: references are not valid for their stores.
        AbsentError: a setting of a source is not set.
        SourceError: a source cannot be opened.
    """
    planned = plan(profile, selected)
    given = sources or {}
    own = {name: refs for name, refs in planned.references.items() if name not in given}
    if not locating:
        require_trust(profile, own, environ, deadline)
    opened = {
        name: given.get(name)
        or open_(profile, name, environ=environ, deadline=deadline, locating=locating)
        for name in planned.references
    }
    _refuse_unfit(planned, opened)
    return PreparedProfile(profile, planned, opened)


def require_trust(
    profile: Profile,
    references: Mapping[str, Sequence[Reference]],
    environ: Mapping[str, str],
    deadline: Deadline,
) -> None:
    """Require the user's trust for reading references, before any source is opened.

    Args:
        profile: a loaded profile.
        references: the references to read, by source.
        environ: the process environment.
        deadline: restarted after a person was asked.

    Raises:
        UntrustedError: the user does not trust the profile.
    """
    if not may_need_trust(profile, references):
        return
    from envkit.trust.sources import of_source

    wanted = [
        (profile, destination)
        for name, asked in references.items()
        for destination in of_source(profile, name, asked, environ)
    ]
    guard = current_guard() if wanted else None
    if guard is not None and guard.require(wanted):
        deadline.restart()


def named(environments: Sequence[str], environ: Mapping[str, str]) -> Sequence[str]:
    """Return the given environments; default: $ENVKIT_ENV.

    Raises:
        UsageError: no environment is given.
    """
    default = environ.get("ENVKIT_ENV")
    if not environments and not default:
        raise IncompleteError("no environment given", hint="use --env NAME, or set ENVKIT_ENV")
    return environments or [str(default)]


def joined(profiles: Sequence[Profile]) -> str:
    """Return the name of an environment that combines these profiles: `base+prod`."""
    return "+".join(profile.name for profile in profiles)


def _override(loaded: Sequence[Profile], overrides: Mapping[str, str]) -> None:
    """Apply `overrides` to every profile with the variable, and new ones to the last profile."""
    for name, value in overrides.items():
        if not is_name(name):
            raise UsageError(
                f"{name!r} is not a variable name",
                hint="use letters, digits and '_', not beginning with a digit",
            )
        for profile in [one for one in loaded if name in one.variables] or loaded[-1:]:
            profile.set_value(name, value)


def _refuse_unfit(planned: Plan, sources: Mapping[str, Source]) -> None:
    """Check each reference of a plan with its source.

    Raises:
        ResolutionError: references are not valid for their stores; it lists them.
    """
    unfit: dict[Reference, InvalidReferenceError] = {}
    for name, references in planned.references.items():
        check = sources[name].check
        for reference in references:
            try:
                check(reference)
            except InvalidReferenceError as error:
                unfit[reference] = error
    if unfit:
        raise ResolutionError(
            planned.environment,
            [
                VariableFailure(variable.name, variable.declaration.place, unfit[reference])
                for variable in planned.order
                for references in variable.references.values()
                for reference in references
                if reference in unfit
            ],
        )

"""Prepare profiles: load and plan them, and open their sources. No store is read."""

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
        """Opens a source of a profile."""

        def __call__(
            self,
            profile: Profile,
            name: str,
            *,
            environ: Mapping[str, str],
            deadline: Deadline,
            locating: bool = False,
        ) -> Source:
            """Do what `open_source` does."""
            ...


class PreparedProfile(NamedTuple):
    """A profile, its selected variables and its opened sources; no store has been read yet."""

    profile: Profile
    plan: Plan
    sources: Mapping[str, Source]

    def locate(self, reference: Reference) -> str:
        """Return for people where a reference points."""
        return self.sources[reference.source].locate(reference)

    def store(self, source: str) -> object:
        """Return what is equal for sources of several profiles that ask the same store."""
        return store_identity(self.profile, source)

    def reading(self, references: Mapping[str, tuple[Reference, ...]]) -> PreparedProfile:
        """Return the same with other references to be read, by source."""
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
    """Load and plan the profiles and open their sources; read no store.

    A variable that a later profile gives is not planned in an earlier one, unless another
    variable of that needs it. `overrides` are literal values in place of the profiles' own.
    `names` are taken as they are, `only` and `exclude` are globs.
    With `locating`, the sources will only be asked where values are, which needs no trust.

    Raises:
        UsageError: no environment given, an override is not a variable, a name in
            `names`, `only` or `exclude` is in no profile, or the globs leave nothing. No
            source has been opened by then.
        ProfileError: a profile is missing or not valid.
        ResolutionError: references that are not valid for their stores.
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
        selected: names of its variables.
        environ: the process environment.
        deadline: nothing waits beyond it.
        sources: used in place of the profile's sources of these names.
        locating: see `open_source`.
        open_: opens a source. A report uses `failing_source.open_or_fail`, so that it says
            which variables cannot be read; an app must not start then.

    Raises:
        UntrustedError: the profile needs trust that its user has not given.
        ProfileError: variables refer to each other in a cycle, or a source is not valid.
        ResolutionError: references that are not valid for their stores.
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
    """Check that the user trusts what a lookup of references needs, before anything is opened.

    Args:
        profile: a loaded profile.
        references: what is looked up in which source.
        environ: the process environment.
        deadline: begins anew where a person is asked.

    Raises:
        UntrustedError: they do not.
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
    """Return the environments that are named; default: `ENVKIT_ENV`.

    Raises:
        UsageError: there is none.
    """
    default = environ.get("ENVKIT_ENV")
    if not environments and not default:
        raise IncompleteError("no environment given", hint="use --env NAME, or set ENVKIT_ENV")
    return environments or [str(default)]


def joined(profiles: Sequence[Profile]) -> str:
    """Return the name of an environment that is made of these profiles: `base+prod`."""
    return "+".join(profile.name for profile in profiles)


def _override(loaded: Sequence[Profile], overrides: Mapping[str, str]) -> None:
    """Make `overrides` win in every profile that has the variable; the last has the new ones."""
    for name, value in overrides.items():
        if not is_name(name):
            raise UsageError(
                f"{name!r} is not a variable name",
                hint="use letters, digits and '_', not beginning with a digit",
            )
        for profile in [one for one in loaded if name in one.variables] or loaded[-1:]:
            profile.set_value(name, value)


def _refuse_unfit(planned: Plan, sources: Mapping[str, Source]) -> None:
    """Check each reference of a plan with its source, once.

    Raises:
        ResolutionError: with the references that are not valid for their stores.
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

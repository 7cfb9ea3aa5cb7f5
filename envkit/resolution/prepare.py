"""Load, plan and open: all that happens before a store is asked."""

from __future__ import annotations

from envkit._internal.names import is_name
from envkit._internal.record import NamedTuple
from envkit.errors import InvalidReferenceError, ResolutionError, UsageError, VariableFailure
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.resolution.plan import plan
from envkit.resolution.selection import select
from envkit.sources.registry import open_source, store_identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.resolution.plan import Plan
    from envkit.sources.protocols import Source


class Prepared(NamedTuple):
    """A profile, what of it is wanted, and its opened sources; no store was asked yet."""

    profile: Profile
    plan: Plan
    sources: Mapping[str, Source]

    def locate(self, reference: Reference) -> str:
        """Return for people where a reference points."""
        return self.sources[reference.source].locate(reference)

    def store(self, source: str) -> object:
        """Return what is equal for sources of several profiles that ask the same store."""
        return store_identity(self.profile, source)


def prepare(
    environments: Sequence[str],
    *,
    profiles: str | None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str],
    deadline: Deadline,
    sources: Mapping[str, Source] | None = None,
) -> list[Prepared]:
    """Load and plan the profiles and open their sources; ask no store.

    A variable that a later profile gives is not planned in an earlier one, unless another
    variable of that needs it. `overrides` are literal values in place of the profiles' own.

    Raises:
        UsageError: no environment is named, or an override is no variable.
        ProfileError: a profile is not there or not valid.
        ResolutionError: references that no store could hold.
    """
    folder = profiles_folder(profiles, environ)
    loaded = [load(name, folder) for name in named(environments, environ)]
    _override(loaded, overrides or {})
    taken: set[str] = set()
    prepared: list[Prepared] = []
    failures: list[VariableFailure] = []
    for profile in reversed(loaded):
        left = [name for name in profile.variables if name not in taken]
        wanted = {*select(left, only, exclude), *(overrides or ())}
        selected = [name for name in left if name in wanted]
        taken.update(selected)
        try:
            one = prepare_loaded(
                profile, selected, environ=environ, deadline=deadline, sources=sources
            )
            prepared.insert(0, one)
        except ResolutionError as error:
            failures.extend(error.failures)
    if failures:
        raise ResolutionError("+".join(profile.name for profile in loaded), failures)
    return prepared


def prepare_loaded(
    profile: Profile,
    selected: Sequence[str],
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
    sources: Mapping[str, Source] | None = None,
) -> Prepared:
    """Plan some variables of a loaded profile and open the sources that they need.

    Raises:
        ProfileError: variables need each other in a circle, or a source is not valid.
        ResolutionError: references that no store could hold.
    """
    planned = plan(profile, selected)
    opened = {
        name: (sources or {}).get(name)
        or open_source(profile, name, environ=environ, deadline=deadline)
        for name in planned.references
    }
    one = Prepared(profile, planned, opened)
    failures = _unfit(one)
    if failures:
        raise ResolutionError(profile.name, failures)
    return one


def named(environments: Sequence[str], environ: Mapping[str, str]) -> Sequence[str]:
    """Return the environments that are named, else the one of `ENVKIT_ENV`.

    Raises:
        UsageError: there is none.
    """
    default = environ.get("ENVKIT_ENV")
    if not environments and not default:
        raise UsageError("no environment is named", hint="use --env NAME, or set ENVKIT_ENV")
    return environments or [str(default)]


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


def _unfit(one: Prepared) -> list[VariableFailure]:
    """Return the references that their stores could not hold."""
    failures = []
    for variable in one.plan.order:
        for reference in (ref for refs in variable.references.values() for ref in refs):
            try:
                one.sources[reference.source].check(reference)
            except InvalidReferenceError as error:
                failures.append(VariableFailure(variable.name, variable.declaration.place, error))
    return failures

"""Find what holds the variables of an environment, to change it there.

    found = find(("prod",), ["DB_PASSWORD"])
    kept = found.kept["DB_PASSWORD"]
    kept.check("a new one")
    version = kept.holder.write(Secret("a new one"), before=kept.held)

Of a lookup that is the source where it was found, else the first that can be written.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.names import is_name
from envkit._internal.paths import display_path
from envkit.editing.route import refuse_unwritable, route
from envkit.editing.slots import Held, ProfileHolder, StoreHolder, held
from envkit.errors import (
    ConflictError,
    EnvkitError,
    InvalidValueError,
    PlaceholderError,
    UnchangeableError,
    UsageError,
    closest,
    did_you_mean,
)
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.profile.placeholder import Placeholder, Reference, parse
from envkit.profile.value_types import problem
from envkit.resolution.fetch import fetch
from envkit.resolution.prepare import named, prepare
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS
from envkit.sources.protocols import WritableSource
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from envkit.editing.route import Route
    from envkit.editing.slots import Holder
    from envkit.profile.declaration import Declaration
    from envkit.profile.model import Profile
    from envkit.resolution.prepare import Prepared
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import Source


class Kept(NamedTuple):
    """One variable, where it is kept, and what is there now.

    Attributes:
        declarations: the variable's own, and those of variables that it is equal to.
    """

    name: str
    declarations: tuple[Declaration, ...]
    holder: Holder
    held: Held

    @property
    def names(self) -> list[str]:
        """The variables that have this value: its own name first."""
        return [one.name for one in self.declarations] or [self.name]

    def check(self, value: str) -> None:
        """Refuse a value that the profile does not allow.

        Raises:
            InvalidValueError: it is not of the type or form that is declared.
        """
        wrong = "contains a NUL" if "\0" in value else None
        for declaration in self.declarations:
            wrong = wrong or problem(declaration, value)
            if wrong is not None:
                raise InvalidValueError(
                    f"the new value of {self.name} {wrong}; nothing was changed",
                    hint=f"look at {declaration.location}, which asks for it",
                )


class Found(NamedTuple):
    """What `find` found.

    Attributes:
        kept: the variables that can be changed, in the profile's order.
        refused: why others cannot.
        deadline: of everything that is asked; to be restarted after waiting for a person.
    """

    profile: Profile
    kept: Mapping[str, Kept]
    refused: Mapping[str, EnvkitError]
    deadline: Deadline

    def one(self, name: str) -> Kept:
        """Return the one variable that was asked for.

        Raises:
            EnvkitError: it cannot be changed.
        """
        if name in self.refused:
            raise self.refused[name]
        return self.kept[name]


def find(
    environments: Sequence[str],
    names: Sequence[str] = (),
    *,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
    before_fetch: Callable[[Sequence[Prepared]], None] | None = None,
) -> Found:
    """Find where variables of one environment are kept, and read what is there.

    Args:
        environments: one name or alias of a profile; `ENVKIT_ENV` where none is given.
        names: the variables; all unless given.
        only: globs, in place of names.
        exclude: globs, in place of names.
        profiles: the folder of profiles.
        timeout_seconds: for all stores together.
        environ: the process environment.
        before_fetch: called before a store is asked.

    Returns:
        what is kept where. A variable whose store failed is among the `refused`.

    Raises:
        UsageError: not one environment, or no such variable.
        ProfileError: the profile is not there or not valid.
        ResolutionError: references that no store could hold.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    _refuse_several(environments)
    [prepared] = prepare(
        environments,
        profiles=profiles,
        only=[*filter(is_name, names), *only],
        exclude=exclude,
        environ=environ,
        deadline=deadline,
    )
    for name in names:
        if name not in prepared.profile.variables:
            raise _unknown(name, prepared.profile)
    routes: dict[str, Route] = {}
    refused: dict[str, EnvkitError] = {}
    for name in prepared.plan.selected:
        try:
            routes[name] = route(name, prepared.profile, prepared.plan, follow=bool(names))
        except EnvkitError as error:
            refused[name] = error
    if before_fetch is not None:
        before_fetch([prepared])
    outcomes = _ask(prepared, routes.values(), deadline)
    kept = {}
    for name, way in routes.items():
        try:
            if way.literal is not None:
                line = ProfileHolder(name, way.literal, deadline)
                kept[name] = Kept(name, way.declarations, line, line.read())
            else:
                kept[name] = kept_in_store(
                    name, way.declarations, way.references, prepared.sources, outcomes
                )
        except EnvkitError as error:
            refused[name] = error
    return Found(prepared.profile, kept, refused, deadline)


def find_reference(
    environments: Sequence[str],
    text: str,
    *,
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
    before_fetch: Callable[[Profile], None] | None = None,
) -> Found:
    """Find what one reference names in the stores of an environment, and read it.

    Args:
        environments: as for `find`, like all that follow.
        text: as in a placeholder: `vault:db#password`.
        profiles: the folder of profiles.
        timeout_seconds: for the store.
        environ: the process environment.
        before_fetch: called with the profile before the store is asked.

    Returns:
        what is kept there, under the name `text`.

    Raises:
        UsageError: not one environment, or no reference.
        EnvkitError: the store cannot hold it, cannot be written, or failed.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    _refuse_several(environments)
    reference = _parsed(text)
    [name] = named(environments, environ)
    profile = load(name, profiles_folder(profiles, environ))
    if reference.source not in profile.sources:
        raise UsageError(
            f"{profile.name} has no source '{reference.source}'",
            hint=did_you_mean(reference.source, profile.sources),
        )
    refuse_unwritable(text, reference)
    source = open_source(profile, reference.source, environ=environ, deadline=deadline)
    source.check(reference)
    if not isinstance(source, WritableSource):
        raise _not_writable(text, source.locate(reference))
    if before_fetch is not None:
        before_fetch(profile)
    holder = StoreHolder(source, reference)
    return Found(profile, {text: Kept(text, (), holder, holder.read())}, {}, deadline)


def refuse_changed(kept: Iterable[Kept]) -> None:
    """Refuse to change anything if any of it was changed since it was read.

    Raises:
        ConflictError: with all that was.
        EnvkitError: a store failed.
    """
    changed = [one for one in kept if one.holder.read().value != one.held.value]
    if changed:
        places = ", ".join(f"{one.name} in {one.holder.where}" for one in changed)
        raise ConflictError(
            f"changed since it was read: {places}; nothing was written",
            hint="look at the change, then run the command again",
        )


def kept_in_store(
    name: str,
    declarations: tuple[Declaration, ...],
    references: Sequence[Reference],
    sources: Mapping[str, Source],
    outcomes: Mapping[Reference, Outcome],
) -> Kept:
    """Decide for one of several references, now that it is known what is there.

    Args:
        name: the variable.
        declarations: its own, and those of variables that it is equal to.
        references: where it is looked up; the first that is there counts.
        sources: of all of these.
        outcomes: what they said.

    Raises:
        UnchangeableError: none of them can be written, so that it would count.
        EnvkitError: one could not be read.
    """
    writable: list[Kept] = []
    places = []
    for reference in references:
        source = sources[reference.source]
        now = held(outcomes[reference])
        places.append(source.locate(reference))
        if isinstance(source, WritableSource):
            writable.append(Kept(name, declarations, StoreHolder(source, reference), now))
            if now.value is not None:
                return writable[-1]
        elif now.value is not None:
            # what is written to a source that comes before it will be found first
            places = places[-1:]
            break
    if not writable:
        raise _not_writable(name, ", ".join(places) or "no source")
    return writable[0]


def _not_writable(name: str, place: str) -> UnchangeableError:
    return UnchangeableError(
        f"{name} comes from {place}, which envkit cannot change", hint="change it there"
    )


def _ask(
    prepared: Prepared, routes: Iterable[Route], deadline: Deadline
) -> Mapping[Reference, Outcome]:
    """Read what the routes lead to, and nothing else."""
    wanted: dict[str, dict[Reference, None]] = {}
    for reference in (reference for way in routes for reference in way.references):
        wanted.setdefault(reference.source, {})[reference] = None
    references = {source: tuple(found) for source, found in wanted.items()}
    plan = prepared.plan._replace(references=references)
    return fetch([prepared._replace(plan=plan)], deadline)[0]


def _parsed(text: str) -> Reference:
    try:
        parts = parse(f"{{{{ {text} }}}}").parts
    except PlaceholderError:
        parts = ()
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        operand, fallback, filters = parts[0]
        if isinstance(operand, Reference) and fallback is None and not filters:
            return operand
    raise UsageError(f"'{text}' is no reference", hint="write --ref vault:db#password")


def _unknown(name: str, profile: Profile) -> UsageError:
    match = closest(name, profile.variables)
    if match is not None or not is_name(name):
        hint = did_you_mean(name, profile.variables)
    else:
        hint = f'write {name} = "{{{{ {name} }}}}" into {display_path(profile.path)} first'
    return UsageError(f"no variable '{name}' in {profile.name}", hint=hint)


def _refuse_several(environments: Sequence[str]) -> None:
    if len(environments) > 1:
        raise UsageError("one environment is changed at a time", hint="use --env once")

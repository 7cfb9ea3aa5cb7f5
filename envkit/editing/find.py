"""Find where the variables of an environment are stored, in order to change them there.

    prepared = prepare_edit(("prod",), ["DB_PASSWORD"])
    editable = find(prepared)
    variable = editable.one("DB_PASSWORD")
    variable.check("a new one")
    version = write_one(variable.slot, Secret("a new one"), variable.current, editable.deadline)

A variable that is looked up is stored in the source that has its value, or if none has it, in the
first source that can be written.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.names import is_name
from envkit._internal.paths import display_path
from envkit._internal.suggestions import closest, did_you_mean
from envkit.editing.route import Route, refuse_unwritable, route
from envkit.editing.slots import (
    CurrentValue,
    ProfileSlot,
    StoreSlot,
    current_value,
    read_all,
)
from envkit.errors import (
    ConflictError,
    EnvkitError,
    InvalidValueError,
    PlaceholderError,
    UnchangeableError,
    UsageError,
)
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.profile.placeholder import Reference, parse_reference
from envkit.profile.value_types import mismatch
from envkit.resolution.fetch import fetch
from envkit.resolution.plan import Plan
from envkit.resolution.prepare import PreparedProfile, named, prepare_profile, require_trust
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS
from envkit.resolution.selection import choose
from envkit.sources.protocols import WritableSource
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit.editing.slots import ValueSlot
    from envkit.profile.declaration import Declaration
    from envkit.profile.model import Profile
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import Source


class PreparedEdit(NamedTuple):
    """Variables to be changed, before any store was contacted.

    Attributes:
        prepared: the profile, with the references that lead to the values.
        routes: the way to each value, by the variable's name.
        refused: why other variables cannot be changed.
        deadline: for all stores together.
    """

    prepared: PreparedProfile
    routes: Mapping[str, Route]
    refused: Mapping[str, EnvkitError]
    deadline: Deadline


class EditableVariable(NamedTuple):
    """One variable, the slot where its value is stored, and its current value.

    Attributes:
        declarations: the variable's own, and those of the variables that refer to the same value.
    """

    name: str
    declarations: tuple[Declaration, ...]
    slot: ValueSlot
    current: CurrentValue

    @property
    def names(self) -> list[str]:
        """The names of the variables that have this value, its own first."""
        return [one.name for one in self.declarations] or [self.name]

    def check(self, value: str) -> None:
        """Refuse a value that the profile does not allow.

        Raises:
            InvalidValueError: it does not match the declared type or form.
        """
        wrong = "contains a NUL" if "\0" in value else None
        for declaration in self.declarations:
            wrong = wrong or mismatch(declaration, value)
            if wrong is not None:
                raise InvalidValueError(
                    f"the new value of {self.name} {wrong}; nothing was changed",
                    hint=f"see its declaration in {declaration.location}",
                )


class Editable(NamedTuple):
    """The result of `find`.

    Attributes:
        variables: the variables that can be changed, in the profile's order.
        refused: why the others cannot be changed.
        deadline: for all requests; restart it after waiting for a person.
    """

    profile: Profile
    variables: Mapping[str, EditableVariable]
    refused: Mapping[str, EnvkitError]
    deadline: Deadline

    def one(self, name: str) -> EditableVariable:
        """Return the variable, if only one was requested.

        Raises:
            EnvkitError: it cannot be changed.
        """
        if name in self.refused:
            raise self.refused[name]
        return self.variables[name]


def prepare_edit(
    environments: Sequence[str],
    names: Sequence[str] = (),
    *,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> PreparedEdit:
    """Find the way to the values of variables of one environment, without contacting a store.

    Args:
        environments: one name or alias of a profile; default: `ENVKIT_ENV`.
        names: the variables; default: all of them.
        only: globs that select variables instead of names.
        exclude: globs that exclude variables, instead of names.
        profiles: the folder of profiles.
        timeout_seconds: for all stores together.
        environ: the process environment.

    Raises:
        UsageError: not exactly one environment, or an unknown variable.
        ProfileError: the profile is missing or not valid.
        ResolutionError: some references are not valid for any store.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    profile = _load_one(environments, profiles, environ)
    for name in names:
        if name not in profile.variables:
            raise _unknown(name, profile)
    known = profile.variables
    selected = choose(known, profile.name, names=names, only=only, exclude=exclude)
    prepared = prepare_profile(profile, selected, environ=environ, deadline=deadline)
    routes: dict[str, Route] = {}
    refused: dict[str, EnvkitError] = {}
    references: dict[str, dict[Reference, None]] = {}
    for name in selected:
        try:
            routes[name] = route(name, profile, prepared.plan, follow=bool(names))
        except EnvkitError as error:
            refused[name] = error
            continue
        for reference in routes[name].references:
            references.setdefault(reference.source, {})[reference] = None
    asked = {source: tuple(found) for source, found in references.items()}
    return PreparedEdit(prepared.reading(asked), routes, refused, deadline)


def prepare_reference_edit(
    environments: Sequence[str],
    text: str,
    *,
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> PreparedEdit:
    """Prepare the change of one reference in the stores of an environment; contact no store.

    Args:
        environments: see `prepare_edit`; the same is true of `profiles`, `environ`.
        text: as in a placeholder: `vault:db#password`.
        profiles: the folder of profiles.
        timeout_seconds: for the store.
        environ: the process environment.

    Returns:
        the way to the reference, under the name `text`.

    Raises:
        UsageError: not exactly one environment, or the text is not a reference.
        EnvkitError: the reference is not valid for its store, or the store cannot be written.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    reference = _parsed(text)
    profile = _load_one(environments, profiles, environ)
    name = reference.source
    if name not in profile.sources:
        raise UsageError(
            f"{profile.name} has no source '{name}'", hint=did_you_mean(name, profile.sources)
        )
    refuse_unwritable(text, reference)
    require_trust(profile, {name: (reference,)}, environ, deadline)
    source = open_source(profile, name, environ=environ, deadline=deadline)
    source.check(reference)
    if not isinstance(source, WritableSource):
        raise _not_writable(text, source.locate(reference))
    plan = Plan(profile.name, (), (text,), {name: (reference,)})
    routes = {text: Route((), None, (reference,))}
    return PreparedEdit(PreparedProfile(profile, plan, {name: source}), routes, {}, deadline)


def find(edit: PreparedEdit, *, unread: bool = False) -> Editable:
    """Find where variables are stored, and read their current values.

    Args:
        edit: the variables.
        unread: whether a variable may be changed whose current value cannot be decrypted.

    Returns:
        the variables with their slots. If a store fails, its variables are in `refused`.
    """
    prepared, routes, _, deadline = edit
    [outcomes] = fetch([prepared], deadline)
    variables = {}
    refused = dict(edit.refused)
    for name, way in routes.items():
        try:
            if way.literal is not None:
                line = ProfileSlot(name, way.literal, deadline)
                variables[name] = EditableVariable(name, way.declarations, line, line.read())
            else:
                variables[name] = editable_in_store(
                    name,
                    way.declarations,
                    way.references,
                    prepared.sources,
                    outcomes,
                    unread=unread,
                )
        except EnvkitError as error:
            refused[name] = error
    return Editable(prepared.profile, variables, refused, deadline)


def refuse_changed(variables: Iterable[EditableVariable]) -> None:
    """Refuse to change anything if one of the values was changed since it was read.

    Raises:
        ConflictError: the error lists all values that were changed.
        EnvkitError: a store failed.
    """
    variables = list(variables)
    now = read_all(one.slot for one in variables)
    changed = [one for one in variables if now[one.slot].value != one.current.value]
    if changed:
        places = ", ".join(f"{one.name} in {one.slot.where}" for one in changed)
        raise ConflictError(
            f"changed after envkit read it: {places}; nothing was written",
            hint="check the change, then run the command again",
        )


def editable_in_store(
    name: str,
    declarations: tuple[Declaration, ...],
    references: Sequence[Reference],
    sources: Mapping[str, Source],
    outcomes: Mapping[Reference, Outcome],
    *,
    unread: bool = False,
) -> EditableVariable:
    """Decide which of several references to write, given the answers of the stores.

    Args:
        name: the variable.
        declarations: its own, and those of the variables that refer to the same value.
        references: where the variable is looked up; the first one with a value counts.
        sources: the sources of the references.
        outcomes: the answers of the stores.
        unread: as for `find`.

    Raises:
        UnchangeableError: no reference can be written in such a way that the variable changes.
        EnvkitError: a reference could not be read.
    """
    writable: list[EditableVariable] = []
    places = []
    for reference in references:
        source = sources[reference.source]
        current = current_value(outcomes[reference], unread=unread)
        places.append(source.locate(reference))
        if isinstance(source, WritableSource):
            slot = StoreSlot(source, reference)
            writable.append(EditableVariable(name, declarations, slot, current))
            if current.value is not None:
                return writable[-1]
        elif current.value is not None:
            # a value written to an earlier source would hide this one
            places = places[-1:]
            break
    if not writable:
        raise _not_writable(name, ", ".join(places) or "no source")
    return writable[0]


def _not_writable(name: str, place: str) -> UnchangeableError:
    return UnchangeableError(
        f"{name} comes from {place}, which envkit cannot change", hint=f"change it in {place}"
    )


def _parsed(text: str) -> Reference:
    with suppress(PlaceholderError):
        reference = parse_reference(text)
        if isinstance(reference, Reference):
            return reference
    raise UsageError(f"'{text}' is not a reference", hint="use --ref vault:db#password")


def _unknown(name: str, profile: Profile) -> UsageError:
    match = closest(name, profile.variables)
    if match is not None or not is_name(name):
        hint = did_you_mean(name, profile.variables)
    else:
        hint = f'write {name} = "{{{{ {name} }}}}" into {display_path(profile.path)} first'
    return UsageError(f"no variable '{name}' in {profile.name}", hint=hint)


def _load_one(
    environments: Sequence[str], profiles: str | None, environ: Mapping[str, str]
) -> Profile:
    if len(environments) > 1:
        raise UsageError("only one environment can be changed at a time", hint="use --env once")
    [name] = named(environments, environ)
    return load(name, profiles_folder(profiles, environ))

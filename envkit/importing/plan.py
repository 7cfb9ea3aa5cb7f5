"""Decide what an import writes where. Pure.

    decide_import(wanted, here, changes)         # variables of files
    decide_migration(names, here, changes)       # variables of the environment's own files

A variable that the profile lacks is added to it: a setting as a literal, a secret as a
placeholder, with its value in the store. Of a variable that the profile has, the value goes where
the placeholder points. If that is not the destination, and the user has named one, the
placeholder is changed. A value that differs is a conflict, unless the user has allowed to replace
it.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.detection.settings import is_setting
from envkit.editing.route import refuse_unwritable
from envkit.errors import EnvkitError, UnchangeableError
from envkit.importing.changes import Conflict
from envkit.importing.model import Why
from envkit.profile.placeholder import Name, Placeholder, Reference, Template
from envkit.promotion.values import first_reading, sole_placeholder
from envkit.sources.model import WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from envkit.importing.changes import Changes
    from envkit.importing.model import Destination, Wanted
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Operand
    from envkit.resolution.environment import Variable
    from envkit.resolution.plan import PlannedVariable
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.model import Outcome, Reading

_REPLACE = "to replace it, add --replace"


class Here(NamedTuple):
    """The environment as it is.

    Attributes:
        prepared: the profile with the variables in question.
        outcomes: what its sources answered.
        resolved: the variables that have a value.
        destination: what the user chose.
    """

    prepared: PreparedProfile
    outcomes: Mapping[Reference, Outcome]
    resolved: Mapping[str, Variable]
    destination: Destination


def place_for(variable: PlannedVariable | None, name: str, to: Destination) -> Reference:
    """Return where the destination stores the value of a variable.

    Args:
        variable: the variable; None if the profile does not have it.
        name: its name.
        to: the destination.
    """
    placeholder = None if variable is None else sole_placeholder(variable)
    own = None
    if variable is not None and placeholder is not None:
        own = _within(variable.references[placeholder.operand], to)
    place = own or Reference(to.source, "", name)
    return place._replace(path=to.file) if to.file and place.is_looked_up else place


def _within(references: Sequence[Reference], to: Destination) -> Reference | None:
    """Return the reference that reads the destination; None if there is none."""
    return next(
        (
            reference
            for reference in references
            if reference.source == to.source
            and (not to.file or reference.is_looked_up or reference.path == to.file)
        ),
        None,
    )


def places_to_move(variable: PlannedVariable, profile: Profile, source: str) -> list[Reference]:
    """Return where a source would store the values that a variable has in `.env` files."""
    return [
        _moved(reference, source)
        for references in variable.references.values()
        for reference in references
        if _is_movable(reference, profile, source)
    ]


def mentioned_names(profile: Profile) -> set[str]:
    """Return the names that the placeholders of a profile mention."""
    return {
        placeholder.operand.name
        for declaration in profile.variables.values()
        for placeholder in declaration.template.placeholders
        if isinstance(placeholder.operand, Name)
    }


def decide_import(wanted: Iterable[Wanted], here: Here, changes: Changes) -> list[str]:
    """Decide what to do with variables of files.

    Returns:
        the variables that have the wanted value when the changes are made.
    """
    planned = {one.name: one for one in here.prepared.plan.order}
    done = []
    for one in wanted:
        variable = planned.get(one.name)
        place = one.where if variable is None else variable.declaration.place
        decide: Callable[[], object]
        if variable is None:
            decide = partial(_add, one, here, changes)
        elif not variable.declaration.template.placeholders:
            decide = partial(_fill_literal, one, variable, here, changes)
        else:
            decide = partial(_fill, one, variable, here, changes)
        if _decided(one.name, decide, changes, from_=one.where, place=place):
            done.append(one.name)
    return done


def decide_migration(here: Here, changes: Changes) -> list[str]:
    """Decide how to move the values that the environment reads from `.env` files.

    Returns:
        the variables whose values are elsewhere when the changes are made.
    """
    done = []
    for variable in here.prepared.plan.order:
        name, place = variable.name, variable.declaration.place
        decide = partial(_move, variable, here, changes)
        if _decided(name, decide, changes, from_=place, place=place):
            done.append(name)
    return done


def _decided(
    name: str, decide: Callable[[], object], changes: Changes, *, from_: str, place: str
) -> bool:
    """Decide about one variable; return whether it will have the wanted value.

    Args:
        name: the variable.
        decide: adds the changes; returns False if there is nothing to do with the variable.
        changes: the changes so far; those of a variable that is not imported are removed.
        from_: where its value comes from.
        place: where it is declared.
    """
    try:
        return decide() is not False
    except Conflict as conflict:
        reason = f"has another value in {conflict.where}"
        changes.leave(name, Why.CONFLICT, from_, reason, _REPLACE)
    except UnchangeableError as error:
        changes.leave(name, Why.BY_HAND, from_, error.message, error.hint)
    except EnvkitError as error:
        changes.refuse(name, place, error)
    return False


def _add(one: Wanted, here: Here, changes: Changes) -> None:
    """Add a variable that the profile lacks."""
    profile, to = here.prepared.profile, here.destination
    if one.setting:
        changes.line(one.name, Template((one.value.reveal(),)), before=None)
        return
    changes.write(one.name, one.value, place_for(None, one.name, to), None)
    is_first = [*profile.lookup][:1] == [to.source]
    operand = Name(one.name) if is_first else Reference(to.source, "", one.name)
    changes.line(one.name, Template((Placeholder(operand),)), before=None)


def _fill_literal(one: Wanted, variable: PlannedVariable, here: Here, changes: Changes) -> None:
    """Change a literal of the profile to a setting.

    Raises:
        Conflict: it differs, and may not be replaced.
        UnchangeableError: the value is a secret.
    """
    declaration = variable.declaration
    before = "".join(map(str, declaration.template.parts))
    value = one.value.reveal()
    if before == value:
        return
    place = declaration.place
    if not here.destination.replace:
        raise Conflict(place)
    if declaration.secret or not is_setting(one.name, value):
        file = display_path(here.prepared.profile.path)
        raise UnchangeableError(
            f"is a literal in {place}, and the value may be a secret",
            hint=f'write {one.name} = "{{{{ {one.name} }}}}" into {file}, and import it again',
        )
    _point(variable, Template((value,)), here, changes)


def _fill(one: Wanted, variable: PlannedVariable, here: Here, changes: Changes) -> None:
    """Write the value of a variable that the profile reads from a store.

    Raises:
        Conflict: it has another value, which may not be replaced.
        UnchangeableError: it has no single place, or another one than the destination.
    """
    destination = here.destination
    placeholder = sole_placeholder(variable)
    if placeholder is None:
        resolved = here.resolved.get(one.name)
        if resolved is not None and resolved.value == one.value:
            return
        raise UnchangeableError(
            f"is composed of other values in {variable.declaration.place}",
            hint="import those values",
        )
    references = variable.references[placeholder.operand]
    there = place_for(variable, one.name, destination)
    refuse_unwritable(one.name, there)
    own = _within(references, destination)
    earlier = _earlier(references, own, here)
    if earlier is not None and earlier[1].value == one.value and not destination.named:
        return
    if own is None and not destination.named:
        places = ", ".join(map(here.prepared.locate, references))
        raise UnchangeableError(
            f"is read from {places}", hint=f"to store it there, add --to {references[0].source}"
        )
    if earlier is not None:
        if earlier[1].value != one.value and not destination.replace:
            raise Conflict(earlier[1].location)
        changes.refuse_rotated(here.prepared.sources[earlier[0].source], earlier[0])
    changes.write(one.name, one.value, there, variable.declaration)
    if earlier is not None or own is None:
        moved = Template((placeholder._replace(operand=there),))
        _point(variable, moved, here, changes)


def _move(variable: PlannedVariable, here: Here, changes: Changes) -> bool:
    """Move the values of one variable out of `.env` files; return whether there are any.

    Raises:
        Conflict: the destination has another value, which may not be replaced.
        UnchangeableError: a value cannot be moved.
    """
    name, declaration = variable.name, variable.declaration
    profile, to = here.prepared.profile, here.destination.source
    found: dict[Operand, tuple[Reference, Reading]] = {}
    for operand, references in variable.references.items():
        answer = first_reading(references, here.outcomes)
        if answer is not None and _is_movable(answer[0], profile, to):
            found[operand] = answer
    if not found:
        return False
    for reference, _ in found.values():
        refuse_unwritable(name, reference)
        changes.refuse_rotated(here.prepared.sources[reference.source], reference)
    if sole_placeholder(variable) is not None and declaration.secret is False:
        [(_, reading)] = found.values()
        value = reading.value.reveal()
        if is_setting(name, value):
            _point(variable, Template((value,)), here, changes)
            return True
    own = declaration if sole_placeholder(variable) is not None else None
    operands: dict[Operand, Operand] = {}
    for operand, (reference, reading) in found.items():
        there = _moved(reference, to)
        changes.write(name, reading.value, there, own)
        if variable.references[operand][0] != there:
            operands[operand] = there
    if operands:
        parts = [
            part
            if isinstance(part, str)
            else part._replace(operand=operands.get(part.operand, part.operand))
            for part in declaration.template.parts
        ]
        _point(variable, Template(tuple(parts)), here, changes)
    return True


def _point(variable: PlannedVariable, template: Template, here: Here, changes: Changes) -> None:
    """Change the value of a variable in the profile, or override what the profile extends."""
    declaration = variable.declaration
    own = declaration.location.path == here.prepared.profile.path
    changes.line(variable.name, template, before=declaration.template if own else None)


def _earlier(
    references: Sequence[Reference], own: Reference | None, here: Here
) -> tuple[Reference, Reading] | None:
    """Return the value that would hide one at the destination.

    The process environment is not asked: it belongs to the one who imports.
    """
    before = references if own is None else references[: references.index(own)]
    sources = here.prepared.profile.sources
    stored = [reference for reference in before if sources[reference.source].type != "env"]
    return first_reading(stored, here.outcomes)


def _is_movable(reference: Reference, profile: Profile, to: str) -> bool:
    """Return whether a reference reads a `.env` file that is not the destination."""
    spec = profile.sources[reference.source]
    return spec.type == "dotenv" and reference.source != to and reference.field != WHOLE


def _moved(reference: Reference, to: str) -> Reference:
    """Return where the destination stores the value of a variable of a `.env` file."""
    return Reference(to, "", reference.path if reference.field is None else reference.field)

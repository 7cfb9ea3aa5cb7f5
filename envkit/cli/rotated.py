"""How the commands that change values treat values that are rotated."""

from __future__ import annotations

import os

from envkit.cli.error_text import print_labelled
from envkit.editing.rotated import look
from envkit.errors import EnvkitError, RotationInProgressError
from envkit.rotation.rotated import find_rotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit._internal.clock import Deadline
    from envkit.editing.find import Editable, EditableVariable
    from envkit.editing.rotated import Rotated
    from envkit.profile.model import Profile
    from envkit.rotation_state.rotated import FindRotation


def rotations_of(profile: Profile, deadline: Deadline) -> FindRotation:
    """Return the function that finds the rotation of a value; see `find_rotations`."""
    return find_rotations(profile, environ=os.environ, deadline=deadline)


def look_at(editable: Editable, variable: EditableVariable) -> Rotated | None:
    """Return the rotation of a variable's value; None if it is not rotated.

    Raises:
        EnvkitError: a rotation of the profile cannot be read.
    """
    deadline = editable.deadline
    return look(variable, rotations_of(editable.profile, deadline), deadline)


def allow_change(
    editable: Editable, variables: Iterable[EditableVariable], *, force: bool = False
) -> None:
    """Warn about values that are rotated before they are changed.

    Args:
        editable: the result of `find`.
        variables: the variables to change.
        force: whether to change them even if a rotation is in progress.

    Raises:
        RotationInProgressError: a rotation is in progress.
    """
    find = rotations_of(editable.profile, editable.deadline)
    for variable in variables:
        try:
            rotated = look(variable, find, editable.deadline)
        except EnvkitError as error:
            print_labelled(
                "warning", f"{variable.name} may be rotated; cannot check: {error.message}"
            )
            continue
        if rotated is not None:
            if not force:
                rotated.refuse_in_progress()
            if variable.current.value is not None:  # a rotation needs a first value
                print_labelled("warning", rotated.warning)


def without_rotating(editable: Editable) -> Editable:
    """Refuse the variables with a rotation in progress and return the others."""
    find = rotations_of(editable.profile, editable.deadline)
    variables, refused = dict(editable.variables), dict(editable.refused)
    for name, variable in editable.variables.items():
        try:
            rotated = look(variable, find, editable.deadline)
            if rotated is not None:
                rotated.refuse_in_progress()
        except RotationInProgressError as error:
            refused[name] = error
            del variables[name]
        except EnvkitError:
            continue  # reported if the value changes
    return editable._replace(variables=variables, refused=refused)

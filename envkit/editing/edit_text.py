"""The text for `envkit edit`: render the variables, and find the changes. Pure.

The text is a `.env` file. It has a line for each variable that can be changed. Variables without
a value, and those that cannot be changed, are in comments.
"""

from __future__ import annotations

from envkit._internal.suggestions import did_you_mean
from envkit.dotenv.editor import quote
from envkit.dotenv.file import parse
from envkit.errors import InvalidValueError, UsageError
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envkit.editing.find import Editable, EditableVariable

_HEAD = """\
# {profile}: change values, save and leave the editor.
# Removing a line changes nothing. To remove a value, run 'envkit unset'.
# To cancel, leave without saving.
"""


def file_name(editable: Editable) -> str:
    """Return the name of the file for the text."""
    return f"{editable.profile.name}.env"


def render(editable: Editable) -> str:
    """Return the text: every variable that can be changed, under the place where it is stored."""
    return "".join((_HEAD.format(profile=editable.profile.name), *_pieces(editable)))


def changes(editable: Editable, text: str) -> dict[str, Secret]:
    """Return the variables whose value in an edited text is different.

    Args:
        editable: the variables from which the text was rendered.
        text: the text as the editor saved it.

    Raises:
        DotenvError: the text is not a `.env` file; the error names the line.
        UsageError: it names an unknown variable, or one that cannot be changed.
        InvalidValueError: a value does not match the profile's rules.
    """
    changed = {}
    file = file_name(editable)
    parsed = parse(text, path=file, expand=False)
    for problem in parsed.problems:
        raise problem
    for name, entry in (*parsed.entries.items(), *parsed.unlisted.items()):
        if name not in editable.variables:
            raise _unknown(editable, name, f"{file}:{entry.line}")
        variable, value = editable.variables[name], Secret(entry.value)
        if value != variable.current.value:
            variable.check(entry.value)
            changed[name] = value
    return changed


def _pieces(editable: Editable) -> Iterator[str]:
    for variable in editable.variables.values():
        line = _line(variable)
        if line is not None:
            yield f"\n# {variable.slot.where}\n{line}\n"
    refused = {**editable.refused, **_not_text(editable.variables)}
    if refused:
        yield "\n# cannot be changed here:\n"
        yield from (f"# {error.message}\n" for error in refused.values())


def _line(variable: EditableVariable) -> str | None:
    """Return the line of a variable; None if no `.env` file can represent its value."""
    if variable.current.value is None:
        return f"# not set: {variable.name}="
    try:
        return f"{variable.name}={quote(variable.current.value.reveal(), name=variable.name)}"
    except InvalidValueError:
        return None


def _not_text(variables: Mapping[str, EditableVariable]) -> dict[str, InvalidValueError]:
    return {
        name: InvalidValueError(f"the value of {name} is not text")
        for name, one in variables.items()
        if _line(one) is None
    }


def _unknown(editable: Editable, name: str, place: str) -> UsageError:
    if name in editable.refused:
        return UsageError(f"{place}: {name} cannot be changed here", hint="remove the line")
    known = editable.profile.variables
    if name in known:
        return UsageError(f"{place}: {name} is not one of the variables that you are editing")
    return UsageError(
        f"{place}: {editable.profile.name} has no variable '{name}'", hint=did_you_mean(name, known)
    )

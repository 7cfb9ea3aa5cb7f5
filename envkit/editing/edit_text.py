"""The variables of an environment as a text to be edited, and what was changed in it. Pure.

The text is in the form of a `.env` file. It has a line for each variable that can be
changed; what is absent, and what cannot be changed, stands in comments.
"""

from __future__ import annotations

from envkit.dotenv.editor import quote
from envkit.dotenv.file import parse
from envkit.errors import InvalidValueError, UsageError, did_you_mean
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envkit.editing.find import Found, Kept

_HEAD = """\
# {profile}: change values, save and leave the editor.
# A line that you take out changes nothing: 'envkit unset' takes a value out.
# To change nothing at all, leave without saving.
"""


def file_name(found: Found) -> str:
    """Return how the file with the text is called."""
    return f"{found.profile.name}.env"


def render(found: Found) -> str:
    """Return the text: every variable that can be changed, below where it is kept."""
    return "".join((_HEAD.format(profile=found.profile.name), *_pieces(found)))


def changes(found: Found, text: str) -> dict[str, Secret]:
    """Return the variables that have another value in an edited text.

    Args:
        found: from which the text was rendered.
        text: as the editor left it.

    Raises:
        DotenvError: it is no `.env` file; with the line.
        UsageError: it names what is no variable, or one that cannot be changed.
        InvalidValueError: a value is not what the profile asks for.
    """
    changed = {}
    file = file_name(found)
    for name, entry in parse(text, path=file, expand=False).entries.items():
        if name not in found.kept:
            raise _unknown(found, name, f"{file}:{entry.line}")
        kept, value = found.kept[name], Secret(entry.value)
        if value != kept.held.value:
            kept.check(entry.value)
            changed[name] = value
    return changed


def _pieces(found: Found) -> Iterator[str]:
    for kept in found.kept.values():
        line = _line(kept)
        if line is not None:
            yield f"\n# {kept.holder.where}\n{line}\n"
    refused = {**found.refused, **_not_text(found.kept)}
    if refused:
        yield "\n# not to be changed here:\n"
        yield from (f"# {error.message}\n" for error in refused.values())


def _line(kept: Kept) -> str | None:
    """Return the line of a variable, None where no `.env` file can hold its value."""
    if kept.held.value is None:
        return f"# absent: {kept.name}="
    try:
        return f"{kept.name}={quote(kept.held.value.reveal(), name=kept.name)}"
    except InvalidValueError:
        return None


def _not_text(kept: Mapping[str, Kept]) -> dict[str, InvalidValueError]:
    return {
        name: InvalidValueError(f"{name} has a value that is no text")
        for name, one in kept.items()
        if _line(one) is None
    }


def _unknown(found: Found, name: str, place: str) -> UsageError:
    if name in found.refused:
        return UsageError(f"{place}: {name} cannot be changed here", hint="take the line out")
    known = found.profile.variables
    if name in known:
        return UsageError(f"{place}: {name} was not among the variables to be changed")
    return UsageError(
        f"{place}: {found.profile.name} has no variable '{name}'", hint=did_you_mean(name, known)
    )

"""Find secrets that are written into profiles, in values, settings and comments.

A file is checked as it is written, including values that another profile overrides.
`secret = false` means that the value of a variable may be public.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.checks.problem import Problem
from envkit.comparison.reuse import PLAIN_TYPES
from envkit.detection.secret_literal import PLACEHOLDER, suspect
from envkit.detection.token_shapes import find_tokens
from envkit.profile.declaration import raw_table
from envkit.profile.loader import read_profile_file
from envkit.profile.location import Location
from envkit.profile.placeholder import Literal, parse
from envkit.profile.toml_file import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from envkit.checks.inspection import Inspection
    from envkit.profile.model import Profile

_HARMLESS_TYPES = PLAIN_TYPES | {"path"}
_REPLACE = (
    "move the value to a store, write a placeholder, and change the secret: "
    "the old value remains in git history"
)
_SAY = "; if it is not a secret, set secret = false"
_ACCEPT = "; if it is not a secret, accept it in .envkit-ignore"
_REMOVE = "remove it, and change the secret: the old value remains in git history"


class _Text(NamedTuple):
    """A text in a file.

    Attributes:
        name: the name of the variable, or of the setting of a source.
        means: the name by which the text is judged.
        variable: whether the text is the value of a variable.
    """

    name: str
    text: str
    location: Location
    means: str
    variable: bool = True


def find(inspection: Inspection) -> Iterator[Problem]:
    """Yield the secrets that are written into the files of profiles."""
    users: dict[str, list[Profile]] = {}
    for profile in inspection.profiles:
        for path in profile.files:
            users.setdefault(path, []).append(profile)
    for path, profiles in users.items():
        texts = list(_texts(path))
        for problem in (*_in_texts(texts, profiles), *_in_comments(path, texts)):
            yield problem._replace(environments=tuple(profile.name for profile in profiles))


def _in_texts(texts: Sequence[_Text], profiles: Sequence[Profile]) -> Iterator[Problem]:
    for text in texts:
        if text.variable and _is_public(text.name, profiles):
            continue
        called = text.name if text.variable else f"'{text.name}'"
        for written in _written(text.text):
            suspicion = suspect(text.means, written)
            if suspicion is not None:
                yield Problem(
                    "literal-secret" if suspicion.certain else "possible-secret",
                    f"{called} contains {suspicion.what}",
                    hint=_REPLACE + _alternative(text),
                    variables=(text.name,) if text.variable else (),
                ).at(text.location)


def _alternative(text: _Text) -> str:
    if not text.variable:
        return ""
    return _ACCEPT if text.location.path.endswith(".env") else _SAY


def _is_public(name: str, profiles: Sequence[Profile]) -> bool:
    """Return whether a profile declares a value public, or its rules exclude a secret."""
    declared = (profile.variables.get(name) for profile in profiles)
    return any(
        d is not None and (d.secret is False or d.choices or d.type in _HARMLESS_TYPES)
        for d in declared
    )


def _in_comments(path: str, texts: Sequence[_Text]) -> Iterator[Problem]:
    """Yield the tokens in a file that are not in any of its texts."""
    everything = "\0".join(text.text for text in texts)
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        for what, token in find_tokens(line):
            if token not in everything:
                message = f"a comment contains {what}"
                yield Problem("literal-secret", message, path, number, _REMOVE)


def _written(text: str) -> Iterator[str]:
    """Yield the literal texts in a value: the whole value, and each alternative in it."""
    template = parse(text)
    yield "".join(part if isinstance(part, str) else PLACEHOLDER for part in template.parts)
    for placeholder in template.placeholders:
        if isinstance(placeholder.operand, Literal):
            yield placeholder.operand.text
        if placeholder.fallback is not None:
            yield placeholder.fallback


def _texts(path: str) -> Iterator[_Text]:
    """Yield the values and settings in a file that is a valid profile."""
    document, top = read_profile_file(path)
    for name, value in document.get("variables", {}).items():
        place = top.at("variables", name)
        table = raw_table(value)
        for key in ("value", "default"):
            if isinstance(table.get(key), str):
                yield _Text(name, table[key], place.at(key), name)
    for name, table in document.get("sources", {}).items():
        yield from _settings(table, top.at("sources", name))


def _settings(table: dict[str, Any], place: Location) -> Iterator[_Text]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _settings(value, place.at(key))
        elif isinstance(value, str):
            # Vault's `secret_id` is a password despite its name
            means = "secret" if key == "secret_id" else key
            yield _Text(key, value, place.at(key), means, variable=False)

"""Decide which values of an environment are searched for. Pure.

The texts that stores returned are searched for, not only the whole values: the password rather
than the URL around it. A setting, a short text and a common word would be found by chance. They
are left out, and the report names their variables.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit.comparison.reuse import MIN_CHARACTERS, PLAIN_TYPES
from envkit.detection.ordinary_values import is_common, is_ordinary
from envkit.detection.secret_literal import random_looking
from envkit.detection.value_parts import credentials_of
from envkit.scan.forms import Form, forms_of
from envkit.scan.search import SHORTEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envkit.profile.declaration import Declaration
    from envkit.resolution.environment import Variable
    from envkit.secret import Secret

PRIVATE_KEY_OF = "the private key of"
_OF_CREDENTIALS = ("PASSWORD",)
_MOST = 4096  # characters of a value that are searched for, from its middle
_MIN_LINE = 40  # characters of a line that identifies a key


class Skipped(StrEnum):
    """Why a variable is not searched for."""

    SHORT = "short"
    COMMON = "common"
    SETTING = "setting"
    LITERAL = "literal"  # written in a profile, where `envkit check` looks
    ABSENT = "absent"


class Owner(NamedTuple):
    """A variable of an environment."""

    environment: str
    variable: str


class Stored(NamedTuple):
    """A text in a store: its name there, such as the field of a secret, and the text."""

    name: str
    text: Secret


class EnvironmentValues(NamedTuple):
    """The values of one environment.

    Attributes:
        environment: its name.
        variables: those with a value.
        declared: all declarations.
        stored: variable -> the texts in stores from which its value is computed.
    """

    environment: str
    variables: Iterable[Variable]
    declared: Mapping[str, Declaration]
    stored: Mapping[str, Sequence[Stored]]


class Label(NamedTuple):
    """What a text in a file is: the form of the value of these variables."""

    form: Form
    owners: tuple[Owner, ...]


class Wanted(NamedTuple):
    """The values to search for.

    Attributes:
        texts: each text as bytes -> what it is; a private key is described in words.
        searched: the variables whose values are searched for.
        skipped: the others -> why not.
    """

    texts: Mapping[bytes, Label | str]
    searched: tuple[Owner, ...]
    skipped: Mapping[Owner, Skipped]

    def __repr__(self) -> str:
        return f"Wanted({len(self.texts)} texts)"


def wanted(
    environments: Iterable[EnvironmentValues], private_keys: Mapping[str, Iterable[Secret]]
) -> Wanted:
    """Return the values of environments to search for.

    Args:
        environments: the values that could be read.
        private_keys: the name of each encrypted file -> its private keys.
    """
    found: dict[bytes, tuple[Form, dict[Owner, None]]] = {}
    searched: dict[Owner, None] = {}
    skipped: dict[Owner, Skipped] = {}
    for environment, variables, declared, stored in environments:
        for variable in variables:
            name = variable.name
            owner = Owner(environment, name)
            texts, reason = _texts_of(variable, declared.get(name), stored.get(name, ()))
            if not texts:
                skipped[owner] = reason
                continue
            searched[owner] = None
            for text in texts:
                for raw, form in forms_of(text).items():
                    if len(raw) >= SHORTEST:
                        found.setdefault(raw, (form, {}))[1][owner] = None
    labels: dict[bytes, Label | str] = {
        raw: Label(form, tuple(owners)) for raw, (form, owners) in found.items()
    }
    for file, keys in private_keys.items():
        for key in keys:
            for raw in forms_of(key.reveal()):
                labels.setdefault(raw, f"{PRIVATE_KEY_OF} {file}")
    return Wanted(labels, tuple(searched), skipped)


def _texts_of(
    variable: Variable, declared: Declaration | None, stored: Sequence[Stored]
) -> tuple[list[str], Skipped]:
    """Return the texts of a variable to search for; if there are none, why."""
    if not variable.origins:
        return [], Skipped.LITERAL
    explicit = declared is not None and declared.secret is True
    plain = declared is not None and bool(declared.choices or declared.type in PLAIN_TYPES)
    if not variable.secret or (plain and not explicit):
        return [], Skipped.SETTING
    texts: dict[str, None] = {}
    reasons: dict[Skipped, None] = {}
    for text, names in _candidates(variable, stored).items():
        for part, own_names in _parts(text, names):
            reason = _reason(own_names, part, explicit=explicit)
            if reason is None:
                texts[part] = None
            else:
                reasons[reason] = None
    order = (Skipped.SHORT, Skipped.COMMON, Skipped.SETTING)
    return list(texts), next((one for one in order if one in reasons), Skipped.SHORT)


def _candidates(variable: Variable, stored: Sequence[Stored]) -> dict[str, list[str]]:
    """Return the texts of a variable -> the names by which to judge each."""
    found: dict[str, list[str]] = {}
    for name, secret in stored:
        found.setdefault(secret.reveal(), []).append(name)
    whole = variable.value.reveal()
    found.setdefault(whole, []).append(variable.name)
    for secret in variable.readings:  # also the results of filters
        found.setdefault(secret.reveal(), [variable.name])
    return found


def _parts(text: str, names: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield a text and its parts that are secrets by themselves, each with names to judge it by.

    The parts are the credentials in it, and one line of a key that has several.
    """
    whole = text.strip()
    middle = max(0, len(whole) - _MOST) // 2
    yield whole[middle : middle + _MOST], names
    for credential in credentials_of(text).values():
        yield credential, _OF_CREDENTIALS
    body = [line.strip() for line in text.splitlines()]
    lines = [line for line in body if len(line) >= _MIN_LINE and random_looking(line)]
    if len(body) > 1 and lines:
        yield max(lines[1:] or lines, key=len), names


def _reason(names: Sequence[str], text: str, *, explicit: bool) -> Skipped | None:
    if text and not explicit and all(is_ordinary(name, text) for name in names):
        return Skipped.SETTING
    if len(text) < MIN_CHARACTERS:
        return Skipped.SHORT
    return Skipped.COMMON if is_common(text) and not explicit else None

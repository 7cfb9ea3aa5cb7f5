"""Find secrets that two environments share although each should have its own. Pure.

A secret is found under the same name or another one, as a whole value or as the password of a
URL. Short and plain values (`5432`, `info`) are not reported. Two sides of one environment
(`prod` and `prod@v12`) may share everything.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.comparison.model import Finding, FindingKind, Place
from envkit.detection.settings import is_setting
from envkit.detection.value_parts import credentials_of, is_given_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from envkit.comparison.side import Side
    from envkit.resolution.environment import Variable

MIN_CHARACTERS = 8  # shorter values are often equal by chance
PLAIN_TYPES = frozenset(("int", "float", "bool", "port", "enum", "duration", "email"))


class _TextPlace(NamedTuple):
    """One place where a text occurs."""

    side: int
    name: str
    part: str
    known: bool  # whether a profile declares the value secret


def find_reused(sides: Sequence[Side]) -> dict[str, list[Finding]]:
    """Return, per variable, a finding for each of its secrets that also occurs elsewhere."""
    groups: dict[str, list[_TextPlace]] = {}  # by the secret text; local to this function
    for index, side in enumerate(sides):
        for variable in side.environment.variables():
            for text, place in _texts(index, side, variable):
                groups.setdefault(text, []).append(place)
    shared = [group for group in groups.values() if len(group) > 1 and _dangerous(group, sides)]
    # whole values before parts: if two URLs are equal, their passwords add nothing
    shared.sort(key=lambda group: all(place.part for place in group))
    findings: dict[str, list[Finding]] = {}
    for group in shared:
        places = tuple(Place(sides[h.side].label, h.name, _shown_part(h.part)) for h in group)
        finding = Finding(FindingKind.REUSED, places=places, dangerous=True)
        for name in dict.fromkeys(place.name for place in group):
            known = findings.setdefault(name, [])
            if not any(_covers(other, finding) for other in known):
                known.append(finding)
    return findings


def _texts(index: int, side: Side, variable: Variable) -> Iterator[tuple[str, _TextPlace]]:
    value = variable.value.reveal()
    declaration = side.declared.get(variable.name)
    plain = declaration is not None and declaration.type in PLAIN_TYPES
    if plain or len(value) < MIN_CHARACTERS:
        return
    known = not side.assumed and (variable.secret or variable.name in side.secret_names)
    if known and not (declaration and declaration.secret) and is_setting(variable.name, value):
        known = False  # the store has settings, too, and environments may share them
    yield value, _TextPlace(index, variable.name, "", known)
    for part, text in credentials_of(value).items():
        if len(text) >= MIN_CHARACTERS:
            yield text, _TextPlace(index, variable.name, part, known)


def _dangerous(group: Sequence[_TextPlace], sides: Sequence[Side]) -> bool:
    """Return whether environments that must not share a secret do, and it is a known secret."""
    known = {sides[place.side].belongs_to for place in group if place.known}
    every = {sides[place.side].belongs_to for place in group}
    return any(
        one is not None and other is not None and one != other for one in known for other in every
    )


def _covers(finding: Finding, other: Finding) -> bool:
    return _variables(finding.places) >= _variables(other.places)


def _variables(places: Iterable[Place]) -> set[tuple[str, str]]:
    return {(place.environment, place.name) for place in places}


def _shown_part(part: str) -> str:
    return part if is_given_name(part) else "a part"

"""Find how the values, origins and rules of one variable differ. Pure.

A finding names parts, places and rules. It never contains the value of a hidden variable.
"""

from __future__ import annotations

import re
from operator import attrgetter

from envkit.comparison.model import Finding, FindingKind
from envkit.detection.value_parts import (
    Structure,
    ValueKind,
    credentials_of,
    differing_parts,
    host_of,
    is_given_name,
    kind_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.profile.declaration import Declaration
    from envkit.resolution.environment import Variable

_SECRET_CHARACTERS = 16  # shortest word with letters and digits that looks like a secret
_PIN = re.compile(r"\?(?:version|stage)=[^#]*")
# the key of a variable in a profile -> its attribute in a Declaration
_RULES = {
    "required": "required",
    "type": "type",
    "pattern": "pattern",
    "choices": "choices",
    "min": "minimum",
    "max": "maximum",
    "default": "default",
}
_rules_of = attrgetter(*_RULES.values())


def value_findings(found: Sequence[Variable | None], *, hidden: bool) -> Iterator[Finding]:
    """Yield how the values of a variable differ.

    Args:
        found: per environment; None if the variable has no value there.
        hidden: whether the values may not be shown.
    """
    texts = [None if variable is None else variable.value.reveal() for variable in found]
    present = [text for text in texts if text is not None]
    if len(set(present)) < 2:
        return
    if len({text.strip() for text in present}) == 1:
        yield Finding(FindingKind.WHITE_SPACE, dangerous=True)
        return
    yield from _parts(texts, present, hidden=hidden)
    if not hidden:
        kinds = tuple("" if text is None else kind_of(text) for text in texts)
        if len(set(kinds) - {"", ValueKind.EMPTY}) > 1:
            yield Finding(FindingKind.TYPE, shown=kinds)


def _parts(
    texts: Sequence[str | None], present: Sequence[str], *, hidden: bool
) -> Iterator[Finding]:
    unnamed = False  # one finding covers all the parts whose names may not be shown
    for part in differing_parts(present):
        if hidden and (part.structure is Structure.LIST or not is_given_name(part.name)):
            if not unnamed:
                yield Finding(
                    FindingKind.PART, "items" if part.structure is Structure.LIST else "other parts"
                )
            unnamed = True
            continue
        answers = iter(part.texts)
        shown = tuple("" if text is None else next(answers) or "" for text in texts)
        kind = FindingKind.ITEM if part.structure is Structure.LIST else FindingKind.PART
        yield Finding(kind, part.name or "the whole", () if hidden else shown)


def origin_findings(found: Sequence[Variable | None]) -> Iterator[Finding]:
    """Yield a finding if profiles write or read the same value in different ways."""
    present = [variable for variable in found if variable is not None and variable.location]
    if len({variable.value.reveal() for variable in present}) != 1 or len(present) < 2:
        return
    ways = {
        tuple(_PIN.sub("", origin.reference) for origin in variable.origins) for variable in present
    }
    if len(ways) > 1:
        yield Finding(FindingKind.ORIGIN, shown=tuple("" if v is None else _way(v) for v in found))


def _way(variable: Variable) -> str:
    places = dict.fromkeys(origin.location for origin in variable.origins)
    return ", ".join(places) or variable.note or "literal"


def literal_findings(found: Sequence[Variable | None]) -> Iterator[Finding]:
    """Yield a finding if a value is in a store on one side and a literal on another."""
    present = [variable for variable in found if variable is not None and variable.location]
    literals = [v.value.reveal() for v in present if not v.origins and not v.note]
    if literals and any(variable.origins and variable.secret for variable in present):
        shown = tuple(
            "" if v is None or v.location is None else "store" if v.origins else v.note or "literal"
            for v in found
        )
        yield Finding(
            FindingKind.LITERAL, shown=shown, dangerous=any(map(_like_a_secret, literals))
        )


def _like_a_secret(text: str) -> bool:
    """Return whether a literal looks like a secret that should not be in a profile.

    A URL without a password is harmless. So is the made-up password of a server that exists
    only on a developer's machine.
    """
    if "://" in text:
        return bool(credentials_of(text)) and "." in host_of(text)
    word = len(text) >= _SECRET_CHARACTERS and not any(map(str.isspace, text))
    return word and any(map(str.isalpha, text)) and any(map(str.isdigit, text))


def rule_findings(declared: Sequence[Declaration | None], *, hidden: bool) -> Iterator[Finding]:
    """Yield the rules that differ between profiles that declare the same variable.

    Args:
        declared: per environment; None if it does not know the variable.
        hidden: whether the values may not be shown, and therefore no default or choice either.
    """
    known = [declaration for declaration in declared if declaration is not None]
    if len(set(map(_rules_of, known))) < 2:
        return
    for rule, attribute in _RULES.items():
        if len({getattr(declaration, attribute) for declaration in known}) > 1:
            shown = tuple("" if d is None else _rule_text(getattr(d, attribute)) for d in declared)
            secret = hidden and rule in ("choices", "default")
            yield Finding(FindingKind.RULE, rule, () if secret else shown)


def _rule_text(rule: object) -> str:
    if rule is None or rule == ():
        return "none"
    if isinstance(rule, bool):
        return "yes" if rule else "no"
    if isinstance(rule, tuple):
        return ", ".join(rule)
    return f"{rule:g}" if isinstance(rule, float) else str(rule)

"""What policies allow on a path, as the server decides it. Pure.

An exact path wins over patterns. Of several patterns that match, the most specific one decides,
for all policies of a token together. `deny` wins over every capability of the same pattern.

Reference: https://openbao.org/docs/concepts/policies/#priority-matching
"""

from __future__ import annotations

import re

from envkit.sources.readers import DELETE, READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from envkit.sources.vault.readers.policy_text import Rule

TEMPLATE = re.compile(r"\{\{.*?\}\}")
ROOT = "root"  # the policy that allows everything
# per right, the capabilities of which one grants it: on the path of a secret, and on those paths of
# KV version 2 that remove its versions
ON_SECRET: Mapping[str, Collection[str]] = {
    READ: ("read",),
    WRITE: ("create", "update", "patch"),
    DELETE: ("delete",),
}
ON_METADATA = {DELETE: ("delete",)}
ON_VERSIONS = {DELETE: ("update",)}


def capabilities(rules: Iterable[Rule], path: str) -> frozenset[str]:
    """Return the capabilities that the rules of all policies of a token give on a path.

    Rules with a template never match: what they allow depends on who asks.

    Args:
        rules: the rules of all its policies.
        path: the path of the request, such as `secret/data/shop`.
    """
    merged: dict[str, frozenset[str]] = {}
    for rule in rules:
        merged[rule.path] = merged.get(rule.path, frozenset()) | rule.capabilities
    matching = [one for one in merged if not TEMPLATE.search(one) and matches(one, path)]
    if not matching:
        return frozenset()
    found = merged[max(matching, key=_specificity)]
    return frozenset() if "deny" in found else found


def rights(
    asked: Mapping[str, Mapping[str, Collection[str]]],
    found: Callable[[str], Collection[str]],
) -> tuple[str, ...]:
    """Return which of `read`, `write` and `delete` someone has.

    Args:
        asked: for each path of a request, which capabilities grant a right.
        found: returns the capabilities that someone has on a path.
    """
    known = {
        right
        for path, grants in asked.items()
        for right, any_of in grants.items()
        if not {ROOT, *any_of}.isdisjoint(found(path))
    }
    return tuple(right for right in ON_SECRET if right in known)


def matches(pattern: str, path: str) -> bool:
    """Return whether the path of a rule matches that of a request."""
    return _expression(pattern).fullmatch(path) is not None


def may_match(pattern: str, path: str) -> bool:
    """Return whether the path of a rule with a template matches for someone."""
    parts = (_expression(part, ends=False).pattern for part in TEMPLATE.split(pattern))
    end = ".*" if pattern.endswith("*") else ""
    return re.fullmatch(".*".join(parts) + end, path) is not None


def _expression(pattern: str, *, ends: bool = True) -> re.Pattern[str]:
    prefix, glob = (pattern[:-1], True) if pattern.endswith("*") else (pattern, False)
    segments = ("[^/]+" if one == "+" else re.escape(one) for one in prefix.split("/"))
    return re.compile("/".join(segments) + (".*" if glob and ends else ""), re.DOTALL)


def _specificity(pattern: str) -> tuple[bool, int, bool, int, int, str]:
    """Return a key that is greater for a pattern that wins."""
    wildcards = [
        index
        for index, char in enumerate(pattern)
        if (char == "*" and index == len(pattern) - 1)
        or (
            char == "+"
            and pattern[index - 1 : index] in ("", "/")
            and pattern[index + 1 : index + 2] in ("", "/")
        )
    ]
    segments = pattern.split("/").count("+")
    glob = pattern.endswith("*")
    first = wildcards[0] if wildcards else len(pattern)
    return (not wildcards, first, not glob, -segments, len(pattern), pattern)

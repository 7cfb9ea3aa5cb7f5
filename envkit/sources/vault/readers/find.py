"""Find out who can read secrets of a Vault or OpenBao server, without reading them.

The rights of the token in use come from `sys/capabilities-self`, which every token may read.
Policies and those who have them are read if the token may do so. What it may not read is named.
"""

from __future__ import annotations

import re

from envkit.sources.readers import Reader, Readers
from envkit.sources.vault.readers.holders import find_holders, list_names, read_entry
from envkit.sources.vault.readers.policy_text import parse_policy
from envkit.sources.vault.readers.rights import (
    ON_METADATA,
    ON_SECRET,
    ON_VERSIONS,
    ROOT,
    TEMPLATE,
    capabilities,
    matches,
    may_match,
    rights,
)
from envkit.sources.vault.rights import capabilities as own_capabilities
from envkit.sources.vault.rights import paths_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from envkit.profile.placeholder import Reference
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Engine
    from envkit.sources.vault.readers.holders import Holders
    from envkit.sources.vault.readers.policy_text import Rule

    Asked: TypeAlias = Mapping[str, Mapping[str, Collection[str]]]  # see `rights`

YOU = "you"
_DEFAULT = "default"  # the policy of every token, unless it was created without it
_ABOVE = "policies, users and roles of the namespaces above"
_ALWAYS = "root tokens, and tokens that were created with a policy by hand"


def find_readers(
    client: VaultClient,
    paths: Mapping[Reference, str],
    engines: Mapping[str, Engine],
    source: str,
) -> list[Readers]:
    """Return who can read each secret.

    Args:
        client: a client that is logged in.
        paths: for each reference, the absolute path.
        engines: for each path, the engine.
        source: the source, for messages.

    Raises:
        SourceError: a request failed.
    """
    wanted = {path: _requests(engines[path], path) for path in dict.fromkeys(paths.values())}
    own = own_capabilities(client, [one for some in wanted.values() for one in some])
    policies, unread = _policies(client)
    holders = find_holders(client)
    above = [_ABOVE] if client.namespace.strip("/") else []
    return [
        Readers(
            f"{source}:{path}",
            (*_you(own, asked), *_others(policies, holders, asked)),
            (
                _ALWAYS,
                *above,
                *unread,
                *_unevaluated(policies, asked),
                *holders.not_visible,
            ),
        )
        for path, asked in wanted.items()
    ]


def _requests(engine: Engine, path: str) -> Asked:
    """Return the paths of requests that read, change or delete a secret."""
    found: dict[str, Mapping[str, Collection[str]]] = dict.fromkeys(
        paths_of(engine, path), ON_SECRET
    )
    if engine.version != 1 and not engine.is_dynamic:
        below = path[len(engine.mount) + 1 :]
        if engine.version is None:
            below = below.removeprefix("data/")
        found[f"{engine.mount}/metadata/{below}"] = ON_METADATA
        for word in ("delete", "destroy"):
            found[f"{engine.mount}/{word}/{below}"] = ON_VERSIONS
    return found


def _you(own: Mapping[str, list[str]], asked: Asked) -> list[Reader]:
    return [Reader(YOU, rights(asked, lambda path: own.get(path, ())), "the token in use")]


def _others(policies: Mapping[str, list[Rule]], holders: Holders, asked: Asked) -> list[Reader]:
    found = []
    for name, rules in policies.items():
        if allowed := _rights_on([rules], asked):
            who = "every token" if name == _DEFAULT else "tokens with the policy"
            found.append(Reader(who, allowed, f"policy {name}"))
    for holder in holders.found:
        named = _named(holder.policies, policies) | holder.policies & {ROOT}
        own = sorted(named | {_DEFAULT} & policies.keys())
        tokens = [policies.get(name, []) for name in own]
        if not holder.chooses:
            tokens = [[rule for rules in tokens for rule in rules]]
        allowed = rights(asked, lambda _: (ROOT,)) if ROOT in own else _rights_on(tokens, asked)
        granting = [name for name in own if name == ROOT or _rights_on([policies[name]], asked)]
        if allowed and granting:
            found.append(Reader(holder.who, allowed, _by(granting)))
    return found


def _named(names: Iterable[str], policies: Iterable[str]) -> set[str]:
    """Return the policies that have one of these names, or match one that has a `*`."""
    words = (".*".join(map(re.escape, name.split("*"))) for name in names)
    expression = re.compile("|".join(words))
    return {one for one in policies if expression.fullmatch(one)}


def _by(policies: list[str]) -> str:
    return f"{'policy' if len(policies) == 1 else 'policies'} {', '.join(policies)}"


def _rights_on(tokens: Sequence[Sequence[Rule]], asked: Asked) -> tuple[str, ...]:
    """Return the rights of any of the tokens with these rules."""
    return rights(
        asked, lambda path: {one for rules in tokens for one in capabilities(rules, path)}
    )


def _policies(client: VaultClient) -> tuple[dict[str, list[Rule]], list[str]]:
    """Return the rules of each policy, and what of them cannot be read."""
    names = list_names(client, "sys/policies/acl")
    if names is None:
        return {}, [
            "who else can read it: the token may not list sys/policies/acl, so no policy was read"
        ]
    found, unread = {}, []
    for name in names:
        if name == ROOT:
            continue
        text = (read_entry(client, f"sys/policies/acl/{name}") or {}).get("policy")
        if not isinstance(text, str):
            unread.append(f"policy {name}: the token may not read it")
            continue
        try:
            found[name] = parse_policy(text)
        except (ValueError, RecursionError):
            unread.append(f"policy {name}: envkit cannot read its text")
    return found, unread


def _unevaluated(policies: Mapping[str, list[Rule]], asked: Iterable[str]) -> Iterable[str]:
    """Yield the rules that may allow something else than is shown."""
    for name, rules in policies.items():
        for rule in rules:
            templated = TEMPLATE.search(rule.path)
            match = may_match if templated else matches
            if not any(match(rule.path, path) for path in asked):
                continue
            if templated:
                yield f"policy {name} on {rule.path}: it depends on who asks"
            if rule.conditions:
                conditions = ", ".join(rule.conditions)
                yield f"policy {name} on {rule.path}: envkit does not evaluate {conditions}"

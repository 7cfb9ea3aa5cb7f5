"""Who has a policy: identities, groups, and the roles and users of login methods.

Each list that the token may not read is named, so that an empty answer never looks complete.

Reference: https://openbao.org/api-docs/secret/identity/entity/
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from envkit.sources.vault.client import VaultClient

MOST_ENTRIES = 500  # of one list; more would take minutes
_TOKEN_ROLES = ("roles", "role", ("allowed_policies", "allowed_policies_glob"))
# login method -> the lists of its entries: the path, what an entry is, the keys of its policies
_LISTS: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "approle": (("role", "role", ("token_policies",)),),
    "aws": (("role", "role", ("token_policies", "policies")),),
    "cert": (("certs", "certificate", ("token_policies", "policies")),),
    "jwt": (("role", "role", ("token_policies",)),),
    "kubernetes": (("role", "role", ("token_policies",)),),
    "ldap": (
        ("groups", "group", ("policies",)),
        ("users", "user", ("policies",)),
    ),
    "ns_token": (_TOKEN_ROLES,),
    "oidc": (("role", "role", ("token_policies",)),),
    "token": (_TOKEN_ROLES,),
    "userpass": (("users", "user", ("token_policies", "policies")),),
}


class Holder(NamedTuple):
    """Someone who gets policies with a login.

    Attributes:
        who: for people: `userpass user alice`.
        policies: their names in lower case, as the server compares them. A role for tokens may
            also have patterns with `*`.
        chooses: whether a token has any of them, and not all, as with a role for tokens.
    """

    who: str
    policies: frozenset[str]
    chooses: bool = False


class Holders(NamedTuple):
    """Everyone who was found, and the lists that could not be read."""

    found: list[Holder]
    not_visible: list[str]


def find_holders(client: VaultClient) -> Holders:
    """Return who gets policies, as far as the token may read it.

    Raises:
        SourceError: a request failed.
    """
    everyone = Holders([], [])
    mounts = read_entry(client, "sys/auth")
    if mounts is None:
        everyone.not_visible.append("the login methods: the token may not read sys/auth")
    for mount, about in sorted((mounts or {}).items()):
        kind = about.get("type") if isinstance(about, dict) else None
        if kind is None:
            continue
        if kind not in _LISTS:
            everyone.not_visible.append(f"who logs in at auth/{mount}: envkit does not know {kind}")
        for path, what, keys in _LISTS.get(kind, ()):
            _add_entries(client, everyone, f"auth/{mount}{path}", f"{mount[:-1]} {what}", keys)
    _add_identities(client, everyone)
    return everyone


def _add_entries(
    client: VaultClient, everyone: Holders, path: str, what: str, keys: tuple[str, ...]
) -> None:
    for name, entry in _entries(client, everyone, path):
        policies = {one for key in keys for one in _policies(entry, key)}
        chooses = keys == _TOKEN_ROLES[-1]
        everyone.found.append(Holder(f"{what} {name}", frozenset(policies), chooses))


def _add_identities(client: VaultClient, everyone: Holders) -> None:
    """Add entities with the policies of their groups, and groups with members elsewhere."""
    entities = dict(_entries(client, everyone, "identity/entity/id"))
    policies = {name: set(_policies(entry)) for name, entry in entities.items()}
    groups = dict(_entries(client, everyone, "identity/group/id"))
    for entry in groups.values():
        granted = set(_policies(entry))
        for parent in _parents(entry, groups):
            granted |= set(_policies(groups[parent]))
        for member in _texts(entry.get("member_entity_ids")):
            policies.setdefault(member, set()).update(granted)
        if entry.get("type") == "external":
            name = entry.get("name")
            everyone.found.append(Holder(f"members of the group {name}", frozenset(granted)))
    for entity, granted in policies.items():
        about = entities.get(entity, {})
        aliases = [one for one in about.get("aliases") or () if isinstance(one, dict)]
        names = ", ".join(str(one.get("name")) for one in aliases)
        who = f"entity {about.get('name') or entity}" + (f" ({names})" if names else "")
        everyone.found.append(Holder(who, frozenset(granted)))


def _parents(group: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the groups that a group belongs to, directly or through other groups."""
    found: set[str] = set()
    waiting = _texts(group.get("parent_group_ids"))
    while waiting:
        one = waiting.pop()
        if one in groups and one not in found:
            found.add(one)
            waiting += _texts(groups[one].get("parent_group_ids"))
    return found


def _entries(
    client: VaultClient, everyone: Holders, path: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the entries of a list with their names."""
    names = list_names(client, path)
    if names is None:
        everyone.not_visible.append(f"{path}: the token may not list it")
        return
    if len(names) > MOST_ENTRIES:
        everyone.not_visible.append(f"{path}: only the first {MOST_ENTRIES} of {len(names)}")
    hidden = 0
    for name in names[:MOST_ENTRIES]:
        entry = read_entry(client, f"{path}/{name}")
        if entry is None:
            hidden += 1
        else:
            yield name, entry
    if hidden:
        everyone.not_visible.append(f"{path}: the token may not read {hidden} of {len(names)}")


def list_names(client: VaultClient, path: str) -> list[str] | None:
    """Return the names of a list; None if the token may not list it.

    Raises:
        SourceError: the request failed.
    """
    answer = client.call(lambda hvac_client: hvac_client.adapter.list(f"/v1/{quote(path)}"))
    if answer.status == 404:
        return []
    data = answer.body.get("data")
    return _texts(data.get("keys")) if answer.ok and isinstance(data, dict) else None


def read_entry(client: VaultClient, path: str) -> Mapping[str, Any] | None:
    """Return the data at a path; None if the token may not read it, or it does not exist.

    Raises:
        SourceError: the request failed.
    """
    answer = client.call(lambda hvac_client: hvac_client.adapter.get(f"/v1/{quote(path)}"))
    data = answer.body.get("data")
    return data if answer.ok and isinstance(data, dict) else None


def _policies(entry: Mapping[str, Any], key: str = "policies") -> list[str]:
    """Return the names of policies of an entry, as the server compares them."""
    return [one.lower() for one in _texts(entry.get(key))]


def _texts(value: Any) -> list[str]:
    """Return the texts of a list, or of a text with commas, as older servers have it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

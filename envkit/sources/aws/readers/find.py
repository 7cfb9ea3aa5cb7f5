"""Find out who can read secrets of AWS Secrets Manager, without reading them.

The policy of the secret and the policies of all users and roles are read if the credentials may.
What they may not read is named.
"""

from __future__ import annotations

from envkit.errors import DeniedError
from envkit.sources.aws.errors import NOT_FOUND, RefusedError
from envkit.sources.aws.names import Key, where
from envkit.sources.aws.readers.identities import find_identities
from envkit.sources.aws.readers.statements import (
    ACTIONS,
    Statement,
    denied,
    granted,
    statements,
)
from envkit.sources.readers import Reader, Readers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envkit.sources.aws.client import SecretsManager
    from envkit.sources.aws.readers.identities import Identities

YOU = "you"
_ALWAYS = (
    "service control policies, permissions boundaries, session policies and KMS key policies, "
    "which can only take rights away"
)
_RESOURCE_POLICY = "resource policy"
_CONDITIONS = ", under conditions"


def find_readers(manager: SecretsManager, keys: Iterable[Key], source: str) -> list[Readers]:
    """Return who can read each secret.

    Args:
        manager: the client.
        keys: the secrets.
        source: the source, for messages.

    Raises:
        SourceError: a request failed for another reason than permissions.
    """
    own, region = manager.identity()
    identities = find_identities(manager)
    return [
        _readers(manager, secret_id, where(source, Key(secret_id)), own, region, identities)
        for secret_id in dict.fromkeys(key.secret_id for key in keys)
    ]


def _readers(
    manager: SecretsManager,
    secret_id: str,
    place: str,
    own: str,
    region: str,
    identities: Identities,
) -> Readers:
    not_visible = [_ALWAYS, *identities.not_visible]
    arn = _arn(manager, secret_id, place, own, region)
    resource, reason = _resource_policy(manager, secret_id, place)
    if reason:
        not_visible.append(reason)
    found = []
    for one in identities.found:
        grant = granted(one.statements, arn)
        if grant is None:
            continue
        rights = tuple(right for right in grant.rights if not denied(resource, one.arn, right))
        if rights:
            by = f"{'policy' if len(grant.policies) == 1 else 'policies'} "
            by += ", ".join(grant.policies) + (_CONDITIONS if grant.is_conditional else "")
            mine = _role_of(own) in (one.arn, _short(one.arn))
            found.append(Reader(f"{one.who} ({YOU})" if mine else one.who, rights, by))
    if not any(reader.who.endswith(f"({YOU})") for reader in found):
        not_visible.append(f"what the credentials in use may do ({own})")
    found += _principals(resource)
    not_visible += (
        "a Deny of the resource policy with conditions or exceptions, which is not applied here"
        for one in resource
        if one.denies and (one.is_conditional or "NotPrincipal" in one.content)
    )
    return Readers(place, tuple(found), tuple(dict.fromkeys(not_visible)))


def _principals(resource: list[Statement]) -> Iterator[Reader]:
    """Yield the principals of the policy of the secret."""
    by_principal: dict[str, list[Statement]] = {}
    for one in resource:
        for principal in one.principals():
            by_principal.setdefault(principal, []).append(one)
    for principal, some in by_principal.items():
        rights, allowing = [], []
        for right, actions in ACTIONS.items():
            allows = [
                one
                for one in some
                if not one.denies and any(one.covers(action, "") for action in actions)
            ]
            if allows and not denied(resource, principal, right):
                rights.append(right)
                allowing += allows
        if rights:
            conditional = all(one.is_conditional for one in allowing)
            by = _RESOURCE_POLICY + (_CONDITIONS if conditional else "")
            who = "everyone" if principal == "*" else principal
            yield Reader(who, tuple(rights), by)


def _arn(manager: SecretsManager, secret_id: str, place: str, own: str, region: str) -> str:
    """Return the ARN of a secret; without permission to ask, one with an unknown suffix."""
    try:
        described = manager.call("describe_secret", f"cannot describe {place}", SecretId=secret_id)
        return str(described["ARN"])
    except (DeniedError, RefusedError, KeyError):
        if secret_id.startswith("arn:"):
            return secret_id
        _, partition, _, _, account, *_ = own.split(":")
        return f"arn:{partition}:secretsmanager:{region}:{account}:secret:{secret_id}-xxxxxx"


def _resource_policy(
    manager: SecretsManager, secret_id: str, place: str
) -> tuple[list[Statement], str]:
    """Return the statements of the policy of a secret, and why they cannot be read."""
    doing = f"cannot read the policy of {place}"
    try:
        text = manager.call("get_resource_policy", doing, SecretId=secret_id).get("ResourcePolicy")
    except DeniedError:
        return [], (
            "the resource policy: the credentials may not use secretsmanager:GetResourcePolicy"
        )
    except RefusedError as error:
        if error.aws_code == NOT_FOUND:
            return [], "there is no such secret yet"
        return [], f"the resource policy: AWS refused the request ({error.aws_code})"
    try:
        return (statements(text, _RESOURCE_POLICY), "") if text else ([], "")
    except (ValueError, RecursionError):
        return [], "the resource policy: envkit cannot read its text"


def _role_of(arn: str) -> str:
    """Return the ARN of the role of a session, without its path."""
    head, _, rest = arn.partition(":assumed-role/")
    if not rest:
        return arn
    account = head.rpartition(":")[2]
    partition = head.split(":")[1]
    return f"arn:{partition}:iam::{account}:role/{rest.partition('/')[0]}"


def _short(arn: str) -> str:
    """Return the ARN of a role without its path."""
    head, _, path = arn.partition(":role/")
    return f"{head}:role/{path.rpartition('/')[2]}" if path else arn

"""What policies of IAM and of a secret allow. Pure.

A `Deny` wins over every `Allow`. Conditions depend on the request and are not evaluated: what
they grant is marked, as is what a `Deny` with a condition may take away.

Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple
from urllib.parse import unquote

from envkit.sources.readers import DELETE, READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

# each right, and the actions that any of them gives
ACTIONS = {
    READ: ("secretsmanager:GetSecretValue",),
    WRITE: ("secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret"),
    DELETE: ("secretsmanager:DeleteSecret",),
}
ANYONE = "*"
_VARIABLE = re.compile(r"\$\{[^}]*\}")


class Statement(NamedTuple):
    """One statement of a policy.

    Attributes:
        content: as it is written.
        policy: the name of its policy, for people.
    """

    content: Mapping[str, Any]
    policy: str

    @property
    def denies(self) -> bool:
        """Whether it is a `Deny`."""
        return self.content.get("Effect") == "Deny"

    @property
    def is_conditional(self) -> bool:
        """Whether it applies only to some requests."""
        texts = [text for key in ("Resource", "NotResource") for text in self.texts(key)]
        return bool(self.content.get("Condition")) or any(map(_VARIABLE.search, texts))

    def texts(self, key: str) -> list[str]:
        """Return an element as a list of texts."""
        value = self.content.get(key, [])
        found = [value] if isinstance(value, str) else value
        return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []

    def covers(self, action: str, resource: str) -> bool:
        """Return whether it is about an action on a resource.

        Args:
            action: such as `secretsmanager:GetSecretValue`.
            resource: the ARN of the secret; empty for the policy of the secret itself.
        """
        if not self._matches("Action", action, ignore_case=True):
            return False
        if not resource or not {"Resource", "NotResource"} & self.content.keys():
            return True
        return self._matches("Resource", resource)

    def _matches(self, key: str, text: str, *, ignore_case: bool = False) -> bool:
        opposite = f"Not{key}"
        if opposite in self.content:
            return not any(_like(one, text, ignore_case) for one in self.texts(opposite))
        return any(_like(one, text, ignore_case) for one in self.texts(key))

    def principals(self) -> list[str]:
        """Return the principals of a statement in the policy of a secret."""
        return principals(self.content.get("Principal"))


class Grant(NamedTuple):
    """The rights of one principal on a secret.

    Attributes:
        rights: `read`, `write` and `delete`, in this order.
        policies: the names of the policies that grant them.
        is_conditional: whether all of it depends on conditions.
    """

    rights: tuple[str, ...]
    policies: tuple[str, ...]
    is_conditional: bool


def statements(document: Any, policy: str) -> list[Statement]:
    """Return the statements of a policy document, which may be encoded for a URL.

    Raises:
        ValueError: it is not a policy.
    """
    if isinstance(document, str):
        document = json.loads(document if document.lstrip().startswith("{") else unquote(document))
    found = document.get("Statement", []) if isinstance(document, dict) else None
    listed = [found] if isinstance(found, dict) else found
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError("it is not a policy")
    return [Statement(one, policy) for one in listed]


def granted(known: Sequence[Statement], resource: str) -> Grant | None:
    """Return what the statements of one principal grant on a secret; None for nothing.

    Args:
        known: the statements of all policies that apply to the principal.
        resource: the ARN of the secret.
    """
    rights: list[str] = []
    allowing: list[Statement] = []
    denying: list[Statement] = []
    for right, actions in ACTIONS.items():
        for action in actions:
            covering = [one for one in known if one.covers(action, resource)]
            denies = [one for one in covering if one.denies]
            allows = [one for one in covering if not one.denies]
            if allows and all(one.is_conditional for one in denies):
                rights.append(right)
                allowing += allows
                denying += denies
    if not rights:
        return None
    policies = tuple(dict.fromkeys(one.policy for one in allowing))
    is_conditional = bool(denying) or all(one.is_conditional for one in allowing)
    return Grant(tuple(dict.fromkeys(rights)), policies, is_conditional)


def principals(element: Any) -> list[str]:
    """Return the principals that an element names: ARNs, services, or `*`."""
    if isinstance(element, str):
        return [element]
    found: list[str] = []
    for value in element.values() if isinstance(element, dict) else ():
        found += [value] if isinstance(value, str) else list(_strings(value))
    return found


def denied(known: Iterable[Statement], arn: str, right: str) -> bool:
    """Return whether the policy of a secret denies a right to a principal, whatever IAM allows."""
    denying = [
        one
        for one in known
        if one.denies
        and not one.is_conditional
        and "NotPrincipal" not in one.content
        and {ANYONE, arn} & {*one.principals()}
    ]
    return all(any(one.covers(action, "") for one in denying) for action in ACTIONS[right])


def _strings(value: Any) -> Iterator[str]:
    return (one for one in value if isinstance(one, str)) if isinstance(value, list) else iter(())


def _like(pattern: str, text: str, ignore_case: bool) -> bool:  # noqa: FBT001 - private
    plain = _VARIABLE.sub("*", pattern)
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in plain)
    return re.fullmatch(expression, text, re.IGNORECASE if ignore_case else 0) is not None

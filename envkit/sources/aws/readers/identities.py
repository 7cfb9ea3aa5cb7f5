"""The users and roles of an account, with the policies that apply to each.

Reference: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import DeniedError
from envkit.sources.aws.errors import RefusedError
from envkit.sources.aws.readers.statements import principals, statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from envkit.sources.aws.client import SecretsManager
    from envkit.sources.aws.readers.statements import Statement

_ACTION = "iam:GetAccountAuthorizationDetails"


class Identity(NamedTuple):
    """A user or role.

    Attributes:
        who: for people: `user alice`, or `role app, assumed by ec2.amazonaws.com`.
        arn: its ARN.
        statements: of all policies that are attached to it and to its groups.
    """

    who: str
    arn: str
    statements: list[Statement]


class Identities(NamedTuple):
    """The identities that were found, and what could not be read."""

    found: list[Identity]
    not_visible: list[str]


def find_identities(manager: SecretsManager) -> Identities:
    """Return the users and roles of the account, as far as the credentials may read them.

    Raises:
        SourceError: a request failed for another reason than permissions.
    """
    try:
        details = _details(manager)
    except (DeniedError, RefusedError):
        return Identities([], [f"users and roles: the credentials may not use {_ACTION}"])
    documents = _Documents(details["Policies"])
    groups = {
        group.get("GroupName"): list(documents.of(group, "GroupPolicyList"))
        for group in details["GroupDetailList"]
    }
    found = []
    for user in details["UserDetailList"]:
        own = list(documents.of(user, "UserPolicyList"))
        own += [one for name in user.get("GroupList", ()) for one in groups.get(name, ())]
        found.append(Identity(f"user {user['UserName']}", user["Arn"], own))
    for role in details["RoleDetailList"]:
        own = list(documents.of(role, "RolePolicyList"))
        found.append(Identity(_role(role), role["Arn"], own))
    return Identities(found, documents.unread)


def _details(manager: SecretsManager) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {
        key: [] for key in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    }
    marker: dict[str, Any] = {}
    while True:
        page = manager.ask(
            "iam", "get_account_authorization_details", "cannot read IAM policies", **marker
        )
        for key in found:
            found[key] += page.get(key, ())
        if not page.get("IsTruncated"):
            return found
        marker = {"Marker": page["Marker"]}


class _Documents:
    """The managed policies by ARN.

    Attributes:
        unread: what is wrong with documents, for people.
    """

    def __init__(self, policies: list[dict[str, Any]]) -> None:
        self.unread: list[str] = []
        self._managed = {
            policy["Arn"]: version.get("Document")
            for policy in policies
            for version in policy.get("PolicyVersionList", ())
            if version.get("IsDefaultVersion")
        }

    def of(self, entry: Mapping[str, Any], inline: str) -> Iterator[Statement]:
        """Yield the statements of a user, group or role."""
        for policy in entry.get(inline, ()):
            yield from self._read(policy["PolicyName"], policy.get("PolicyDocument"))
        for attached in entry.get("AttachedManagedPolicies", ()):
            name, arn = attached["PolicyName"], attached["PolicyArn"]
            if arn in self._managed:
                yield from self._read(name, self._managed[arn])
            else:
                self._note(f"policy {name}: it was not in the answer of IAM")

    def _read(self, name: str, document: Any) -> list[Statement]:
        try:
            return statements(document, name)
        except (ValueError, RecursionError):
            self._note(f"policy {name}: envkit cannot read its text")
            return []

    def _note(self, text: str) -> None:
        if text not in self.unread:
            self.unread.append(text)


def _role(role: Mapping[str, Any]) -> str:
    try:
        trusting = statements(role.get("AssumeRolePolicyDocument"), "")
    except (ValueError, RecursionError):
        trusting = []
    names = dict.fromkeys(
        name
        for one in trusting
        if not one.denies
        for name in principals(one.content.get("Principal"))
    )
    return f"role {role['RoleName']}" + (f", assumed by {', '.join(names)}" if names else "")

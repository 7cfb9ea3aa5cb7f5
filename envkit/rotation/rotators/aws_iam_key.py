"""Rotate the access key of an IAM user.

    target = { user = "deploy" }          # the secret has `access_key_id` beside the value

AWS creates the key, so that it works before envkit can save it: a crash in between leaves a key
that no record names. `prepare` therefore saves which keys exist, and `create` deletes every other
key before it creates a new one.

A user has at most two keys. A retired key is inactive but exists until the next rotation, so that
it can be reactivated if something still needs it. A second key that is active is in use, and the
rotator never touches it.

The key that readers have is never deactivated and never deleted, whatever the facts say. Without
usable facts, nothing is deleted at all.

AWS takes some seconds to spread a change: `test` asks STS until it knows the new key, and
`is_dead` asks it until it refuses the old one.

Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html
"""

from __future__ import annotations

import os
import re
import time
from typing import ClassVar

from envkit.errors import AuthError, ProfileError, RotationError, TargetUnavailableError
from envkit.rotation.protocols import Created, Reader, Usage
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from envkit.rotation.protocols import RotatorContext
    from envkit.rotation_state.store import Fields

ACTIVE, INACTIVE = "Active", "Inactive"
MAX_KEYS = 2
# consecutive successes from STS: some of its many servers learn of a key later than others
PROOFS = 3
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.1, 2.0
_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
SPAN_SECONDS = 900.0  # IAM records only the first use of a key in fifteen minutes
_KNOWN = "known"  # a fact: the IDs of the keys that existed before `create`


class AwsIamKeyRotator:
    """Rotates an access key of an IAM user; see the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "user": str,
        "id_field": str,
        "region": str,
        "profile": str,
        "role_arn": str,
        "external_id": str,
        "verify_current": bool,
    }
    required = frozenset({"user"})
    overlap = True
    look_seconds = 60.0  # IAM reports minutes

    def __init__(self, context: RotatorContext) -> None:
        if context.generate:
            raise ProfileError("AWS creates the access key", hint="remove 'generate'")
        self._context = context
        self._secret_field, self._id_field = self.fields(context.fields[0], context.target)
        self._user = str(context.target["user"])
        self._aws: Any = None

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:
        """Return the field of the secret key, and that of its ID.

        Raises:
            ProfileError: no setting names the field of the ID.
        """
        if isinstance(named := target.get("id_field"), str) and named and named != field:
            return field, named
        for secret, identifier in (
            ("secret_access_key", "access_key_id"),
            ("SECRET_ACCESS_KEY", "ACCESS_KEY_ID"),
        ):
            if field.endswith(secret):
                return field, field.removesuffix(secret) + identifier
        raise ProfileError(
            "'target.id_field' is missing: the field with the id of the access key",
            hint='write: target = { id_field = "access_key_id", ... }',
        )

    def describe_target(self) -> str:
        """Return the IAM user, and the profile, role and region of the admin."""
        settings = (
            (key, self._context.target.get(key)) for key in ("profile", "role_arn", "region")
        )
        how = [f"{key} {text}" for key, text in settings if text]
        return ", ".join([f"IAM user {self._user}", *how])

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Check that the secret's key is an active one of this user; save which keys exist."""
        keys = self._keys()
        mine = self._id(current)
        if keys.get(mine) != ACTIVE:
            raise RotationError(
                f"the secret has no active access key of the IAM user '{self._user}'",
                hint=f"see 'aws iam list-access-keys --user-name {self._user}'",
            )
        for key, status in keys.items():
            if key != mine and status == ACTIVE:
                raise RotationError(
                    f"the IAM user '{self._user}' has a second active access key, {key}: AWS "
                    "allows two, and the rotation needs to create one",
                    hint="when it is no longer in use, run: aws iam update-access-key "
                    f"--user-name {self._user} --access-key-id {key} --status Inactive",
                )
        if self._context.target.get("verify_current", True):
            self._verify(current)
        return {_KNOWN: " ".join(sorted(keys))}

    def _verify(self, current: Fields) -> None:
        """Log in with the secret's key.

        Raises:
            RotationError: STS refuses the key, or it belongs to another user.
        """
        arn = self._arn(current)
        if arn is None:
            raise RotationError(
                "AWS refuses the secret's access key: the secret key does not belong to this id, "
                "or the key is only seconds old",
                hint="store the pair that works; or write verify_current = false in 'target' to "
                "create a new one",
            )
        mine, _ = self._service().identity()
        account, _, name = arn.partition(":user/")
        # the form of a user's ARN: arn:aws:iam::123456789012:user/path/deploy
        if (
            account.rpartition(":")[2] != mine.split(":")[4]
            or name.rpartition("/")[2] != self._user
        ):
            raise RotationError(
                f"the secret's access key logs in as {arn}, not as the IAM user "
                f"'{self._user}' of the account {mine.split(':')[4]}",
                hint="correct 'target.user', or the secret",
            )

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:
        """Create a key in AWS, after deleting keys that an earlier attempt created or retired."""
        mine, known = self._id(current), _known(facts)
        keys = self._keys()
        if mine not in known:
            raise RotationError(
                "the record does not say which access keys existed before: nothing is deleted",
                hint=f"run 'envkit rotate --abort {self._context.rotation}', and rotate again",
            )
        useless = [
            key
            for key, status in keys.items()
            if key != mine and (key not in known or status == INACTIVE)
        ]
        self._delete(useless)
        if len(keys) - len(useless) >= MAX_KEYS:
            raise RotationError(
                f"the IAM user '{self._user}' got a second active access key during the rotation",
                hint=f"see 'aws iam list-access-keys --user-name {self._user}'",
            )
        self._context.confirm()
        made = self._call("create_access_key", "cannot create an access key")["AccessKey"]
        new = {
            self._secret_field: Secret(made["SecretAccessKey"]),
            self._id_field: Secret(made["AccessKeyId"]),
        }
        self._context.settle(new, lambda: self._delete_one(made["AccessKeyId"]))
        return Created(new)

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: a key works as soon as it exists."""

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:
        """Ask STS until it knows the key, several times in a row.

        Raises:
            TargetUnavailableError: STS does not know the key before the deadline.
        """
        proofs, pause = 0, FIRST_PAUSE_SECONDS
        while proofs < PROOFS:
            if self.probe(new, facts):
                proofs += 1
                continue
            proofs = 0
            if pause >= self._context.deadline.remaining_seconds():
                raise TargetUnavailableError("AWS does not know the new access key yet")
            time.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE_SECONDS)

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether STS knows a key now."""
        return self._arn(fields) is not None

    def _arn(self, fields: Fields) -> str | None:
        """Return the ARN that STS reports for a key; None if it refuses the key."""
        key = (self._id(fields), self._secret(fields))
        if not all(key):
            return None
        try:
            found = self._service().ask(
                "sts", "get_caller_identity", "cannot test the key", key=key
            )
        except AuthError:
            return None
        return str(found["Arn"])

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: both keys work, and the readers have the new one."""

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:
        """Deactivate exactly this key; without fields, delete the keys that no record names."""
        kept = self._id(keep)
        keys = self._keys()
        if not fields:
            known = _known(facts)
            if kept in known:
                self._delete([key for key in keys if key not in known])
            return
        key = self._id(fields)
        if key == kept or keys.get(key) != ACTIVE:
            return
        self._context.confirm()
        self._call(
            "update_access_key",
            "cannot deactivate an access key",
            AccessKeyId=key,
            Status=INACTIVE,
        )

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether a key is inactive according to IAM, and STS refuses it.

        STS learns of the change some seconds later, and is asked until the deadline.
        """
        if not fields:
            return True  # the secret of a key that `create` lost is unknown: no login is possible
        if self._keys().get(self._id(fields)) == ACTIVE:
            return False
        pause = FIRST_PAUSE_SECONDS
        while self._arn(fields) is not None:
            if pause >= self._context.deadline.remaining_seconds():
                return False
            time.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE_SECONDS)
        return True

    def in_use(self, fields: Fields, facts: Mapping[str, str]) -> Usage:  # noqa: ARG002
        """Return for which service a key was last used, if it may have been used since the change.

        Reference: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html
        """
        from envkit.sources.aws.errors import RefusedError

        doing = f"cannot see when an access key of the IAM user '{self._user}' was last used"
        try:
            found = self._service().ask(
                "iam", "get_access_key_last_used", doing, AccessKeyId=self._id(fields)
            )
        except RefusedError as error:
            if error.aws_code == "NoSuchEntity":  # it was deleted
                return Usage()
            raise
        return used(self._user, found["AccessKeyLastUsed"], self._context.changed_at, time.time())

    def _keys(self) -> dict[str, str]:
        """Return the status of each of the user's keys."""
        answer = self._call("list_access_keys", "cannot list the access keys")
        return {key["AccessKeyId"]: key["Status"] for key in answer["AccessKeyMetadata"]}

    def _delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._context.confirm()
            self._delete_one(key)

    def _delete_one(self, key: str) -> None:
        from envkit.sources.aws.errors import RefusedError

        try:
            self._call("delete_access_key", "cannot delete an access key", AccessKeyId=key)
        except RefusedError as error:
            if error.aws_code != "NoSuchEntity":  # another process was faster
                raise

    def _call(self, operation: str, doing: str, **parameters: str) -> dict[str, Any]:
        from envkit.sources.aws.errors import RefusedError

        doing = f"{doing} of the IAM user '{self._user}'"
        try:
            found: dict[str, Any] = self._service().ask(
                "iam", operation, doing, UserName=self._user, **parameters
            )
        except RefusedError as error:
            raise self._meaning(error, doing, parameters) from None
        return found

    def _meaning(self, error: Any, doing: str, parameters: Mapping[str, str]) -> Exception:
        if error.aws_code == "LimitExceeded":
            # a key was created but the response was lost, or a deleted key still counts
            return TargetUnavailableError(f"{doing}: it already has two (LimitExceeded)")
        if error.aws_code == "NoSuchEntity" and not parameters:
            return RotationError(
                f"there is no IAM user '{self._user}'", hint="correct 'target.user'"
            )
        return error  # type: ignore[no-any-return]

    def _service(self) -> Any:
        if self._aws is None:
            from envkit.sources.aws.client import SecretsManager

            self._aws = SecretsManager(
                "AWS",
                self._context.target,
                os.environ,
                connections=1,
                deadline=self._context.deadline,
                table="'target' of the rotation:",
            )
        return self._aws

    def _id(self, fields: Fields) -> str:
        return self._one(fields, self._id_field)

    def _secret(self, fields: Fields) -> str:
        return self._one(fields, self._secret_field)

    @staticmethod
    def _one(fields: Fields, field: str) -> str:
        if field not in fields:
            raise RotationError(f"the secret has no field '{field}'")
        return fields[field].reveal()


def used(user: str, last: Mapping[str, Any], changed_at: float, now: float) -> Usage:
    """Return the meaning of an answer of IAM about the last use of a key. Pure.

    IAM records only the first use in fifteen minutes, so the key may have been used until fifteen
    minutes after it. A use shortly before the change counts as well, even envkit's own.

    Args:
        user: of the key.
        last: `AccessKeyLastUsed`; without a date if the key was never used.
        changed_at: when readers got the new key.
        now: seconds since the epoch.

    Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
    """
    if "LastUsedDate" not in last:
        return Usage()
    used_at = last["LastUsedDate"].timestamp()
    if used_at + SPAN_SECONDS <= changed_at:
        return Usage()
    service = f"{last['ServiceName']} in {last['Region']}"
    if used_at <= changed_at:
        service += ", before the change"
    seen_at = min(used_at + SPAN_SECONDS, now)
    return Usage((Reader(user, "", service, sessions=0, seen_at=seen_at),))


def _known(facts: Mapping[str, str]) -> frozenset[str]:
    """Return the IDs of the keys that existed before `create`; none if the fact is damaged."""
    found = facts.get(_KNOWN, "").split()
    if not all(_KEY_ID.fullmatch(key) for key in found):
        return frozenset()
    return frozenset(found)

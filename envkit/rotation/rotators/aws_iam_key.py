"""Rotate the access key of an IAM user.

    target = { user = "deploy" }          # the secret has `access_key_id` beside the value

AWS makes the key, so that it cannot be written down before it works: a crash between the
two leaves a key that no record names. `prepare` therefore notes which keys there are, and
`create` deletes every one that it did not know before it makes another.

A user has at most two keys. The one that was retired is inactive, so that it can be brought
back if something still needs it, until the next rotation deletes it. A second key that is
active is in use, and the rotator never touches it.

The key that readers have is never made inactive and never deleted, whatever the facts say:
without usable facts nothing is deleted at all.

AWS takes some seconds to spread a change: `test` asks STS until it knows the new key, and
`is_dead` until it refuses the old one.

Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html
"""

from __future__ import annotations

import os
import re
from time import sleep
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
# answers of STS in a row: of its many servers, some learn of a key later than others
PROOFS = 3
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.1, 2.0
_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
_KNOWN = "known"  # a fact: the ids of the keys that there were before one was made


class AwsIamKeyRotator:
    """See the module's docstring."""

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
        """Return the field of the secret key, and that of its id.

        Raises:
            ProfileError: nothing says where the id is.
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
            hint='write target = { id_field = "access_key_id", ... }',
        )

    def describe_target(self) -> str:
        """Return the IAM user, and as whom and where IAM is asked about it."""
        settings = (
            (key, self._context.target.get(key)) for key in ("profile", "role_arn", "region")
        )
        how = [f"{key} {text}" for key, text in settings if text]
        return ", ".join([f"IAM user {self._user}", *how])

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Prove that the secret's key is an active one of this user, and note which there are."""
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
            RotationError: STS refuses it, or takes it for another user's.
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
        # arn:aws:iam::123456789012:user/path/deploy
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
        """Have AWS make a key; what an earlier attempt made, or retired, is deleted."""
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
        """Do nothing: a key works from when it is made."""

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:
        """Ask STS until it knows the key, several times in a row.

        Raises:
            TargetUnavailableError: it does not before the deadline.
        """
        proofs, pause = 0, FIRST_PAUSE_SECONDS
        while proofs < PROOFS:
            if self.probe(new, facts):
                proofs += 1
                continue
            proofs = 0
            if pause >= self._context.deadline.remaining_seconds():
                raise TargetUnavailableError("AWS does not know the new access key yet")
            sleep(pause)
            pause = min(2 * pause, LAST_PAUSE_SECONDS)

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether STS knows a key now."""
        return self._arn(fields) is not None

    def _arn(self, fields: Fields) -> str | None:
        """Return whom STS takes the owner of a key for; None where it refuses the key."""
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
        """Return whether IAM says that a key is not active, and STS refuses it.

        STS learns of it some seconds later, and is asked until the deadline.
        """
        if not fields:
            return True  # no one has the secret of what `create` lost, so no one can log in
        if self._keys().get(self._id(fields)) == ACTIVE:
            return False
        pause = FIRST_PAUSE_SECONDS
        while self._arn(fields) is not None:
            if pause >= self._context.deadline.remaining_seconds():
                return False
            sleep(pause)
            pause = min(2 * pause, LAST_PAUSE_SECONDS)
        return True

    def in_use(self, fields: Fields, facts: Mapping[str, str]) -> Usage:  # noqa: ARG002
        """Return for which service a key was last used, if that was after the change.

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
        last = found["AccessKeyLastUsed"]
        used_at = last["LastUsedDate"].timestamp() if "LastUsedDate" in last else 0.0
        if used_at <= self._context.changed_at:
            return Usage()  # not since the change: by envkit, or by programs that follow it
        service = f"{last['ServiceName']} in {last['Region']}"
        return Usage((Reader(self._user, "", service, sessions=0, seen_at=used_at),))

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
            # one was made and its answer lost, or one that was deleted still counts
            return TargetUnavailableError(f"{doing}: it has two (LimitExceeded)")
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


def _known(facts: Mapping[str, str]) -> frozenset[str]:
    """Return the keys that there were before one was made; none where the fact is damaged."""
    found = facts.get(_KNOWN, "").split()
    if not all(_KEY_ID.fullmatch(key) for key in found):
        return frozenset()
    return frozenset(found)

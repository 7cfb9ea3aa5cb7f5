"""AWS Secrets Manager: strings, fields of JSON objects, and binary secrets.

    {{ aws:redis#url }}                     prefix + name
    {{ aws:/shared/redis#url }}             the prefix ignored
    {{ aws:arn:aws:secretsmanager:eu-west-1:111122223333:secret:redis-Ab12Cd#url }}
    {{ aws:redis?stage=AWSPREVIOUS#url }}   or ?version=ID

Without a field, a binary secret or a string that is not a JSON object is returned byte for
byte; an object with one field returns that field. `#*` is the whole string as stored.

Guarantees: botocore is imported at the first read, not earlier; a secret is read
once for all its fields; 20 secrets take one request; requests are sent
in parallel; if AWS does not return a complete batch, each missing secret is
read, and reported, on its own.

Credentials, region and endpoint are those of other AWS tools, which botocore reads from
`os.environ` and `~/.aws`; `[sources.NAME]` takes precedence. `endpoint_url` applies only to
Secrets Manager: a role is assumed at the usual STS or at `AWS_ENDPOINT_URL_STS`.
"""

from __future__ import annotations

from envkit._internal.parallel import call_in_time, map_parallel
from envkit.errors import (
    AuthError,
    DeniedError,
    InvalidReferenceError,
    ProfileError,
    ProtocolError,
    SourceError,
    UnavailableError,
)
from envkit.sources.aws.client import SecretsManager
from envkit.sources.aws.errors import DELETED, MORE_TIME, NOT_FOUND, WHERE, RefusedError
from envkit.sources.aws.names import ARN_SUFFIX_LENGTH, check_key, into_calls, key_of, where
from envkit.sources.aws.secret_version import (
    SecretVersion,
    pick,
    secret_version,
)
from envkit.sources.model import WHOLE, Absent, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any, ClassVar, TypeAlias, TypeVar

    from envkit._internal.parallel import Result
    from envkit._internal.person import Person
    from envkit.profile.placeholder import Reference
    from envkit.secret import Secret
    from envkit.sources.aws.change import Change
    from envkit.sources.aws.names import Key
    from envkit.sources.model import LoggedIn, LoginWarning, Outcome, SourceContext, Version
    from envkit.sources.readers import Readers

    R = TypeVar("R")
    _Failure: TypeAlias = SourceError | InvalidReferenceError
    _Answer: TypeAlias = SecretVersion | Absent | _Failure

CONCURRENCY = 10
_SCHEDULED = "the secret is scheduled for deletion"


class AwsSecretsManagerSource:
    """The adapter for AWS Secrets Manager; see the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "region": str,
        "profile": str,
        "role_arn": str,
        "role_session_name": str,
        "external_id": str,
        "mfa_serial": str,
        "mfa_token": str,
        "endpoint_url": str,
        "prefix": str,
        "concurrency": int,
        "allow_http": bool,
    }
    remote: ClassVar[bool] = True

    def __init__(self, context: SourceContext) -> None:
        settings: Mapping[str, Any] = context.settings
        self.name = context.name
        self._prefix: str = settings.get("prefix", "")
        self._workers: int = settings.get("concurrency", CONCURRENCY)
        if self._workers < 1:
            raise ProfileError(f"'concurrency' in [sources.{context.name}] must be 1 or more")
        self._deadline = context.deadline
        self._manager = SecretsManager(
            self.name,
            settings,
            context.environ,
            connections=self._workers,
            deadline=self._deadline,
            reads_once=context.already_read is not None,
        )

    def check(self, ref: Reference) -> None:
        """Raise `InvalidReferenceError` if Secrets Manager cannot have such a secret."""
        check_key(ref, self.key(ref))

    def locate(self, ref: Reference) -> str:
        """Return the source's name and the full name of the secret, with version and field."""
        return where(self.name, self.key(ref), ref.field)

    def key(self, ref: Reference) -> Key:
        """Return the key of the secret of a reference."""
        return key_of(ref, self._prefix)

    def share_connection(self) -> None:
        """Use the connections and credentials that this process shares.

        For callers that open many sources of one account, such as rotations; see `shared`.
        """
        self._manager.share()

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Read all `refs`, and each secret only once; see `Source.fetch`."""
        wanted, refused = self._wanted(refs)
        outcomes: dict[Reference, Outcome] = {**refused}
        answers = self._doubted(self._read_all(list(wanted))) if wanted else {}
        for key, group in wanted.items():
            for ref in group:
                outcomes[ref] = self._outcome(ref, answers[key])
        return outcomes

    def versions(self, refs: Collection[Reference]) -> Mapping[Reference, str | Absent | _Failure]:
        """Return the VersionId of each secret; see `VersionCheck`.

        AWS has no cheaper question than a read that answers for 20 secrets at once. A
        reference with `?version=` can never change, and is not asked for.
        """
        wanted, found = self._wanted(refs)
        pinned = {key for key in wanted if key.version is not None}
        asked = [key for key in wanted if key not in pinned]
        answers = self._read_all(asked) if asked else {}
        versions: dict[Reference, str | Absent | _Failure] = {**found}
        for key, group in wanted.items():
            one = key.version or answers[key]
            if isinstance(one, SecretVersion):
                one = one.version
            versions.update(dict.fromkeys(group, one))
        return versions

    def write(self, ref: Reference, value: Secret | None, *, expected: str | None) -> str:
        """Set or remove one value by compare-and-set; see `WritableSource.write`.

        Without a field, this sets the whole secret or the only field of a JSON object.
        """
        return self.write_group({ref: value}, expected=expected)

    def group(self, ref: Reference) -> str:
        """Return the name or ARN of the secret; see `GroupWrite`."""
        return self.key(ref).secret_id

    def write_group(
        self, values: Mapping[Reference, Secret | None], *, expected: str | None
    ) -> str:
        """Set or remove fields of one secret in a single new version."""
        for ref in values:
            self.check(ref)
            if ref.version is not None or ref.stage is not None:
                raise InvalidReferenceError(
                    f"{ref} is pinned, but an old version cannot be changed",
                    hint="remove '?' and what follows it",
                )
            if ref.field == WHOLE:
                raise InvalidReferenceError(
                    f"{ref} is a whole secret, but envkit writes one value at a time",
                    hint="name a field, or remove '#*' if the secret is not a JSON object",
                )
        change = self._change(next(iter(values)))
        return self._in_time(lambda: change.write(values, expected))

    def history(self, ref: Reference) -> Sequence[Version]:
        """Return the versions of a secret; see `VersionedSource.history`."""
        from envkit.sources.aws.history import versions

        self.check(ref)
        return self.with_secret(ref, versions)

    def restore(self, ref: Reference, version: str, *, expected: str | None) -> str:
        """Make an earlier version current, or write a new one with the earlier value of the field.

        The label is moved only if the two versions differ in nothing else.
        """
        self.check(ref._replace(version=version))
        change = self._change(ref)
        return self._in_time(lambda: change.restore(ref, version, expected))

    def login_state(self) -> Mapping[str, object]:
        """Return the temporary credentials of a role or an MFA login; see `LoginState`.

        Any other credentials, botocore finds anew in each process.
        """
        return self._manager.login.state()

    def resume_login(self, state: Mapping[str, object]) -> None:
        """Use the temporary credentials of another process; see `LoginState`."""
        self._manager.login.resume(state)

    def renew_login(self) -> LoginWarning | None:
        """Warn if the session will end and needs a new MFA code; see `LoginState`."""
        return self._manager.login.renew()

    def probe(self) -> Sequence[str]:
        """Return the identity of the AWS credentials; see `Probe`."""
        arn, region = self._in_time(self._manager.identity)
        left = self._manager.minutes_left()
        lasting = "" if left is None else f", for {left} minutes"
        return [f"region {region}", f"logged in as {arn}{lasting}"]

    def log_in(self, person: Person | None) -> LoggedIn:  # noqa: ARG002 - the guard has it
        """Log in with MFA, and store the session until it ends; see `Login`."""
        from envkit.sources.aws.login import log_in

        return log_in(self.name, self._manager)

    def log_out(self) -> str:
        """Remove the stored session; see `Login`."""
        from envkit.sources.aws.login import log_out

        return log_out(self._manager)

    def with_secret(self, ref: Reference, call: Callable[[SecretsManager, str, str], R]) -> R:
        """Call a function with the client, the secret's id and its location; return the result.

        For operations on more than one value; limited by the source's deadline.
        """
        key = self.key(ref)._replace(version=None, stage=None)
        place = where(self.name, key)
        return self._in_time(lambda: call(self._manager, key.secret_id, place))

    # ---------------------------------------------------------------- reading

    def _wanted(
        self, refs: Collection[Reference]
    ) -> tuple[dict[Key, list[Reference]], dict[Reference, _Failure]]:
        """Return the references by the secret that they name, and those that are not valid."""
        wanted: dict[Key, list[Reference]] = {}
        refused: dict[Reference, _Failure] = {}
        for ref in refs:
            try:
                self.check(ref)
            except InvalidReferenceError as error:
                refused[ref] = error
            else:
                wanted.setdefault(self.key(ref), []).append(ref)
        return wanted, refused

    def _read_all(self, keys: list[Key]) -> dict[Key, _Answer]:
        region = self._in_time(lambda: self._manager.region)
        answers: dict[Key, _Answer] = {}
        for key in keys:
            if key.region not in (None, region):  # AWS would say that the secret does not exist
                answers[key] = InvalidReferenceError(
                    f"{where(self.name, key)} is not in {region}, the region of {self.name}",
                    hint=f"add a source of region {key.region} to the profile",
                )
        answers |= self._ask(into_calls([key for key in keys if key not in answers]))
        answers |= self._ask([[key] for key in keys if key not in answers])
        return answers

    def _doubted(self, answers: Mapping[Key, _Answer]) -> Mapping[Key, _Answer]:
        """Add to absent secrets that the region has none at all, where that is so."""
        lacking = {
            key: answer
            for key, answer in answers.items()
            if isinstance(answer, Absent) and answer.reason != _SCHEDULED
        }
        if len(lacking) < len(answers) or not self._in_time(self._holds_nothing):
            return answers
        doubt = f"{self._manager.region} has no secrets in this account"
        return {key: one._replace(doubt=doubt) for key, one in lacking.items()}

    def _holds_nothing(self) -> bool:
        """Return whether the region is known to have no secrets, so that another may be meant."""
        try:
            listed = self._manager.call(
                "list_secrets",
                f"cannot list the secrets of {self.name}",
                MaxResults=1,
                IncludePlannedDeletion=True,
            )
        except (DeniedError, RefusedError):
            return False
        return listed.get("SecretList") == [] and not listed.get("NextToken")

    def _ask(self, calls: list[list[Key]]) -> dict[Key, _Answer]:
        answers: dict[Key, _Answer] = {}
        results = map_parallel(self._read, calls, workers=self._workers, deadline=self._deadline)
        for call, result in zip(calls, results, strict=True):
            try:
                found = self._value(result)
            except (SourceError, InvalidReferenceError) as error:
                found = dict.fromkeys(call, error)
            answers |= found
        return answers

    def _read(self, call: list[Key]) -> dict[Key, _Answer]:
        return {call[0]: self._read_one(call[0])} if len(call) == 1 else self._read_batch(call)

    def _read_batch(self, keys: list[Key]) -> dict[Key, _Answer]:
        """Return the answers of one batch; keys without an answer must be read one by one."""
        wanted = {key.secret_id: key for key in keys}
        answers: dict[Key, _Answer] = {}
        token: dict[str, str] = {}
        while True:
            try:
                page = self._manager.call(
                    "batch_get_secret_value",
                    f"cannot read from {self.name}",
                    SecretIdList=list(wanted),
                    **token,
                )
            except (AuthError, UnavailableError):
                raise
            except SourceError:
                return answers  # denied, unsupported, or rejected for one of the names
            for entry in page.get("SecretValues", ()):
                arn = entry.get("ARN", "")
                for secret_id in (entry.get("Name"), arn, arn[:-ARN_SUFFIX_LENGTH]):
                    if secret_id in wanted:
                        key = wanted[secret_id]
                        answers[key] = self._secret_version(key, entry)
            for failure in page.get("Errors", ()):
                absent = wanted.get(failure.get("SecretId"))
                # AWS does not document whether a batch finds a partial ARN
                if absent and not absent.is_arn and failure.get("ErrorCode") == NOT_FOUND:
                    answers[absent] = Absent("no such secret")
            if not page.get("NextToken"):  # a page is at most 1 MB
                return answers
            token = {"NextToken": page["NextToken"]}

    def _read_one(self, key: Key) -> SecretVersion | Absent:
        pin = {}
        if key.version is not None:
            pin["VersionId"] = key.version
        if key.stage is not None:
            pin["VersionStage"] = key.stage
        doing = f"cannot read {where(self.name, key)}"
        try:
            answer = self._manager.call("get_secret_value", doing, SecretId=key.secret_id, **pin)
        except RefusedError as error:
            if error.aws_code == NOT_FOUND:
                return Absent("no such secret or version" if pin else "no such secret")
            if error.aws_code == DELETED:
                return Absent(_SCHEDULED)
            raise
        return self._secret_version(key, answer)

    def _secret_version(self, key: Key, answer: Mapping[str, Any]) -> SecretVersion:
        version, text, binary = map(answer.get, ("VersionId", "SecretString", "SecretBinary"))
        has_value = isinstance(binary, bytes) if text is None else isinstance(text, str)
        if not isinstance(version, str) or not has_value:
            raise ProtocolError(
                f"cannot read {where(self.name, key)}: the answer is not from Secrets Manager",
                hint=WHERE,
            )
        return secret_version(version, text, binary)

    def _outcome(self, ref: Reference, answer: _Answer) -> Outcome:
        if not isinstance(answer, SecretVersion):
            return answer
        try:
            value = pick(ref, answer, where(self.name, self.key(ref)))
        except InvalidReferenceError as error:
            return error
        if isinstance(value, Absent):
            return value._replace(version=answer.version)
        return Reading(value, answer.version, self.locate(ref))

    def readers(self, refs: Collection[Reference]) -> Sequence[Readers]:
        """Return who can read the secrets, as far as AWS tells; see `ReaderList`."""
        from envkit.sources.aws.readers.find import find_readers

        keys = [self.key(ref) for ref in refs]
        return self._in_time(lambda: find_readers(self._manager, keys, self.name)) if keys else []

    # ---------------------------------------------------------------- both

    def _change(self, ref: Reference) -> Change:
        from envkit.sources.aws.change import Change

        return Change(self._manager, self._read_one, self.name, self.key(ref))

    def _in_time(self, call: Callable[[], R]) -> R:
        """Return the result of `call` or raise its error; abandon it at the deadline."""
        return self._value(call_in_time(call, self._deadline))

    def _value(self, result: Result[R]) -> R:
        if result.late:
            seconds = f"{self._deadline.timeout_seconds:g}"
            raise UnavailableError(f"{self.name} did not answer within {seconds} s", hint=MORE_TIME)
        return result.value

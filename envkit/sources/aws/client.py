"""A connection to AWS: opened on the first call, silent, with envkit's own retries.

This module uses botocore directly. boto3 is built on it, and boto3's resource layer adds
start-up time without any benefit here. botocore itself reads `AWS_*` from
`os.environ`, `~/.aws/config` and the metadata services (one attempt of one second
unless the user's configuration says otherwise).

Guarantees: no call begins after the deadline; no value, token or signature reaches a log
record; nothing prompts.
"""

from __future__ import annotations

import threading

from envkit import __version__
from envkit._internal.parallel import import_lock
from envkit.errors import (
    AuthError,
    DeniedError,
    InvalidSettingError,
    SourceError,
    UnavailableError,
)
from envkit.sources.aws.errors import MORE_TIME, refuse_damaged, source_error
from envkit.sources.aws.loader import lean_loader
from envkit.sources.aws.names import malformed, no_region, no_server, odd_credential
from envkit.sources.retry import Pace, retry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from logging import LogRecord
    from typing import Any, TypeVar

    from botocore.client import BaseClient
    from botocore.session import Session

    from envkit._internal.clock import Deadline
    from envkit.sources.aws.mfa_login import MfaLogin
    from envkit.sources.aws.sts_session import StsSession, TemporaryLogin

    T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 5
SHARED_TIMEOUT_SECONDS = 60.0
_READS = ("get_secret_value", "describe_secret")
AGAIN = "run the command again on a terminal, or with a new code in ENVKIT_MFA_CODE"


class SecretsManager:
    """A client for the Secrets Manager of one account and region.

    Args:
        name: the source's name, for messages.
        settings: the settings of `[sources.NAME]`.
        environ: where AWS_REGION is looked up; botocore reads other variables from `os.environ`.
        connections: how many calls may run concurrently.
        deadline: nothing waits longer.
        table: where the settings are written, for hints; default: `[sources.NAME]`.
        reads_once: whether to cache responses to reads, so that no read is sent twice.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        environ: Mapping[str, str],
        *,
        connections: int,
        deadline: Deadline,
        table: str | None = None,
        reads_once: bool = False,
    ) -> None:
        self._name = name
        self._table = table or f"[sources.{name}]"
        self._settings = settings
        self._environ = environ
        self._connections = connections
        self._deadline = deadline
        self._lock = threading.Lock()
        self._pace = Pace(connections)
        self._client: BaseClient | None = None
        self._others: dict[tuple[str, str], BaseClient] = {}
        self._profile: str | None = settings.get("profile")
        self._sharing = False
        self._login: TemporaryLogin | None = None
        self._mfa: MfaLogin | None = None
        self._already_read: dict[object, dict[str, Any]] | None = {} if reads_once else None

    def share(self) -> None:
        """Use the client that this process shares; see `shared`."""
        self._sharing = True

    @property
    def login(self) -> TemporaryLogin:
        """The temporary credentials of a role or an MFA login, if the settings ask for one."""
        if self._login is None:
            from envkit.sources.aws.sts_session import TemporaryLogin

            self._login = TemporaryLogin(self._name, self._settings, self._environ)
            if self._sharing:
                self._login.share()
        return self._login

    @property
    def mfa(self) -> MfaLogin:
        """The MFA codes of the source, and its stored sessions."""
        if self._mfa is None:
            from envkit.sources.aws.mfa_login import MfaLogin

            self._mfa = MfaLogin(self._name, self._settings, self._environ, self._deadline)
        return self._mfa

    def minutes_left(self) -> int | None:
        """Return how long the session lasts; None if there is none."""
        left = self.login.minutes_left()
        return self._mfa.minutes_left() if left is None and self._mfa else left

    @property
    def region(self) -> str:
        """The region in use; connects if not yet connected.

        Raises:
            AuthError: no region or no credentials are configured.
            SourceError: the role cannot be assumed, or the settings are not valid.
        """
        return self._connected().meta.region_name

    def call(self, operation: str, doing: str, **parameters: object) -> dict[str, Any]:
        """Return the response from AWS, with as many attempts as the deadline allows.

        Args:
            operation: botocore's name of the operation: `get_secret_value`.
            doing: the start of an error message: `cannot read aws:myapp/db`.
            parameters: the parameters of the operation.

        Raises:
            RefusedError: AWS rejects this request.
            SourceError: any other failure.
        """
        if self._already_read is None or operation not in _READS:
            return self._call(self._connected(), operation, doing, parameters)
        asked = (operation, *sorted(parameters.items()))
        answer = self._already_read.get(asked)
        if answer is None:
            answer = self._call(self._connected(), operation, doing, parameters)
            self._already_read[asked] = answer
        return answer

    def identity(self) -> tuple[str, str]:
        """Return the ARN of the AWS credentials and the region; calls STS and reads no secret.

        Raises:
            SourceError: as for `call`.
        """
        answer = self.ask("sts", "get_caller_identity", f"cannot use {self._name}")
        return answer["Arn"], self._others["sts", ""].meta.region_name

    def ask(
        self,
        service: str,
        operation: str,
        doing: str,
        *,
        key: tuple[str, str] | None = None,
        **parameters: object,
    ) -> dict[str, Any]:
        """Return a response from another service; the connection is reused.

        Args:
            service: botocore's name of the service: `iam`.
            operation: as for `call`; likewise `doing` and the rest.
            doing: the start of an error message.
            key: the id and secret of an access key, to call with these credentials.
            parameters: the parameters of the operation.

        Raises:
            RefusedError: AWS rejects this request.
            SourceError: any other failure.
        """
        name = (service, key[0] if key else "")
        if name not in self._others:
            self._others[name] = self._log_in(service, key=key)
        return self._call(self._others[name], operation, doing, parameters, own=key is None)

    def _call(
        self,
        client: BaseClient,
        operation: str,
        doing: str,
        parameters: Mapping[str, object],
        *,
        own: bool = True,
    ) -> dict[str, Any]:
        service = client.meta.service_model.service_name
        action = f"{service}:{operation.title().replace('_', '')}"

        def attempt() -> dict[str, Any]:
            if self._deadline.expired:
                raise UnavailableError(f"{doing}: timed out", hint=MORE_TIME)
            answer: dict[str, Any] = self._guarded(
                lambda: getattr(client, operation)(**parameters), doing, action, own=own
            )
            return answer

        def busy() -> SourceError:
            return UnavailableError(f"{doing}: AWS asks envkit to slow down", hint=MORE_TIME)

        return retry(attempt, self._deadline, pace=self._pace, busy=busy)

    def _guarded(self, call: Callable[[], T], doing: str, action: str, *, own: bool = True) -> T:
        """Return the result of `call`; only `SourceError` escapes, and nothing is logged.

        Args:
            call: sends a request, or prepares one.
            doing: the start of an error message.
            action: the IAM action; empty for none.
            own: whether it uses the login of the source, which is forgotten if AWS refuses it.
        """
        try:
            with _HUSH:
                return call()
        except SourceError:
            raise
        except Exception as error:  # noqa: BLE001 - any of them may contain a value
            mapped = source_error(error, doing, action=action, profile=self._profile)
            if own and isinstance(mapped, AuthError):
                self.login.remember(None)
                if (self._mfa or self._settings.get("mfa_serial")) and self.mfa.forget():
                    mapped.hint = AGAIN
            if own and self._sharing and isinstance(mapped, (AuthError, DeniedError)):
                from envkit.sources.aws.shared import forget

                forget(self._settings, self._environ)
            raise mapped from None

    def _connected(self) -> BaseClient:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> BaseClient:
        if self._sharing:
            from envkit.sources.aws.shared import shared_client

            return shared_client(self._settings, self._environ, self._log_in_here)
        return self._log_in_here()

    def _log_in_here(self) -> BaseClient:
        return self._log_in("secretsmanager", endpoint_url=self._settings.get("endpoint_url"))

    def _log_in(
        self, service: str, *, key: tuple[str, str] | None = None, **options: Any
    ) -> BaseClient:
        doing = f"cannot use {self._name}"
        session = self._guarded(lambda: self._session(doing), doing, "")
        if key is None:
            self._guarded(lambda: self._refuse_odd_credentials(session, doing), doing, "")
            credentials = self._temporary_credentials(session, doing)
        else:
            credentials = {"aws_access_key_id": key[0], "aws_secret_access_key": key[1]}
        return self._guarded(
            lambda: self._create(session, service, doing, **options, **credentials), doing, ""
        )

    def _session(self, doing: str) -> Session:
        for key, problem in malformed(self._settings):
            raise self._wrong(doing, f"{key} of {self._table} {problem}", f"{self._table} {key}")
        with import_lock:
            from botocore.session import Session

        session = Session(profile=self._profile)
        # botocore only knows AWS_DEFAULT_REGION; other AWS tools prefer AWS_REGION
        if region := self._settings.get("region") or self._environ.get("AWS_REGION"):
            session.set_config_variable("region", region)
        self._profile = session.get_config_variable("profile")
        region = session.get_config_variable("region")
        if not region:
            raise AuthError(
                f"{doing}: no AWS region is set",
                hint=f"set AWS_REGION or {self._table} region",
            )
        if problem := no_region(region):
            where = "AWS_REGION" if self._environ.get("AWS_REGION") else "AWS_DEFAULT_REGION"
            raise self._wrong(doing, f"the AWS region {problem}", where)
        loader = lean_loader(session.get_config_variable("data_path"))
        session.register_component("data_loader", loader)
        # for a profile with mfa_serial, botocore would prompt for the code, and only once
        provider = session.get_component("credential_provider").get_provider("assume-role")
        create = provider._client_creator  # noqa: SLF001 - it has no other name; so below
        provider._client_creator = lambda *of, **options: self.mfa.role_login(  # noqa: SLF001
            create(*of, **options), self._guarded
        )
        provider._prompter = lambda text: self.mfa.code(text, doing)  # noqa: SLF001
        if self._profile and session.get_scoped_config().get("mfa_serial"):
            provider.cache = self.mfa.cache()
        return session

    def _wrong(self, doing: str, what: str, where: str) -> InvalidSettingError:
        return InvalidSettingError(f"{doing}: {what}", hint=f"correct {where}")

    def _refuse_odd_credentials(self, session: Session, doing: str) -> None:
        """Report a key with characters that no header can contain; AWS would call it unknown."""
        from botocore.credentials import RefreshableCredentials

        found = session.get_credentials()
        if found is None or isinstance(found, RefreshableCredentials):
            return
        if problem := odd_credential(found.access_key, found.secret_key, found.token):
            name, odd = problem
            place = name if found.method == "env" else f"{name.lower()} ({found.method})"
            raise AuthError(f"{doing}: {place} contains {odd}", hint=f"remove {odd} from {place}")

    def _temporary_credentials(self, session: Session, doing: str) -> dict[str, str]:
        """Return the credentials of the role or MFA login; empty if neither is configured."""
        role, serial = self._settings.get("role_arn"), self._settings.get("mfa_serial")
        if role is None and serial is None:
            return {}
        if (known := self.login.usable()) is not None:
            return known.credentials()
        if serial is None or self._settings.get("mfa_token"):
            return self._new_session(session, doing).credentials()
        with self.mfa.one_login:  # of several sources, one asks, and the others use its session
            if (known := self.mfa.stored()) is None:
                known = self._new_session(session, doing)
                self.mfa.store(known)
        self.login.remember(known)
        return known.credentials()

    def _new_session(self, session: Session, doing: str) -> StsSession:
        from envkit.sources.aws.sts_session import login_request, session_of

        role, serial = self._settings.get("role_arn"), self._settings.get("mfa_serial")
        doing = doing if role is None else f"cannot assume {role}"
        operation, parameters = login_request(self._settings)
        client = self._guarded(lambda: self._create(session, "sts", doing), doing, "")

        def send(**code: str) -> dict[str, Any]:
            return self._call(client, operation, doing, {**parameters, **code})

        answer = send() if serial is None else self.mfa.with_code(send, serial, doing)
        found = self._guarded(lambda: session_of(answer, once=serial is not None), doing, "")
        self.login.remember(found)
        return found

    def _create(self, session: Session, service: str, doing: str, **options: Any) -> BaseClient:
        from botocore.config import Config

        remaining = max(0.001, self._deadline.remaining_seconds())
        if self._sharing:  # calls may have any deadline: the source enforces it
            remaining = SHARED_TIMEOUT_SECONDS
        config = Config(
            connect_timeout=min(remaining, CONNECT_TIMEOUT_SECONDS),
            read_timeout=remaining,
            max_pool_connections=self._connections,
            retries={"total_max_attempts": 1, "mode": "standard"},
            user_agent_extra=f"envkit/{__version__}",
        )
        try:
            client = session.create_client(service, config=config, **options)
        except ValueError:
            raise self._wrong(
                doing,
                "the region or the endpoint is not valid",
                f"AWS_REGION, AWS_ENDPOINT_URL or {self._table}",
            ) from None
        if problem := no_server(client.meta.endpoint_url):
            raise self._wrong(
                doing, f"the endpoint {problem}", f"AWS_ENDPOINT_URL or {self._table} endpoint_url"
            )
        client.meta.events.register("before-parse", refuse_damaged)
        return client


class _Hush(threading.local):
    """While entered, drop what botocore logs in this thread: bodies, signatures, tokens."""

    LOGGERS = ("auth", "credentials", "endpoint", "httpsession", "parsers", "utils")
    depth = 0

    def __enter__(self) -> None:
        import logging

        for name in self.LOGGERS:
            logging.getLogger(f"botocore.{name}").addFilter(self)  # adding it again has no effect
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1

    def filter(self, record: LogRecord) -> bool:  # noqa: ARG002 - logging's own signature
        return self.depth == 0


_HUSH = _Hush()

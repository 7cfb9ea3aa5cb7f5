"""Secrets in HashiCorp Vault or OpenBao: the key-value engine, versions 1 and 2.

    {{ vault:db#password }}              below the mount and prefix of [sources.vault]
    {{ vault:/secret/myapp/db#password }}  mount and path, independent of the settings
    {{ vault:db?version=3#password }}    a pinned version
    {{ vault:#NAME }}, a bare {{ NAME }}  the field NAME of the secret at the prefix

Guarantees: one login per source, one lookup per mount, and one read per secret for all its
fields, in a bounded pool. If a secret cannot be read, only that secret fails; if the server
cannot be used, all secrets fail.

Dynamic secrets (databases, clouds) are not read, because reading one creates it.
"""

from __future__ import annotations

from functools import partial

from envkit._internal.parallel import call_in_time, map_parallel
from envkit.errors import (
    DeniedError,
    InvalidReferenceError,
    NoVersionError,
    ProfileError,
    SourceError,
)
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading, pick_field
from envkit.sources.vault import auth as vault_auth
from envkit.sources.vault import kv as vault_kv
from envkit.sources.vault.client import VaultClient, too_late
from envkit.sources.vault.kv import Engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import ClassVar, TypeVar

    from envkit._internal.parallel import Result
    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome, SourceContext, Version
    from envkit.sources.vault.kv import SecretVersion, Target
    from envkit.sources.vault.shared import SharedLogin

    T = TypeVar("T")
    R = TypeVar("R")

DEFAULT_CONCURRENCY = 16


class VaultSource:
    """The adapter for one server with one namespace and one login.

    Args:
        context: settings, environment and deadline; see `SourceContext`.

    Raises:
        ProfileError: a setting is not valid.
    """

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "address": str,
        "namespace": str,
        "mount": str,
        "prefix": str,
        "auth": dict,
        "ca_cert": str,
        "client_cert": str,
        "client_key": str,
        "concurrency": int,
        "allow_http": bool,
    }
    remote: ClassVar[bool] = True

    def __init__(self, context: SourceContext) -> None:
        settings = context.settings
        self.name = context.name
        self._context = context
        self._mount = str(settings.get("mount", "")).strip("/")
        self._prefix = str(settings.get("prefix", "")).strip("/")
        auth = settings.get("auth")
        self._auth = vault_auth.parse_auth(self.name, auth if isinstance(auth, dict) else {})
        concurrency = settings.get("concurrency", DEFAULT_CONCURRENCY)
        if not isinstance(concurrency, int) or concurrency < 1:
            raise ProfileError(f"'concurrency' in [sources.{self.name}] must be 1 or more")
        self._concurrency = concurrency
        self._client: VaultClient | None = None
        self._lease: vault_auth.Lease | None = None
        self._engines: list[Engine] = []
        self._sharing = False
        self._login: SharedLogin | None = None

    def share_connection(self) -> None:
        """Use the connections, token and known mounts that this process shares.

        For callers that open many sources of one server, such as rotations; see `shared`.
        """
        self._sharing = True

    def check(self, ref: Reference) -> None:
        """Raise `InvalidReferenceError` if no KV engine can have such a secret."""
        path = self._absolute(ref)
        if ref.stage is not None:
            raise InvalidReferenceError(f"{ref}: Vault has no stages", hint="use '?version=N'")
        version = ref.version
        if version is not None and not (version.isascii() and version.isdigit()):
            raise InvalidReferenceError(f"{ref}: a version is a number", hint="use '?version=3'")
        if version is not None and not 0 < int(version) < 2**31:
            raise InvalidReferenceError(f"{ref}: versions count from 1", hint="use '?version=1'")
        if not ref.path and not self._prefix:
            raise InvalidReferenceError(
                f"{ref} names no secret, and [sources.{self.name}] has no prefix",
                hint=f"set [sources.{self.name}] prefix, or write {self.name}:PATH#FIELD",
            )
        vault_kv.check_path(path, self.name, self.locate(ref))

    def locate(self, ref: Reference) -> str:
        """Return the absolute location: `vault:secret/myapp/db#password`."""
        text = f"{self.name}:{self._absolute(ref)}"
        if ref.version is not None:
            text += f"?version={ref.version}"
        return text if ref.field is None else f"{text}#{ref.field}"

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Read all `refs`, and each secret only once."""
        outcomes: dict[Reference, Outcome] = {}
        paths: dict[Reference, str] = {}
        for ref in refs:
            try:
                self.check(ref)
                paths[ref] = self._absolute(ref)
            except InvalidReferenceError as error:
                outcomes[ref] = error
        if not paths:
            return outcomes
        before = self._client
        client, engines = self._in_time(lambda: self._ready(set(paths.values())))
        wanted: dict[Target, list[Reference]] = {}
        for ref, path in paths.items():
            try:
                target = vault_kv.target(engines[path], path, ref.version, self.name)
                wanted.setdefault(target, []).append(ref)
            except InvalidReferenceError as error:
                outcomes[ref] = error
        answers = self._parallel(partial(vault_kv.read, client), wanted)
        denied = [
            t for t, a in zip(wanted, answers, strict=True) if isinstance(a.error, DeniedError)
        ]
        if denied and client is before and self._lease is None:  # it was valid in an earlier fetch
            from envkit.sources.vault.probe import refuse_expired

            self._client = None  # the next fetch logs in again in any case
            self._in_time(partial(refuse_expired, client, denied[0]))
        for (target, same), answer in zip(wanted.items(), answers, strict=True):
            for ref in same:
                outcomes[ref] = self._outcome(ref, target, answer)
        return outcomes

    def write(self, ref: Reference, value: Secret | None, *, expected: str | None) -> str:
        """Set or remove one field of a KV version 2 secret by compare-and-set."""
        return self.write_group({ref: value}, expected=expected)

    def group(self, ref: Reference) -> str:
        """Return the path of the secret; see `GroupWrite`."""
        return self._absolute(ref)

    def write_group(
        self, values: Mapping[Reference, Secret | None], *, expected: str | None
    ) -> str:
        """Set or remove fields of one KV version 2 secret in a single new version."""
        from envkit.sources.vault.write import field_texts, write_fields

        for ref in values:
            self.check(ref)
        texts = field_texts(values, self.locate)
        return self.with_secret(
            next(iter(values)), lambda client, at: write_fields(client, at, texts, expected)
        )

    def check_read(self, refs: Collection[Reference]) -> Mapping[Reference, EnvkitError | None]:
        """Return what the engine or the token's policies forbid; see `ReadCheck`."""
        from envkit.sources.vault.rights import find_unreadable

        return self._ask_about(refs, find_unreadable) if refs else {}

    def check_write(self, refs: Collection[Reference]) -> Mapping[Reference, EnvkitError]:
        """Return what the engine or the token's policies forbid; see `WriteCheck`."""
        from envkit.sources.vault.write import find_refused

        for ref in refs:
            self.check(ref)
        return self._ask_about(refs, find_refused)

    def history(self, ref: Reference) -> Sequence[Version]:
        """Return the versions of a KV version 2 secret; see `VersionedSource.history`."""
        from envkit.sources.vault.history import versions

        self.check(ref)
        return self.with_secret(ref, versions)

    def restore(self, ref: Reference, version: str, *, expected: str | None) -> str:
        """Write a new version with the value that the field had in an earlier one."""
        earlier = ref._replace(version=version)
        outcome = self.fetch([earlier])[earlier]
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, Absent):
            raise NoVersionError(f"{self.locate(earlier)} has no value: {outcome.reason}")
        return self.write(ref, outcome.value, expected=expected)

    @property
    def warnings(self) -> Sequence[str]:
        """Settings in the environment that the Vault CLI supports and envkit does not."""
        from envkit.sources.vault.probe import unused

        return unused(self._context)

    def probe(self) -> Sequence[str]:
        """Return the server and the identity of the token; see `Probe`."""
        from envkit.sources.vault import probe as vault_probe

        def ask() -> Sequence[str]:
            server = vault_probe.server(VaultClient(self._context, pool_size=1))
            return [server, vault_probe.login(self._log_in()[0])]

        return self._in_time(ask)

    def with_secret(self, ref: Reference, call: Callable[[VaultClient, Target], R]) -> R:
        """Call a function with a logged-in client and the secret of a reference; return the result.

        For operations on more than one value; limited by the source's deadline.
        """
        path = self._absolute(ref)
        return self._ask_about(
            [ref],
            lambda client, _, engines, name: call(
                client, vault_kv.target(engines[path], path, None, name)
            ),
        )

    def _ask_about(
        self,
        refs: Collection[Reference],
        ask: Callable[[VaultClient, Mapping[Reference, str], Mapping[str, Engine], str], R],
    ) -> R:
        paths = {ref: self._absolute(ref) for ref in refs}

        def call() -> R:
            client, engines = self._ready(set(paths.values()))
            return ask(client, paths, engines, self.name)

        return self._in_time(call)

    def guess_engine(self, ref: Reference) -> tuple[Engine, str]:
        """Return the engine that has a secret, and the secret's absolute path. Sends no request.

        If the engine is not known yet, assume version 2 at the mount of the settings or, for other
        paths, at the first segment.
        """
        path = self._absolute(ref)
        return vault_kv.guess_engine(self._engines, path, mount=self._mount), path

    def _absolute(self, ref: Reference) -> str:
        if ref.path.startswith("/"):
            return ref.path[1:]
        return "/".join(part for part in (self._mount, self._prefix, ref.path) if part)

    def _ready(self, paths: set[str]) -> tuple[VaultClient, Mapping[str, Engine]]:
        """Return a logged-in client and the engine of each path."""
        if not self._sharing:
            return self._prepare(paths)
        login = self._login = self._login or self._find_login()
        with login.lock:
            if self._client is None:
                self._adopt(login)
            before = self._client, len(self._engines)
            ready = self._prepare(paths, login)
            if before != (self._client, len(self._engines)):
                login.remember(
                    ready[0].token, self._lease, self._engines, new=before[0] is not self._client
                )
        return ready

    def _find_login(self) -> SharedLogin:
        from envkit.sources.vault.address import find_address
        from envkit.sources.vault.shared import shared_login

        key = vault_auth.login_key(self._auth, self._context)
        return shared_login(key, find_address(self._context), self._concurrency)

    def _adopt(self, login: SharedLogin) -> None:
        """Start with the state that other sources of this process have shared."""
        if not login.usable:
            return
        client = self._new_client(login)
        client.set_token(login.token)
        lease = login.lease
        if lease is not None:
            lease = vault_auth.renew(client, lease, self._context.deadline)
        self._client, self._lease, self._engines = client, lease, list(login.engines)

    def _new_client(self, login: SharedLogin | None) -> VaultClient:
        if login is None:
            return VaultClient(self._context, pool_size=self._concurrency)
        return VaultClient(
            self._context,
            pool_size=self._concurrency,
            connections=login.connections,
            refused=login.forget,
        )

    def _prepare(
        self, paths: set[str], login: SharedLogin | None = None
    ) -> tuple[VaultClient, Mapping[str, Engine]]:
        client, lease = self._client, self._lease
        if client is None or (lease is not None and lease.expired):
            client, lease = self._log_in(login)
            self._engines = []  # finding a mount with this token will prove that it is valid
        engines = self._find_engines(client, paths)
        if lease is None and not any(engine.version for engine in self._engines):
            lease = vault_auth.look_up(client)
            if lease is None:
                raise vault_auth.rejected(client)  # it can neither look itself up nor see a mount
        self._client, self._lease = client, lease
        return client, engines

    def _log_in(
        self, login: SharedLogin | None = None
    ) -> tuple[VaultClient, vault_auth.Lease | None]:
        client = self._new_client(login)
        lease = vault_auth.log_in(client, self._auth, self._context)
        if lease is None and login is not None:
            # only for long work: a lookup uses up the token if its number of uses is limited
            lease = vault_auth.look_up(client)
        if lease is not None:
            lease = vault_auth.renew(client, lease, self._context.deadline)
        return client, lease

    def _find_engines(self, client: VaultClient, paths: set[str]) -> dict[str, Engine]:
        """Query one path for each first segment, until the engine of every path is known.

        If the server reveals no engine, nested mounts may differ, so each path is queried.
        """
        found: dict[str, Engine] = {}
        every = False
        while True:
            for engine in self._engines:
                found.update((path, engine) for path in paths if engine.serves(path))
            unknown = sorted(paths - found.keys())
            if not unknown:
                return found
            asked = unknown if every else list({p.partition("/")[0]: p for p in unknown}.values())
            find = partial(vault_kv.find_engine, client, mount=self._mount)
            for path, answer in zip(asked, self._parallel(find, asked), strict=True):
                engine = self._value(answer)
                if engine.version is not None or engine.mount == self._mount:
                    self._engines.append(engine)
                else:
                    found[path] = engine
                    every = True

    def _outcome(
        self, ref: Reference, target: Target, answer: Result[SecretVersion | Absent]
    ) -> Outcome:
        try:
            document = self._value(answer)
            if isinstance(document, Absent):
                mount = "" if ref.path.startswith("/") else self._mount
                return document._replace(doubt=vault_kv.doubt(target.engine, mount))
            text = pick_field(ref, document.fields)
        except (SourceError, InvalidReferenceError) as error:
            return error
        if isinstance(text, Absent):
            return text._replace(version=document.version)
        return Reading(Secret(text), document.version, target.locate(ref.field))

    def _parallel(self, function: Callable[[T], R], items: Collection[T]) -> list[Result[R]]:
        return map_parallel(
            function, items, workers=self._concurrency, deadline=self._context.deadline
        )

    def _in_time(self, call: Callable[[], R]) -> R:
        """Return the result of `call`; abandon it at the deadline."""
        return self._value(call_in_time(call, self._context.deadline))

    def _value(self, result: Result[R]) -> R:
        if result.late:
            raise too_late(f"'{self.name}'", self._context.deadline)
        return result.value

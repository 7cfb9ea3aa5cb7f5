"""Secrets in HashiCorp Vault or OpenBao: the key-value engine, versions 1 and 2.

    {{ vault:db#password }}              below the mount and prefix of [sources.vault]
    {{ vault:/secret/myapp/db#password }}  mount and path, independent of the settings
    {{ vault:db?version=3#password }}    a pinned version
    {{ vault:#NAME }}, a bare {{ NAME }}  the field NAME of the secret at the prefix

Guarantees: one login per source, one lookup per mount, and one read per secret for all its
fields, in a bounded pool. If a secret cannot be read, only that secret fails; if the server
cannot be used, all secrets fail.

Dynamic secrets (databases, clouds) are read only by commands that renew and revoke them, because
reading one creates it.
"""

from __future__ import annotations

from envkit.errors import (
    InvalidReferenceError,
    LeaseNeededError,
    NoVersionError,
    ProfileError,
    SourceError,
)
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading, pick_field
from envkit.sources.vault import kv as vault_kv
from envkit.sources.vault.auth import Auth, parse_auth
from envkit.sources.vault.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import ClassVar, TypeVar

    from envkit._internal.parallel import Result
    from envkit._internal.person import Person
    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference
    from envkit.sources.model import LoggedIn, LoginWarning, Outcome, SourceContext, Version
    from envkit.sources.protocols import Source
    from envkit.sources.readers import Readers
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Engine, SecretVersion, Target
    from envkit.sources.vault.leases.holder import Holder

    R = TypeVar("R")

DEFAULT_CONCURRENCY = 16


class VaultSource:
    """The adapter for one server with one namespace and one login; `context` as for any source.

    Raises:
        ProfileError: a setting is not valid.
    """

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "address": str,
        "namespace": str,
        "mount": str,
        "prefix": str,
        "auth": (dict, list),
        "ca_cert": str,
        "client_cert": str,
        "client_key": str,
        "concurrency": int,
        "allow_http": bool,
    }
    alternatives: ClassVar[frozenset[str]] = frozenset({"auth"})
    remote: ClassVar[bool] = True

    def __init__(self, context: SourceContext) -> None:
        settings = context.settings
        self.name = context.name
        self._context = context
        self._mount = str(settings.get("mount", "")).strip("/")
        self._prefix = str(settings.get("prefix", "")).strip("/")
        self._auths = _auths(self.name, settings.get("auth"))
        concurrency = settings.get("concurrency", DEFAULT_CONCURRENCY)
        if not isinstance(concurrency, int) or concurrency < 1:
            raise ProfileError(f"'concurrency' in [sources.{self.name}] must be 1 or more")
        self._session = Session(context, self._auths, concurrency=concurrency, mount=self._mount)
        self._leases: Holder | None = None

    def share_connection(self) -> None:
        """Use the connections, token and known mounts that this process shares.

        For callers that open many sources of one server, such as rotations; see `shared`.
        """
        self._session.share()

    def hold_leases(self, owner: int, beside: Source) -> None:
        """Read dynamic secrets too, for a process that renews and revokes them; see `Leasing`."""
        from envkit.sources.vault.leases.holder import Holder

        other = beside._leases if isinstance(beside, VaultSource) else None  # noqa: SLF001
        self._leases = other or Holder(self._session, owner, self.name)

    def release_leases(self) -> None:
        """Revoke what `hold_leases` has led to; see `Leasing`."""
        if self._leases is not None:
            self._leases.release()

    def check(self, ref: Reference) -> None:
        """Raise `InvalidReferenceError` if no KV engine can have such a secret."""
        path = self._absolute(ref)
        vault_kv.check_version(ref)
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
        paths, refused = self._paths(refs)
        outcomes: dict[Reference, Outcome] = {**refused}
        if not paths:
            return outcomes
        wanted, refused = self._targets(paths)
        outcomes.update(refused)
        if self._leases is not None and (leased := self._leased(self._leases, refused)):
            outcomes.update(self._leases.outcomes(leased))
        answers = self._session.ask(vault_kv.read, wanted)
        for (target, same), answer in zip(wanted.items(), answers, strict=True):
            for ref in same:
                outcomes[ref] = self._outcome(ref, target, answer)
        return outcomes

    def versions(
        self, refs: Collection[Reference]
    ) -> Mapping[Reference, str | Absent | EnvkitError]:
        """Return the current version of each secret, without reading it; see `VersionCheck`."""
        from envkit.sources.vault.versions import current_versions

        paths, refused = self._paths(refs)
        found: dict[Reference, str | Absent | EnvkitError] = {**refused}
        # a pinned version is never another one
        found.update({ref: ref.version for ref in list(paths) if ref.version is not None})
        paths = {ref: path for ref, path in paths.items() if ref.version is None}
        if not paths:
            return found
        wanted, refused = self._targets(paths)
        found.update(refused)
        for target, version in current_versions(self._session, wanted).items():
            found.update(dict.fromkeys(wanted[target], version))
        if self._leases is not None and (leased := self._leased(self._leases, refused)):
            versions = self._leases.versions(leased)
            found.update({ref: versions[at] for at, same in leased.items() for ref in same})
        return found

    def login_state(self) -> Mapping[str, object]:
        """Return the token, how long it lives, and the known mounts; see `LoginState`."""
        state = self._session.state()
        if self._leases is None or not self._leases.is_of(self._session):
            return state
        return self._leases.added_to(state)

    def resume_login(self, state: Mapping[str, object]) -> None:
        """Use the token of another process from now on; see `LoginState`."""
        self._session.resume(state)
        if self._leases is not None:
            self._leases.resume(state)

    def renew_login(self) -> LoginWarning | None:
        """Renew the token if that is due, or log in again; see `LoginState`."""
        warning = self._session.in_time(self._session.renew)
        if self._leases is not None and self._leases.is_of(self._session):
            self._leases.renew()
        return warning

    def log_in(self, person: Person | None) -> LoggedIn:
        """Log in with the method of a person, and store the token; see `Login`."""
        from envkit.sources.vault.logins.person import log_in

        return log_in(self._context, self._auths, person)

    def log_out(self) -> str:
        """Revoke and remove the stored token; see `Login`."""
        from envkit.sources.vault.logins.person import log_out

        return log_out(self._context)

    @property
    def login_method(self) -> str:
        """The method of `auth` in use; empty before the first request."""
        return self._session.used.method if self._session.used else ""

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

    def readers(self, refs: Collection[Reference]) -> Sequence[Readers]:
        """Return who can read the secrets, as far as the server tells; see `ReaderList`."""
        from envkit.sources.vault.readers.find import find_readers

        return self._ask_about(refs, find_readers) if refs else []

    @property
    def warnings(self) -> Sequence[str]:
        """Settings in the environment that envkit does not use, and leases that it cannot end."""
        from envkit.sources.vault.probe import not_revoked, unused

        warnings = unused(self._context)
        if self._session.engines and not self._session.obtained:
            warnings += not_revoked(self.name, self._session.engines)
        return warnings

    def probe(self) -> Sequence[str]:
        """Return the server and the identity of the token; see `Probe`."""
        from envkit.sources.vault import probe as vault_probe
        from envkit.sources.vault.client import VaultClient

        def ask() -> Sequence[str]:
            server = vault_probe.server(VaultClient(self._context, pool_size=1))
            who = vault_probe.login(self._session.log_in()[0], self._context, self._auths)
            return [server, f"{who} (method {self.login_method})"]

        return self._session.in_time(ask)

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
            client, engines = self._session.ready(set(paths.values()))
            return ask(client, paths, engines, self.name)

        return self._session.in_time(call)

    def guess_engine(self, ref: Reference) -> tuple[Engine, str]:
        """Return the engine that has a secret, and the secret's absolute path. Sends no request.

        If the engine is not known yet, assume version 2 at the mount of the settings or, for other
        paths, at the first segment.
        """
        path = self._absolute(ref)
        return vault_kv.guess_engine(self._session.engines, path, mount=self._mount), path

    def _paths(
        self, refs: Collection[Reference]
    ) -> tuple[dict[Reference, str], dict[Reference, InvalidReferenceError]]:
        """Return the absolute path of each reference, and those that are not valid."""
        paths: dict[Reference, str] = {}
        refused: dict[Reference, InvalidReferenceError] = {}
        for ref in refs:
            try:
                self.check(ref)
                paths[ref] = self._absolute(ref)
            except InvalidReferenceError as error:
                refused[ref] = error
        return paths, refused

    def _targets(
        self, paths: Mapping[Reference, str]
    ) -> tuple[dict[Target, list[Reference]], dict[Reference, InvalidReferenceError]]:
        """Log in, and return the references by secret, and those that their engine refuses."""
        engines = self._engines(set(paths.values()))
        wanted: dict[Target, list[Reference]] = {}
        refused: dict[Reference, InvalidReferenceError] = {}
        for ref, path in paths.items():
            try:
                if engines[path].is_dynamic:
                    from envkit.sources.vault.leases.lease import lease_needed

                    refused[ref] = lease_needed(ref, self.locate(ref))
                    continue
                target = vault_kv.target(engines[path], path, ref.version, self.name)
                wanted.setdefault(target, []).append(ref)
            except InvalidReferenceError as error:
                refused[ref] = error
        return wanted, refused

    def _engines(self, paths: set[str]) -> Mapping[str, Engine]:
        """Log in, and return the engine of each path."""

        def ready() -> Mapping[str, Engine]:
            return self._session.in_time(lambda: self._session.ready(paths))[1]

        if self._leases is None:
            return ready()
        with self._leases.lock:  # another source may use this login for its leases
            return ready()

    def _leased(
        self, leases: Holder, refs: Mapping[Reference, InvalidReferenceError]
    ) -> dict[Target, list[Reference]]:
        """Return the references to dynamic secrets, by secret."""
        from envkit.sources.vault.leases.lease import target_of

        found: dict[Target, list[Reference]] = {}
        for ref, error in refs.items():
            if isinstance(error, LeaseNeededError):
                target = target_of(*self.guess_engine(ref), leases.source)
                found.setdefault(target, []).append(ref)
        return found

    def _absolute(self, ref: Reference) -> str:
        if ref.path.startswith("/"):
            return ref.path[1:]
        return "/".join(part for part in (self._mount, self._prefix, ref.path) if part)

    def _outcome(
        self, ref: Reference, target: Target, answer: Result[SecretVersion | Absent]
    ) -> Outcome:
        try:
            document = self._session.value(answer)
            if isinstance(document, Absent):
                mount = "" if ref.path.startswith("/") else self._mount
                return document._replace(doubt=vault_kv.doubt(target.engine, mount))
            text = pick_field(ref, document.fields)
        except (SourceError, InvalidReferenceError) as error:
            return error
        if isinstance(text, Absent):
            return text._replace(version=document.version)
        return Reading(Secret(text), document.version, target.locate(ref.field))


def _auths(name: str, setting: object) -> tuple[Auth, ...]:
    """Check `auth` of `[sources.NAME]`: one table, or a list of names and tables."""
    if isinstance(setting, list):
        from envkit.sources.vault.logins.choice import parse_choices

        return parse_choices(name, setting)
    return (parse_auth(name, setting if isinstance(setting, dict) else {}),)

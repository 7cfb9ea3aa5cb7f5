"""The login of one source: its client, how long the token lives, and the mounts that it sees.

Guarantees: one login and one look at each mount for a source; a token goes to no server
but the one that it was obtained from; nothing waits beyond the deadline.
"""

from __future__ import annotations

import os
from functools import partial
from time import monotonic

from envkit._internal.parallel import InTime
from envkit.errors import AuthError, DeniedError
from envkit.sources.vault import auth as vault_auth
from envkit.sources.vault import kv as vault_kv
from envkit.sources.vault.address import server_of
from envkit.sources.vault.client import VaultClient, too_late
from envkit.sources.vault.kv import Engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import TypeVar

    from envkit._internal.parallel import Result
    from envkit.sources.model import LoginWarning, SourceContext
    from envkit.sources.vault.auth import Auth, Lease
    from envkit.sources.vault.kv import Target
    from envkit.sources.vault.life import Life
    from envkit.sources.vault.resumed import Resumed
    from envkit.sources.vault.shared import SharedLogin

    R = TypeVar("R")


class Session(InTime):
    """The login of one source, which begins with its first request.

    Args:
        context: of the source.
        auths: how to log in: by the first of them that has what it needs.
        concurrency: how many requests are sent at once, at most.
        mount: of the settings; empty for none.

    Attributes:
        engines: that the server has named.
        used: how it logs in; None before that is decided.
        reads_metadata: whether the policy is not known to forbid the metadata of secrets.
    """

    def __init__(
        self, context: SourceContext, auths: tuple[Auth, ...], *, concurrency: int, mount: str
    ) -> None:
        self.engines: list[Engine] = []
        self.reads_metadata = True
        self._pid, deadline = os.getpid(), context.deadline
        super().__init__(deadline, concurrency, lambda: too_late(f"'{context.name}'", deadline))
        self._context = context
        self._auths = auths
        self.used: Auth | None = auths[0] if len(auths) == 1 else None
        self._concurrency = concurrency
        self._mount = mount
        self._client: VaultClient | None = None
        self._lease: Lease | None = None
        self._life: Life | None = None  # of the token, where it is renewed
        self._is_new = False  # whether the token was obtained for the request in progress
        self._sharing = False
        self._shared: SharedLogin | None = None
        self._resumed: Resumed | None = None

    @property
    def _auth(self) -> Auth:
        if self.used is None:
            from envkit.sources.vault.logins.choice import choose

            self.used = choose(self._auths, self._context)
        return self.used

    # ---------------------------------------------------------------- asking

    def ready(self, paths: set[str]) -> tuple[VaultClient, Mapping[str, Engine]]:
        """Return a client that is logged in, and the engine of each path.

        Raises:
            AuthError: it cannot log in.
            SourceError: the server failed.
        """
        if not self._sharing:
            self._adopt_resumed()
            return self._prepare(paths)
        shared = self._shared = self._shared or self._find_shared()
        with shared.lock:
            if self._client is None:
                self._adopt(shared)
            before = self._client, len(self.engines)
            try:
                ready = self._prepare(paths, shared)
            except AuthError:
                if not self._adopt_spare(shared):
                    raise
                ready = self._prepare(paths, shared)
            if before != (self._client, len(self.engines)):
                new = before[0] is not self._client
                shared.remember(ready[0].token, self._lease, self.engines, new=new)
        return ready

    def ask(
        self, function: Callable[[VaultClient, Target], R], wanted: Collection[Target]
    ) -> list[Result[R]]:
        """Return what a function returns for each secret; after `ready`, for all of them at once.

        If the token turns out to be no longer valid, envkit logs in again, once.

        Raises:
            AuthError: the token is no longer valid, and there is no other.
            SourceError: the server failed.
        """
        targets = list(wanted)
        client = self._client
        assert client is not None  # noqa: S101 - see above
        answers = self.parallel(partial(function, client), targets)
        denied = [at for at, one in enumerate(answers) if isinstance(one.error, DeniedError)]
        if denied and not self._is_new and self._has_ended(targets[denied[0]]):
            path = f"{targets[denied[0]].engine.mount}/{targets[denied[0]].path}"
            client, _ = self.in_time(lambda: self.ready({path}))
            again = self.parallel(partial(function, client), [targets[at] for at in denied])
            for at, answer in zip(denied, again, strict=True):
                answers[at] = answer
        self._is_new = False  # at the next request it may have ended
        return answers

    def _has_ended(self, denied: Target) -> bool:
        """Whether the token is no longer valid; if so, it is forgotten."""
        from envkit.sources.vault.probe import refuse_expired

        client = self._client
        assert client is not None  # noqa: S101 - one of its requests was denied
        try:
            self.in_time(partial(refuse_expired, client, denied))
        except AuthError:
            self._client = self._lease = self._life = None
            return True
        return False

    # ---------------------------------------------------------------- sharing

    def share(self) -> None:
        """Use the connections, token and known mounts that this process shares."""
        self._sharing = True

    def _find_shared(self) -> SharedLogin:
        from envkit.sources.vault.address import find_address
        from envkit.sources.vault.logins.identity import login_key
        from envkit.sources.vault.shared import shared_login

        key = login_key(self._auth, self._context)
        return shared_login(key, find_address(self._context), self._concurrency)

    def _adopt(self, login: SharedLogin) -> None:
        """Begin with what other sources of this process have found out."""
        if not login.lives:
            return
        from envkit.sources.vault.shared import adopted

        client = self._new_client(login)
        found = adopted(login, client, self._context)
        if found is not None:
            self._client, (self._lease, self.engines), self._life = client, found, login.life

    def _adopt_spare(self, login: SharedLogin) -> bool:
        """Use a token from before, if the login cannot be repeated and that one still works."""
        from envkit.sources.vault.shared import spare_works

        # what this client is denied shows only that its token has ended
        if not login.spare or not spare_works(login, self._new_client(None)):
            return False
        self._adopt(login)
        return True

    def state(self) -> dict[str, object]:
        """Return what another process can resume; empty if there was no login."""
        from envkit.sources.vault.resumed import Resumed, identity_of

        client = self._client
        if client is None:
            return {} if self._resumed is None else self._resumed.to_state()
        engines, known = tuple(self.engines), self.reads_metadata
        whose = identity_of(self._context, self._auth, client.token)
        return Resumed(whose, client.token, self._living(), engines, known).to_state()

    def _living(self) -> Life:
        """Return how long the token lives, as far as is known."""
        from envkit.sources.vault import life

        if self._life is None:
            now, lease = monotonic(), self._lease
            self._life = (
                life.unknown(now) if lease is None else life.begun(lease, now, life.any_spread())
            )
        return self._life

    def resume(self, state: Mapping[str, object]) -> None:
        """Use what `state` of another process returned; that is checked when it is needed."""
        from envkit.sources.vault.resumed import Resumed

        if "token" not in state:
            return
        resumed = Resumed.of_state(state)
        self.reads_metadata = resumed.reads_metadata
        if resumed.token != self.token:
            self._client = self._lease = self._life = None
            self._resumed = resumed

    def _adopt_resumed(self) -> None:
        """Begin with the login of another process, if it is of the same server and credential."""
        self._leave_parent()
        resumed = self._resumed
        if resumed is None or self._client is not None:
            return
        from envkit.sources.vault.resumed import identity_of

        self._resumed = None
        whose, now = identity_of(self._context, self._auth), monotonic()
        if resumed.identity != whose or resumed.life.ends_at <= now:
            return
        client = self._new_client(None)
        client.set_token(resumed.token)
        self._client, self._life = client, resumed.life
        self._lease = resumed.life.lease(now)
        self.engines = list(resumed.engines)

    def renew(self) -> LoginWarning | None:
        """Renew the token, or log in again, if that is due.

        Returns:
            what a person should know: the token will end, and there will be no other.

        Raises:
            SourceError: the server failed.
        """
        shared = self._shared
        if shared is None:
            self._adopt_resumed()
            return self._renew()
        with shared.lock:
            if shared.lives and self._client is not None and self._client.token != shared.token:
                return None  # another source has logged in meanwhile
            self._life = shared.life or self._life
            warning = self._renew()
            if self._client is not None and shared.token:
                shared.remember(self._client.token, self._lease, self.engines, new=True)
                shared.life = self._life
        return warning

    def _renew(self) -> LoginWarning | None:
        from envkit.sources.vault import life

        client, now = self._client, monotonic()
        if client is None:
            return None  # the next request logs in
        before = self._living()
        if not before.known:
            lease = vault_auth.look_up(client)
            self._life = life.Life() if lease is None else life.begun(lease, now, life.any_spread())
        elif before.due_at > now:
            pass
        elif not before.renewable:
            return self._replace(client, before)
        elif (lease := vault_auth.renew_whole(client)) is None:
            self._life = life.not_renewed(before, now)
        else:
            self._lease, self._life = lease, life.renewed(before, lease, now, life.any_spread())
        return None

    def _replace(self, client: VaultClient, before: Life) -> LoginWarning | None:
        """Log in again, while the token still works."""
        from envkit.sources.vault import life
        from envkit.sources.vault.probe import ending

        reason = None
        try:
            other = self.log_in(self._shared)
            if other[0].token != client.token:
                self._client, self._lease = other
                return None
        except AuthError as error:
            reason = error
        self._life = before._replace(due_at=life.NEVER)
        left = before.ends_at - monotonic()
        return ending(self._context.name, left, reason)

    def _leave_parent(self) -> None:
        """After a fork, go on with the login, but not with the connections of the parent."""
        if self._client is not None and self._pid != os.getpid():
            state, self._client = self.state(), None
            self.resume(state)
        self._pid = os.getpid()

    @property
    def token(self) -> str:
        """The token in use; empty if there is none."""
        return "" if self._client is None else self._client.token

    @property
    def obtained(self) -> bool:
        """Whether envkit obtains the token by a login, so that it is no other program's."""
        return not self._auth.uses_token

    @property
    def ends_at(self) -> float:
        """When the token ends, on the monotonic clock, as far as is known."""
        return self._living().ends_at

    def server_id(self) -> object:
        """Return what differs for each server and namespace."""
        return server_of(self._context)

    def identity(self) -> str:
        """Return what differs for each server and kind of login, and contains no credential."""
        from envkit.sources.vault.logins.identity import login_kind

        return login_kind(self._auth, self._context)

    def call(self, function: Callable[[VaultClient], R], token: str = "") -> R:
        """Return what a function returns for a client with a token; default: the one in use.

        Raises:
            SourceError: the server failed.
        """
        client = self._client
        if client is None or token:
            client = self._new_client(None)
            client.set_token(token)
        return function(client)

    def log_in_again(self) -> None:
        """Replace the login, while the one before still works.

        Raises:
            AuthError: it cannot log in.
            SourceError: the server failed.
        """
        self._client, self._lease = self.in_time(self.log_in)

    # ---------------------------------------------------------------- logging in

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
            client, lease = self.log_in(login)
            self.engines = []  # finding a mount with this token will prove that it is valid
        engines = self._find_engines(client, paths)
        if lease is None and not any(engine.version for engine in self.engines):
            lease = vault_auth.look_up(client)
            if lease is None:
                from envkit.sources.vault.logins.refusal import token_rejected

                raise token_rejected(client, self._context, self._auths)
        self._client, self._lease = client, lease
        return client, engines

    def log_in(self, login: SharedLogin | None = None) -> tuple[VaultClient, Lease | None]:
        """Return a client with a new login, and how long its token lives, if that is known.

        Args:
            login: whose connections are used, for long work.

        Raises:
            AuthError: it cannot log in.
            SourceError: the server failed.
        """
        client = self._new_client(login)
        lease = vault_auth.log_in(client, self._auth, self._context)
        if lease is None and login is not None:
            # only for long work: a lookup uses up the token if its number of uses is limited
            lease = vault_auth.look_up(client)
        if lease is not None:
            lease = vault_auth.renew(client, lease, self._context.deadline)
        self._is_new = True
        self._life = None
        return client, lease

    def _find_engines(self, client: VaultClient, paths: set[str]) -> dict[str, Engine]:
        find = partial(vault_kv.find_engine, client, mount=self._mount)
        return vault_kv.find_engines(
            paths, self.engines, lambda asked: self.values(find, asked), mount=self._mount
        )

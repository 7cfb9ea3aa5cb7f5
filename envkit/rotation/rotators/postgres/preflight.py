"""Check the current login before a PostgreSQL rotation begins.

It must be a login of the profile's user, not of the admin, at the server of `target.dsn`. Its role
must exist, and must be allowed to log in and to be changed. The login must work. Otherwise, a user
who can write the secret could have the password of any role changed, and read the new one.
"""

from __future__ import annotations

from contextlib import contextmanager

from envkit.errors import ProfileError, RotationError
from envkit.rotation.rotators.login_forms.hosts import share_a_server
from envkit.rotation.rotators.postgres.change import Verifier
from envkit.rotation.rotators.postgres.connection import PAGE
from envkit.rotation.rotators.postgres.server import PORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit.rotation.protocols import RotatorContext
    from envkit.rotation.rotators.login import Login
    from envkit.rotation.rotators.postgres.change import Change, Role
    from envkit.rotation.rotators.postgres.server import Server

SETTINGS: Mapping[str, type | tuple[type, ...]] = {
    "dsn": str,
    "server": str,
    "terminate": bool,
    "verify_current": bool,
}
ANY = "any"
_FACT = "verifier"


class Preflight:
    """The checks of one rotation.

    Args:
        server: of `target.dsn`.
        context: the context of the rotator.
        own_user: the user that rotates its own password, if it is also the admin.
    """

    def __init__(self, server: Server, context: RotatorContext, own_user: str | None) -> None:
        target = context.target
        if target.get("server", ANY) != ANY:
            raise ProfileError(
                "'target.server' can only be 'any'",
                hint="remove it, or write server = 'any' if the secret reaches the server of "
                "'target.dsn' by another name",
            )
        self._server = server
        self._confirm = context.confirm
        self._any_server = "server" in target
        self._own_user = own_user if context.own_login else None
        self.verifies = bool(target.get("verify_current", True))
        self.ends_sessions = context.end_sessions or bool(target.get("terminate"))

    @contextmanager
    def of_now(self) -> Iterator[None]:
        """Turn a refusal into a conflict if another process has advanced the rotation.

        That process may have claimed it after the current value was read. The value is then out
        of date, and an error that it causes is not a failure.
        """
        try:
            yield
        except RotationError:
            self._confirm()
            raise

    def look(self, change: Change, login: Login) -> None:
        """Check whose login it is, at which server, and that the server accepts changes.

        Raises:
            RotationError: the login is the admin's, or for another server.
            SourceError: the server is a standby.
        """
        change.check_writable()
        if login.user in change.admins() - {self._own_user}:
            raise RotationError(
                "the user of the secret is the admin of target.dsn",
                hint="find out who changed the secret; for a user that rotates its own password, "
                f"see 'A user that changes its own password' in '{PAGE}'",
            )
        if (
            login.hosts
            and not self._any_server
            and not share_a_server(login.hosts, change.hosts, PORT)
        ):
            there = ", ".join(host.described(PORT) for host in change.hosts)
            raise RotationError(
                f"the secret is for another server than target.dsn, which has {there}",
                hint="correct one of them; or write server = 'any' in 'target', if both names "
                "lead to the same server",
            )

    def look_at_sessions(self, change: Change, users: Sequence[str]) -> None:
        """Check that the admin may end sessions, if the rotation needs that.

        Raises:
            RotationError: the admin may not.
        """
        if self.ends_sessions and not change.may_end_sessions(users):
            raise RotationError(
                "the admin of target.dsn may not end the sessions of the users that it rotates",
                hint="run 'GRANT pg_signal_backend TO ADMIN', or rotate without 'terminate' and "
                "--compromised",
            )

    def verify(self, login: Login, known: Verifier | None) -> dict[str, str]:
        """Log in with the current value, and return the facts for later steps.

        Args:
            login: the current login.
            known: how its password is stored, if the admin may see that.

        Raises:
            RotationError: the login does not work.
        """
        if self.verifies and not self._server.accepts(login):
            raise RotationError(
                "the current value of the secret does not log in at the server of target.dsn",
                hint="store the password that works; or write verify_current = false in 'target' "
                "for a first run, or for a secret from a backup",
            )
        kind = known or self._server.verifier(login)
        return {_FACT: kind.value} if kind != Verifier.SCRAM else {}


def check_login(role: Role, who: str, name: str = "...") -> None:
    """Refuse a role that may not log in at all, whatever its password is.

    Args:
        role: from the catalogue.
        who: describes the role in the message.
        name: of the role, for the statement that fixes it; left out if only the secret has it.

    Raises:
        RotationError: the role is NOLOGIN, or may have no session.
    """
    if not role.can_log_in:
        raise RotationError(
            f"{who} may not log in (NOLOGIN)",
            hint=f"find out who disabled the role, or run: ALTER ROLE {name} LOGIN",
        )
    check_limit(role, who, name)


def check_limit(role: Role, who: str, name: str = "...") -> None:
    """Refuse a role that may have no session, which a failed login does not reveal.

    Args:
        role: from the catalogue.
        who: describes the role in the message.
        name: as for `check_login`.

    Raises:
        RotationError: its CONNECTION LIMIT is 0.
    """
    if role.connection_limit == 0:
        raise RotationError(
            f"{who} may not open a session: its CONNECTION LIMIT is 0",
            hint=f"run: ALTER ROLE {name} CONNECTION LIMIT -1",
        )


def check_time(role: Role, who: str, name: str = "...") -> None:
    """Refuse a role whose password has expired.

    Args:
        role: from the catalogue.
        who: describes the role in the message.
        name: as for `check_login`.

    Raises:
        RotationError: its VALID UNTIL has passed.
    """
    if role.expired:
        raise RotationError(
            f"{who} cannot log in: its VALID UNTIL has passed",
            hint=f"run: ALTER ROLE {name} VALID UNTIL 'infinity'",
        )


def verifier_in(facts: Mapping[str, str]) -> Verifier:
    """Return how to store a new password: like the previous one."""
    return Verifier(facts.get(_FACT, Verifier.SCRAM))

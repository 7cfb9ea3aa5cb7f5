"""Rotate between two users of PostgreSQL: one is in use, the idle one gets a new password.

    target = { dsn = "...", users = ["app_a", "app_b"], owner = "app" }

    CREATE ROLE app NOLOGIN;                             -- owns everything
    CREATE ROLE app_a LOGIN IN ROLE app;  ALTER ROLE app_a SET ROLE app;
    CREATE ROLE app_b LOGIN IN ROLE app;  ALTER ROLE app_b SET ROLE app;

The secret switches to the idle user. The previous user works until it is retired: it then loses
its password and LOGIN. Objects that either user creates are owned by the owner.

Each change of a user runs in a transaction with an advisory lock on its name, between two calls
of `confirm`: a scheduler that wakes up after another one has advanced the rotation cannot lock
out the user that is in use since. The user of `keep` is never changed.
"""

from __future__ import annotations

from typing import ClassVar

from envkit.errors import ProfileError, RotationError
from envkit.rotation.protocols import Created
from envkit.rotation.rotators.login import USER_FIELDS, StoredLogin
from envkit.rotation.rotators.postgres.change import fenced
from envkit.rotation.rotators.postgres.connection import PAGE
from envkit.rotation.rotators.postgres.dsn import described
from envkit.rotation.rotators.postgres.preflight import (
    SETTINGS,
    Preflight,
    check_limit,
    check_login,
    check_time,
    verifier_in,
)
from envkit.rotation.rotators.postgres.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.protocols import RotatorContext, Usage
    from envkit.rotation.rotators.login import Login
    from envkit.rotation.rotators.postgres.change import Role
    from envkit.rotation_state.store import Fields


class AlternateRotator:
    """Rotates between two users; see the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        **SETTINGS,
        "users": list,
        "owner": str,
        "user_field": str,
    }
    required = frozenset({"dsn", "users", "owner"})
    overlap = True
    looks_beside = USER_FIELDS
    look_seconds = 5.0

    def __init__(self, context: RotatorContext) -> None:
        target = context.target
        users = target["users"]
        if (
            not isinstance(users, list)
            or len(users) != 2
            or not all(isinstance(user, str) and user for user in users)
            or users[0] == users[1]
        ):
            raise ProfileError(
                "'target.users' must name two roles", hint='write: users = ["app_a", "app_b"]'
            )
        self._users = (str(users[0]), str(users[1]))
        self._owner = str(target["owner"])
        if self._owner in self._users:
            raise ProfileError(
                "'target.owner' must be a third role, which owns the objects that both users "
                "create",
                hint=f"see '{PAGE}'",
            )
        self._context = context
        self._stored = StoredLogin(context.fields[0], user_field=_text(target.get("user_field")))
        self._dsn = str(target["dsn"])
        self._server = Server(self._dsn, context.deadline)
        self._preflight = Preflight(self._server, context, None)

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:
        """Return the value's field, and the user's field if there is one."""
        user_field = _text(target.get("user_field"))
        return (field,) if user_field is None else (field, user_field)

    def describe_target(self) -> str:
        """Return `db:5432/app, users app_a and app_b`."""
        return f"{described(self._dsn)}, users {' and '.join(self._users)}"

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Check the current login, the roles and the admin's rights."""
        with self._preflight.of_now():
            return self._proven(self._stored.read(current))

    def _proven(self, login: Login) -> Mapping[str, str]:
        idle = self._idle(login)
        with self._server.admin(idle) as change:
            self._preflight.look(change, login)
            if not change.admins().isdisjoint(self._users):
                raise RotationError(
                    "the admin of target.dsn is one of target.users, and would be locked out",
                    hint=f"give envkit its own role; see 'The admin' in '{PAGE}'",
                )
            roles = {user: change.role(user, self._owner) for user in self._users}
            if change.role(self._owner) is None:
                raise _missing(self._owner)
            found = {user: self._checked(user, role) for user, role in roles.items()}
            self._preflight.look_at_sessions(change, self._users)
            known = change.verifier(login.user)
        check_limit(found[idle], f"'{idle}'", f'"{idle}"')
        check_time(found[idle], f"'{idle}'", f'"{idle}"')
        if self._preflight.verifies:  # detects a user from an old backup who was retired since
            check_login(found[login.user], f"'{login.user}'", f'"{login.user}"')
            check_time(found[login.user], f"'{login.user}'", f'"{login.user}"')
        return self._preflight.verify(login, known)

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:  # noqa: ARG002
        """Create a login of the idle user, without a request to the server."""
        idle = self._idle(self._stored.read(current))
        return Created(self._stored.renewed(current, self._context.generate, idle))

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Set the new password of the idle user."""
        login = self._stored.read(new)
        if login.user != self._idle(self._stored.read(old)):
            raise RotationError("the new login is not that of the idle user")
        with self._server.admin(login.user) as change, fenced(self._context.confirm):
            change.give(login.user, login.password, verifier_in(facts), login=True)

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Log in as the idle user, and check that the login switches to the owner."""
        login = self._stored.read(new)
        if not self._server.accepts(login, becomes=self._owner):
            raise RotationError(f"'{login.user}' cannot log in with the new password")

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether a login works, or would if a session were free."""
        return self._server.accepts(self._stored.read(fields))

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: both users work, and the readers have the new one."""

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Lock one user out, unless it has another password by now."""
        if not fields:
            return
        login = self._stored.read(fields)
        if login.user not in self._users or login.user == self._stored.read(keep).user:
            return  # another password of a user that stays: it is already replaced
        with self._server.admin(login.user) as change:
            role = change.role(login.user)
            if role is None or (role.can_log_in and self._is_of_another(login, role)):
                return
            if role.can_log_in:
                with fenced(self._context.confirm):
                    change.lock_out(login.user)
        if self._preflight.ends_sessions:  # only now: before the lock-out it could log in again
            self._end_sessions(login.user)

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether the server refuses a login for good."""
        return not fields or self._server.is_dead(self._stored.read(fields))

    def in_use(self, fields: Fields, facts: Mapping[str, str]) -> Usage:  # noqa: ARG002
        """Return who has sessions of a user: each fails at its next login once it is retired."""
        login = self._stored.read(fields)
        with self._server.admin(None) as change:
            return change.usage(login.user)

    def _is_of_another(self, login: Login, role: Role) -> bool:
        """Return whether the user is known to have another password by now."""
        return not role.expired and not self._server.knows(login)

    def _end_sessions(self, user: str) -> None:
        with self._server.admin(user) as change:
            role = change.role(user)
            if role is not None and not role.can_log_in:
                self._context.confirm()
                change.end_sessions(user)

    def _idle(self, login: Login) -> str:
        first, second = self._users
        if login.user not in self._users:
            raise RotationError(
                f"the user of the secret is not one of target.users ({first}, {second})",
                hint=f"store the login of '{first}' in it",
            )
        return second if login.user == first else first

    def _checked(self, user: str, role: Role | None) -> Role:
        if role is None:
            raise _missing(user)
        if not role.is_ours:
            raise RotationError(
                f"the admin of target.dsn may not change the password of '{user}'",
                hint=f"run 'GRANT \"{user}\" TO ADMIN WITH ADMIN OPTION'; see '{PAGE}'",
            )
        if not role.is_member:
            raise RotationError(
                f"'{user}' is not a member of '{self._owner}'",
                hint=f'run: GRANT "{self._owner}" TO "{user}"',
            )
        if role.becomes != self._owner:
            raise RotationError(
                f"objects created by '{user}' would be owned by '{user}', not by '{self._owner}'",
                hint=f'run: ALTER ROLE "{user}" SET ROLE "{self._owner}"',
            )
        return role


def _missing(role: str) -> RotationError:
    return RotationError(
        f"the role '{role}' does not exist", hint=f"create it with CREATE ROLE; see '{PAGE}'"
    )


def _text(setting: object) -> str | None:
    return setting if isinstance(setting, str) and setting else None

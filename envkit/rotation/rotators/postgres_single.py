"""Rotate the password of a single PostgreSQL user.

    target = { dsn = "...", user = "app" }               # `user` where the value is no URL

A role has one password. Between ALTER ROLE and the promotion of the new value, what a
reader gets does not log in: readers must try again, with what is pending where they can.
Where that is not good enough, `alternate` is the way. Sessions stay open.

Going back sets the old password again.
"""

from __future__ import annotations

from typing import ClassVar

from envkit.errors import RotationError
from envkit.rotation.protocols import Created
from envkit.rotation.rotators.generate import generated
from envkit.rotation.rotators.login import Login, StoredLogin
from envkit.rotation.rotators.postgres_connection import PAGE
from envkit.rotation.rotators.postgres_server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.protocols import RotatorContext
    from envkit.rotation_state.store import Fields


class SingleRotator:
    """See the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {"dsn": str, "user": str}
    required = frozenset({"dsn"})
    overlap = False

    def __init__(self, context: RotatorContext) -> None:
        user = context.target.get("user")
        self._context = context
        self._stored = StoredLogin(context.fields[0], user=None if user is None else str(user))
        self._server = Server(str(context.target["dsn"]), context.deadline)

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:  # noqa: ARG004
        """Return the value's field: the user stays."""
        return (field,)

    def describe_target(self) -> str:
        """Return nothing: the readers are the target."""
        return ""

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Look whether the role is there, and whether the admin may change it."""
        user = self._stored.read(current).user
        with self._server.admin(user) as change:
            role = change.role(user)
        if role is None:
            raise RotationError("the user of the secret is no role of the PostgreSQL server")
        if not role.is_ours:
            raise RotationError(
                "the admin of target.dsn may not change the password of the secret's user",
                hint=f"grant it WITH ADMIN OPTION; see '{PAGE}'",
            )
        if role.expired:
            raise RotationError(
                "no password of the secret's user would work: its VALID UNTIL has passed",
                hint="run: ALTER ROLE ... VALID UNTIL 'infinity'",
            )
        return {}

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:  # noqa: ARG002
        """Make a password; the server hears nothing of it."""
        login = self._stored.read(current)
        password = generated(self._context.generate)
        return Created(self._stored.write(current, Login(login.user, password)))

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Replace the password of the role."""
        self._give(self._stored.read(new))

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Log in."""
        if not self._server.logs_in(self._stored.read(new)):
            raise RotationError("the user of the secret cannot log in with the new password")

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether a login works."""
        return self._server.logs_in(self._stored.read(fields))

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: the old password ended with `set`."""

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Let the login that is kept be the one that works."""
        login = self._stored.read(keep)
        if not self._server.logs_in(login):
            self._give(login)

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return true: nobody can be asked."""
        return True

    def _give(self, login: Login) -> None:
        with self._server.admin(login.user) as change:
            self._context.confirm()
            change.give(login.user, login.password)

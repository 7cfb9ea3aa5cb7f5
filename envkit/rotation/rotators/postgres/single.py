"""Rotate the password of a single PostgreSQL user.

    target = { dsn = "...", user = "app" }               # the only user that the secret may name

A role has one password. Between ALTER ROLE and the promotion of the new value, the value that
readers get does not log in: readers must retry, with the pending value if they can. If that is
not acceptable, use `alternate`. Sessions stay open unless the profile ends them.

A rollback sets the old password again, if the role still has the new one.
"""

from __future__ import annotations

from typing import ClassVar

from envkit.errors import RotationError
from envkit.rotation.protocols import Created
from envkit.rotation.rotators.login import USER_FIELDS, StoredLogin
from envkit.rotation.rotators.postgres.change import fenced
from envkit.rotation.rotators.postgres.connection import PAGE
from envkit.rotation.rotators.postgres.dsn import described
from envkit.rotation.rotators.postgres.preflight import (
    SETTINGS,
    Preflight,
    check_login,
    check_time,
    verifier_in,
)
from envkit.rotation.rotators.postgres.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.protocols import RotatorContext
    from envkit.rotation.rotators.login import Login
    from envkit.rotation_state.store import Fields

_WHO = "the secret's user"


class SingleRotator:
    """Rotates the password of a single user; see the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        **SETTINGS,
        "user": str,
        "user_field": str,
    }
    required = frozenset({"dsn"})
    overlap = False
    looks_beside = USER_FIELDS

    def __init__(self, context: RotatorContext) -> None:
        user = context.target.get("user")
        self._user = str(user) if user else None
        self._context = context
        field, *beside = context.fields
        self._stored = StoredLogin(
            field, user_field=beside[0] if beside else None, must_be=self._user
        )
        self._dsn = str(context.target["dsn"])
        self._server = Server(self._dsn, context.deadline, own_login=context.own_login)
        self._preflight = Preflight(self._server, context, self._user)

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:
        """Return the value's field, and the user's field if there is one."""
        user_field = target.get("user_field")
        return (field, str(user_field)) if user_field else (field,)

    def describe_target(self) -> str:
        """Return `db:5432/app, user app`; without the user if only the secret names it."""
        place = described(self._dsn)
        return place if self._user is None else f"{place}, user {self._user}"

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Check the current login, its role and the admin's rights."""
        with self._preflight.of_now():
            return self._proven(self._stored.read(current))

    def _proven(self, login: Login) -> Mapping[str, str]:
        with self._server.admin(login.user, (login,)) as change:
            self._preflight.look(change, login)
            role = change.role(login.user)
            if role is None:
                raise RotationError(f"{_WHO} is not a role of the PostgreSQL server")
            if not role.is_ours:
                raise RotationError(
                    f"the admin of target.dsn may not change the password of {_WHO}",
                    hint=f"grant it WITH ADMIN OPTION; see '{PAGE}'",
                )
            self._preflight.look_at_sessions(change, [login.user])
            known = change.verifier(login.user)
        check_login(role, _WHO)
        check_time(role, _WHO)
        return self._preflight.verify(login, known)

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:  # noqa: ARG002
        """Generate a password, without a request to the server."""
        return Created(self._stored.renewed(current, self._context.generate))

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Replace the password of the role."""
        before, login = self._stored.read(old), self._stored.read(new)
        if login.user != before.user:
            raise RotationError("the new login is not that of the secret's user")
        with (
            self._server.admin(login.user, (before, login)) as change,
            fenced(self._context.confirm),
        ):
            change.give(login.user, login.password, verifier_in(facts))

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Log in; a refusal because no session is free does not count as a failure."""
        if not self._server.accepts(self._stored.read(new)):
            raise RotationError(f"{_WHO} cannot log in with the new password")

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether a login works, or would if a session were free."""
        return self._server.accepts(self._stored.read(fields))

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: the old password stopped working at `set`."""

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:
        """Make the login of `keep` work again, if the other login works instead.

        A role that has a third password by now is left alone, and so is a role other than that of
        `keep`.
        """
        if not fields:
            return  # nothing was created, and so nothing was set
        gone, kept = self._stored.read(fields), self._stored.read(keep)
        if gone.user != kept.user:
            return
        if not self._server.accepts(kept):
            with self._server.admin(kept.user, (gone, kept)) as change:
                role = change.role(kept.user)
                if role is None or not (role.expired or self._server.knows(gone)):
                    return
                with fenced(self._context.confirm):
                    change.give(kept.user, kept.password, verifier_in(facts))
        if self._preflight.ends_sessions:
            with self._server.admin(kept.user, (gone, kept)) as change:
                self._context.confirm()
                change.end_sessions(kept.user)

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether the server refuses the password for good."""
        if not fields:
            return True
        return self._server.is_dead(self._stored.read(fields), (self._stored.read(keep),))

"""Rotate a password of a Redis or Valkey user, who may have several at the same time.

    target = { url = "redis://admin:...@cache:6379", user = "app" }

    ACL SETUSER app #<sha256 of the new>      both log in from here on
    ACL SETUSER app !<sha256 of the old>      once it is retired

Passwords are named by their hash: exactly one is added or removed, whatever others there are,
and a second time changes nothing. After each change the users are saved, so that a restarted
server has the same passwords.

ACLs are not replicated: `url` may be a list, of every node of a cluster, every replica.
"""

from __future__ import annotations

from hashlib import sha256
from typing import ClassVar

from envkit.errors import ProfileError, RotationError
from envkit.rotation.protocols import Created
from envkit.rotation.rotators.generate import generated
from envkit.rotation.rotators.login import Login, StoredLogin
from envkit.rotation.rotators.redis_server import Node, User

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.protocols import RotatorContext
    from envkit.rotation_state.store import Fields
    from envkit.secret import Secret

DEFAULT_USER = "default"


class RedisRotator:
    """See the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "url": (str, list),
        "user": str,
        "save": bool,
        "terminate": bool,
    }
    required = frozenset({"url"})
    overlap = True

    def __init__(self, context: RotatorContext) -> None:
        target = context.target
        urls = target["url"] if isinstance(target["url"], list) else [target["url"]]
        if not urls or not all(isinstance(url, str) and url for url in urls):
            raise ProfileError(
                "'target.url' must be a URL, or a list of them",
                hint='write url = "redis://admin:{{ ... }}@host:6379"',
            )
        self._context = context
        self._urls = [str(url) for url in urls]
        self._stored = StoredLogin(context.fields[0], user=str(target.get("user") or DEFAULT_USER))
        self._save = bool(target.get("save", True))
        self._terminate = bool(target.get("terminate"))

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:  # noqa: ARG004
        """Return the value's field: the user stays."""
        return (field,)

    def describe_target(self) -> str:
        """Return nothing: the readers are the target."""
        return ""

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Look whether the user is there on every node, and whether its nodes keep their users."""
        user, _ = self._login(current)
        for url in self._urls:
            with Node(url, self._context.deadline) as node:
                self._look(node, user)
                if self._save and not node.has_acl_file():
                    raise RotationError(
                        "the server of target.url has no ACL file: after its next restart it "
                        "would not know the new password",
                        hint="set 'aclfile' in its configuration; or write save = false in "
                        "'target', if something else keeps its users",
                    )
        return {}

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:  # noqa: ARG002
        """Make a password; the server hears nothing of it."""
        login = self._stored.read(current)
        password = generated(self._context.generate)
        return Created(self._stored.write(current, Login(login.user, password)))

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Let the user log in with the new password too."""
        user, password = self._login(new)
        for url in self._urls:
            with Node(url, self._context.deadline) as node:
                if _digest(password) not in self._look(node, user).hashes:
                    self._context.confirm()
                    node.add(user, _digest(password))
                self._keep(node)

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Log in to every node."""
        user, password = self._login(new)
        for url in self._urls:
            with Node(url, self._context.deadline) as node:
                self._look(node, user)
                if not node.logs_in(user, password):
                    raise RotationError("the secret's user cannot log in with the new password")

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether a login works, on every node."""
        user, password = self._login(fields)
        for url in self._urls:
            with Node(url, self._context.deadline) as node:
                if not node.logs_in(user, password):
                    return False
        return True

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: both passwords work, and the readers have the new one."""

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Remove exactly this password, and end the user's connections where that is asked."""
        if not fields:
            return
        user, password = self._login(fields)
        if (user, password) == self._login(keep):
            return
        for url in self._urls:
            with Node(url, self._context.deadline) as node:
                found = node.user(user)
                if found is None:
                    continue
                if _digest(password) in found.hashes:
                    self._context.confirm()
                    node.remove(user, _digest(password))
                self._keep(node)
                if self._terminate:
                    node.end_connections(user)

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return true: nobody can be asked."""
        return True

    def _login(self, fields: Fields) -> tuple[str, Secret]:
        login = self._stored.read(fields)
        return login.user or DEFAULT_USER, login.password

    def _look(self, node: Node, name: str) -> User:
        """Return a user whose passwords count. SETUSER would make one that is not there."""
        user = node.user(name)
        if user is None:
            raise RotationError(
                "the server of target.url has no such user as the secret's",
                hint="run ACL SETUSER ... on it, or correct 'target.user'",
            )
        if user.takes_any_password:
            raise RotationError(
                "the server of target.url checks no password of the secret's user (nopass)",
                hint="run ACL SETUSER ... resetpass, and give the user a password",
            )
        if not user.enabled:
            raise RotationError(
                "the secret's user is switched off at the server of target.url",
                hint="run ACL SETUSER ... on",
            )
        return user

    def _keep(self, node: Node) -> None:
        if self._save:
            node.save()


def _digest(password: Secret) -> str:
    return sha256(password.to_bytes()).hexdigest()

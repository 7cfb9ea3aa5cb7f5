"""Rotate a password of a Redis or Valkey user; a user may have several at the same time.

    target = { url = "redis://admin:...@cache:6379", user = "app" }

    ACL SETUSER app #<sha256 of the new>      from here on, both log in
    ACL SETUSER app !<sha256 of the old>      when the old one is retired

Passwords are identified by their hash: exactly one is added, and adding it again changes nothing.
The old one is removed together with earlier ones of envkit that may still work, but never the
current one, and never one that envkit did not create. After each change the users are saved, so
that a restarted server has the same passwords.

ACLs are not replicated: `url` may list every node of a cluster and every replica. `redis_before`
has the checks before the first change.
"""

from __future__ import annotations

import time
from contextlib import suppress
from hashlib import sha256
from typing import ClassVar

from envkit.errors import ProfileError, RotationError, UnavailableError
from envkit.rotation.protocols import Created, Usage
from envkit.rotation.rotators.login import USER_FIELDS, Login, StoredLogin
from envkit.rotation.rotators.redis_address import address_of, names_only_a_password
from envkit.rotation.rotators.redis_before import (
    check_admin,
    check_listed,
    check_peers,
    check_server,
    usable_user,
)
from envkit.rotation.rotators.redis_server import DEFAULT_USER, Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.protocols import Reader, RotatorContext
    from envkit.rotation.rotators.redis_address import Address
    from envkit.rotation_state.store import Fields
    from envkit.secret import Secret

ANY = "any"
_UNNAMED = ""  # the user of a login that names no user


class RedisRotator:
    """Rotates a password of a Redis or Valkey user; see the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "url": (str, list),
        "user": str,
        "server": str,
        "replicas": str,
        "verify_current": bool,
        "save": bool,
        "terminate": bool,
    }
    required = frozenset({"url"})
    overlap = True
    looks_beside = USER_FIELDS
    look_seconds = 5.0

    def __init__(self, context: RotatorContext) -> None:
        target = context.target
        urls = target["url"] if isinstance(target["url"], list) else [target["url"]]
        if not urls or not all(isinstance(url, str) and url for url in urls):
            raise ProfileError(
                "'target.url' must be a URL, or a list of them",
                hint='write: url = "redis://admin:{{ ... }}@host:6379"',
            )
        for key in ("server", "replicas"):
            if target.get(key, ANY) != ANY:
                raise ProfileError(
                    f"'target.{key}' has one possible value, \"{ANY}\"",
                    hint=f'write {key} = "{ANY}", or remove it',
                )
        self._context = context
        self._field = context.fields[0]
        self._urls = [str(url) for url in urls]
        self._user = str(target.get("user") or "")
        self._stored = StoredLogin(self._field, user=_UNNAMED)
        self._any_server = "server" in target
        self._any_replicas = "replicas" in target
        self._verify = bool(target.get("verify_current", True))
        self._save = bool(target.get("save", True))
        self._terminate = bool(target.get("terminate")) or context.end_sessions

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:  # noqa: ARG004
        """Return the value's field: the user does not change."""
        return (field,)

    def describe_target(self) -> str:
        """Return hosts and ports of all nodes, and the user if `target` names one."""
        found = [address_of(url) for url in self._urls]
        servers = ", ".join(dict.fromkeys(str(one or "a server") for one in found))
        return f"{servers}, user {self._user}" if self._user else servers

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Check that the secret is a login of this user at these servers, and that it works.

        Checks as well that the servers save their users, and that `url` lists all servers that
        replicate from each other.
        """
        user, password = self._login(current)
        if self._user and user != self._user:
            raise RotationError(
                f"the secret is not a login of '{self._user}', which 'target.user' names",
                hint="correct 'target.user', or the secret",
            )
        if not self._any_server:
            check_server(self._stored.read(current), current[self._field], self._urls)
        peers: set[Address] = set()
        hashes: set[str] = set()
        for url in self._urls:
            with self._node(url, current) as node:
                self._spare_admin(node, user)
                hashes |= usable_user(node, user).hashes
                if self._save and not node.has_acl_file():
                    raise RotationError(
                        "the server of target.url has no ACL file: after its next restart it "
                        "would not know the new password",
                        hint="set 'aclfile' in its configuration; or write save = false in "
                        "'target', if another tool manages its users",
                    )
                if not self._any_replicas:
                    peers |= check_peers(node, user)
                if self._verify and not node.logs_in(user, password):
                    raise RotationError(
                        "the secret's login is refused by a server of target.url",
                        hint="store the password that works; or write verify_current = false in "
                        "'target' to create a new one",
                    )
                node.rehearse(user, saving=self._save, ending=self._terminate)
        check_listed(peers, self._urls)
        unknown = hashes - {_digest(password), *self._context.issued}
        return {"extra_passwords": str(len(unknown))}

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:  # noqa: ARG002
        """Generate a password, without a request to the server."""
        new = self._stored.renewed(current, self._context.generate)
        return Created(new, issued=(_digest(self._login(new)[1]),))

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Add the new password of the user."""
        user, password = self._login(new)
        for url in self._urls:
            with self._node(url, old, new) as node:
                if _digest(password) not in usable_user(node, user).hashes:
                    self._add(node, user, _digest(password), new)
                self._keep(node)

    def _add(self, node: Node, user: str, digest: str, new: Fields) -> None:
        """Add a password unless it exists; remove it if the rotation is no longer ours."""

        def take_back() -> None:
            node.remove(user, digest)
            self._keep(node)

        self._context.confirm()
        try:
            node.add(user, digest)
        except UnavailableError:  # the response is lost; the password may have been added
            self._context.settle(new, take_back)
            raise
        self._context.settle(new, take_back)

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Log in to every node."""
        user, password = self._login(new)
        for url in self._urls:
            with self._node(url, new) as node:
                usable_user(node, user)
                if not node.logs_in(user, password):
                    raise RotationError("the secret's user cannot log in with the new password")

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether a login works, on every node."""
        user, password = self._login(fields)
        for url in self._urls:
            with self._node(url, fields) as node:
                if not node.logs_in(user, password):
                    return False
        return True

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do nothing: both passwords work, and the readers have the new one."""

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Remove this password and those of `issued`, but never that of `keep`."""
        user, removed = self._removed(fields, keep)
        for url in self._urls if removed else ():
            with self._node(url, fields, keep) as node:
                found = node.user(user)
                if found is None:
                    continue
                self._spare_admin(node, user)  # a record may name any user
                for digest in sorted(found.hashes & removed):
                    self._context.confirm()
                    node.remove(user, digest)
                self._keep(node)
                if self._terminate:
                    node.end_connections(user)

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether every node refuses the login, and has no password of `issued`."""
        user, removed = self._removed(fields, keep)
        for url in self._urls:
            with self._node(url, fields, keep) as node:
                found = node.user(user)
                if found is not None and found.hashes & removed:
                    return False
                if fields and node.logs_in(*self._login(fields)):
                    return False
        return True

    def in_use(self, fields: Fields, facts: Mapping[str, str]) -> Usage:  # noqa: ARG002
        """Return who has connections of the user from before the change, on every node.

        A connection that was opened after it may have come with either password.
        """
        user, _ = self._login(fields)
        changed_seconds_ago = time.time() - self._context.changed_at
        readers: list[Reader] = []
        for url in self._urls:
            with self._node(url, fields) as node:
                readers += node.readers(user, changed_seconds_ago)
        return Usage(tuple(readers))

    def _removed(self, fields: Fields, keep: Fields) -> tuple[str, frozenset[str]]:
        """Return a user, and the hashes of the passwords to remove.

        Raises:
            RotationError: the fields, which come from a record, are those of another user.
        """
        if self._user and fields and self._login(fields)[0] != self._user:
            raise RotationError(
                f"the rotation record has the login of a user other than '{self._user}': envkit "
                "removed no password",
                hint="find out who changed the record; check that the secret's login works, and "
                "remove the record",
            )
        try:
            kept_user, kept = self._login(keep)
        except RotationError:  # readers have some other value: which password they need is unknown
            if not fields:
                return DEFAULT_USER, frozenset()
            user, password = self._login(fields)
            return user, frozenset({_digest(password)})
        user, digests = kept_user, set(self._context.issued)
        if fields:
            user, password = self._login(fields)
            digests.add(_digest(password))
        if user == kept_user:
            digests.discard(_digest(kept))
        return user, frozenset(digests)

    def _login(self, fields: Fields) -> tuple[str, Secret]:
        login = self._stored.read(fields)
        named = login.user
        if named == _UNNAMED and names_only_a_password(login, fields[self._field]):
            named = self._user
        return named or DEFAULT_USER, login.password

    def _node(self, url: str, *logins: Fields) -> Node:
        """Return a server of `target.url` with the admin's logins.

        Args:
            url: of the admin's login.
            logins: other possible logins of the admin, if its password is the rotated one: the
                URL has the value of the secret at the start of the run.
        """
        others: list[Login] = []
        for fields in logins if self._context.own_login else ():
            with suppress(RotationError):  # readers may have some other value
                others.append(self._stored.read(fields))
        return Node(url, self._context.deadline, others)

    def _spare_admin(self, node: Node, user: str) -> None:
        check_admin(node, user, own_login=self._context.own_login and bool(self._user))

    def _keep(self, node: Node) -> None:
        if self._save:
            node.save()


def _digest(password: Secret) -> str:
    return sha256(password.to_bytes()).hexdigest()

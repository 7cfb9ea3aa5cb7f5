"""Check a Redis or Valkey server before a rotation changes anything.

The secret must be a login at this server. Its user must not be the admin, must have passwords and
must be able to log in. Every server that replicates from another must be listed, since ACLs are
not replicated.
"""

from __future__ import annotations

from envkit.errors import RotationError
from envkit.rotation.rotators.redis_address import address_of, servers_of
from envkit.rotation.rotators.redis_server import not_a_url, reached_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from envkit.rotation.rotators.login import Login
    from envkit.rotation.rotators.redis_address import Address
    from envkit.rotation.rotators.redis_server import Node, User
    from envkit.secret import Secret


def check_server(login: Login, value: Secret, urls: Sequence[str]) -> None:
    """Raise if the secret is a login at a server that `target.url` does not list.

    Raises:
        RotationError: it is, or one of the URLs is invalid.
    """
    listed = {address_of(url) for url in urls}
    if None in listed:
        raise not_a_url()
    servers = servers_of(login, value)
    if servers is not None and servers <= listed:
        return
    where = "a server that cannot be read from it"
    if servers:
        where = ", ".join(sorted(str(server) for server in servers if server not in listed))
    raise RotationError(
        f"the secret is a login at {where}, but 'target.url' names {_names(listed)}",
        hint="correct 'target.url' or the secret; or write server = \"any\" in 'target', if both "
        "are the same server",
    )


def check_admin(node: Node, user: str, *, own_login: bool) -> None:
    """Raise if the rotation would change the admin's password without changing its URL.

    Args:
        node: one server.
        user: the user whose password is rotated.
        own_login: whether the profile intends this, and the URL is built from the rotated
            secret.

    Raises:
        RotationError: it would.
    """
    if node.admin == user and not own_login:
        raise RotationError(
            "the secret is the login of the admin of target.url",
            hint="rotate another user; or build 'target.url' from this secret, and name the user "
            "in "
            "'target.user'",
        )


def usable_user(node: Node, name: str) -> User:
    """Return a user with valid passwords. SETUSER would create a user that does not exist.

    Raises:
        RotationError: there is no such user.
    """
    user = node.user(name)
    if user is None:
        raise RotationError(
            "the server of target.url does not know the secret's user",
            hint=f"create it with 'ACL SETUSER {name} on >PASSWORD ...', or correct 'target.user'",
        )
    if user.takes_any_password:
        raise RotationError(
            "the server of target.url does not check the password of the secret's user (nopass)",
            hint=f"run: ACL SETUSER {name} resetpass >PASSWORD",
        )
    if not user.enabled:
        raise RotationError(
            "the secret's user is disabled at the server of target.url",
            hint=f"run: ACL SETUSER {name} on",
        )
    return user


def check_peers(node: Node, user: str) -> frozenset[Address]:
    """Return the servers that replicate to or from a server.

    Raises:
        RotationError: the server logs in to its master as the user whose password is rotated.
    """
    if node.replicates_as(user):
        raise RotationError(
            "a server of target.url replicates as the secret's user (masteruser): it could not log "
            "in without the old password",
            hint="give replication its own user; or write replicas = \"any\" in 'target', if "
            "another tool changes masterauth",
        )
    return node.peers()


def check_listed(peers: Collection[Address], urls: Sequence[str]) -> None:
    """Raise if servers replicate from or to those of `target.url` without being listed there.

    Raises:
        RotationError: there are such servers; the message names them.
    """
    listed = {address for url in urls if (address := address_of(url)) is not None}
    known = {same for address in listed for same in reached_as(address)} if peers else set()
    unlisted = sorted(str(peer) for peer in peers if not reached_as(peer) & known)
    if unlisted:
        raise RotationError(
            f"'target.url' does not list {', '.join(unlisted)}, which replicates or is of the same "
            "cluster: ACLs are not replicated, so that server would not know the new password",
            hint="list every server in 'target.url'; or write replicas = \"any\" in "
            "'target', if another tool manages their users",
        )


def _names(addresses: Collection[Address | None]) -> str:
    return ", ".join(sorted(map(str, addresses)))

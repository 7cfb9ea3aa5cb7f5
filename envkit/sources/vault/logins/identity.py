"""What distinguishes logins: keys that contain no credential. Sends no request.

Needed only where logins are shared or passed on.
"""

from __future__ import annotations

from hashlib import sha256

from envkit.sources.vault.address import find_address
from envkit.sources.vault.auth import present_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.model import SourceContext
    from envkit.sources.vault.auth import Auth


def login_key(auth: Auth, context: SourceContext, token: str = "") -> bytes:
    """Return a key that is unique for each login and contains no credential. Sends no request.

    Args:
        auth: how to log in.
        context: of the source.
        token: the one in use, if `auth` uses one; default: the one that is there now.

    Raises:
        AuthError: there are no credentials.
    """
    if not auth.uses_token:
        token = ""
    elif not token:
        token = present_token(auth, context)[0]
    return sha256(repr((auth.method, sorted(auth.values.items()), token)).encode()).digest()


def login_kind(auth: Auth, context: SourceContext) -> str:
    """Return what differs for each server and kind of login, and contains no credential."""
    address = find_address(context)
    public = [auth.values.get(key) for key in ("role_id", "role", "username", "mount")]
    known = (address.url, address.namespace, auth.method, public)
    return sha256(repr(known).encode()).hexdigest()

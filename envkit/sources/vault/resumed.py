"""A login that one process passes on to the next: plain data, in memory only."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from envkit.sources.vault.address import find_address
from envkit.sources.vault.kv import Engine
from envkit.sources.vault.life import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.sources.model import SourceContext
    from envkit.sources.vault.auth import Auth


class Resumed(NamedTuple):
    """One login.

    Attributes:
        identity: differs for each server and credential; contains neither.
        token: of the login.
        life: of the token.
        engines: that the server has named.
        reads_metadata: as of `Session`.
    """

    identity: bytes
    token: str
    life: Life
    engines: tuple[Engine, ...]
    reads_metadata: bool

    def __repr__(self) -> str:
        return f"Resumed({len(self.engines)} engines)"

    def to_state(self) -> dict[str, object]:
        """Return it as `LoginState.login_state` does."""
        plain = {"life": tuple(self.life), "engines": tuple(map(tuple, self.engines))}
        return {**self._asdict(), **plain, "due_at": self.life.due_at}

    @staticmethod
    def of_state(state: Mapping[str, object]) -> Resumed:
        """Return what `to_state` made a state of."""
        parts = cast("dict[str, Any]", state)
        return Resumed(
            parts["identity"],
            parts["token"],
            Life(*parts["life"]),
            tuple(Engine(*engine) for engine in parts["engines"]),
            parts["reads_metadata"],
        )


def identity_of(context: SourceContext, auth: Auth, token: str = "") -> bytes:
    """Return what differs for each server and credential.

    Args:
        context: of the source.
        auth: how it logs in.
        token: see `login_key`.

    Raises:
        AuthError: there are no credentials.
        SourceError: there is no valid address.
    """
    from hashlib import sha256

    from envkit.sources.vault.logins.identity import login_key

    key = login_key(auth, context, token)
    return sha256(repr((*find_address(context), key)).encode()).digest()

"""A login that one process passes on to the next: plain data, in memory only."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from envkit.sources.vault.kv import Engine
from envkit.sources.vault.life import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


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

"""What a subclass of the source contract provides: a harness, and what its store lacks.

The harness is the store seen from the other side. Nothing in here is a test.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit.profile.placeholder import Reference
    from envkit.sources.protocols import Source

T = TypeVar("T")

ABILITIES = frozenset(
    {
        "fields",
        "implicit-field",
        "versions",
        "reads",
        "denied",
        "unavailable",
        "silent",
        "write",
        "race",
        "history",
    }
)

CANARY = "canary-3f9c51e7"  # a part of every value here; no message may show it

VALUES: dict[str, str] = {
    "plain": CANARY,
    "empty": "",
    "unicode": f"{CANARY} pässwörd 密码 🔑",
    "newline": f"-----BEGIN-----\n{CANARY}\n-----END-----\n",
    "carriage-return": f"{CANARY}\r\nnext",
    "surrounding-blanks": f" \t {CANARY} \t ",
    "quotes": f"'{CANARY}' \"quoted\" `ticked` \\ back\\\\slash\\",
    "shell": f"${CANARY} ${{HOME}} $(id) #not-a-comment # nor this",
    "placeholder": f"{{{{ vault:x#{CANARY} }}}} {{{{",
    "json": f'{{"a": "{CANARY}"}}',
    "60-kilobytes": f"{CANARY} " * (60 * 1024 // (len(CANARY) + 1)),
}


class Harness(Protocol):
    """The store behind a source, seen from the other side.

    Every test gets a fresh one: none of the secrets that `ref` names exists until `put`
    makes it. Paths are plain lower-case words, and the harness may place them wherever
    its store likes.
    """

    def source(self, *, timeout_seconds: float = 15.0) -> Source:
        """Build a source on this store, its deadline that far away."""
        ...

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        """Make the secret at `path` these fields and no others, straight in the store.

        A source that lacks `fields` is given one field only.
        """
        ...

    def ref(self, path: str, field: str | None = None, version: str | None = None) -> Reference:
        """Return the reference to a field (for a source that lacks `fields`, to the secret)."""
        ...

    def reads(self) -> int:
        """Return how many reads the store has answered so far; logins do not count."""
        ...

    def denied(self) -> tuple[Source, Reference]:
        """Return a source, and a reference that it may not read; all others it may."""
        ...

    def unavailable(self, timeout_seconds: float) -> Source:
        """Return a source where nothing listens."""
        ...

    def silent(self, timeout_seconds: float) -> Source:
        """Return a source whose store accepts and never answers."""
        ...


def needs(*abilities: str) -> Callable[[T], T]:
    """Mark a test as one that a source without these abilities does not have.

    `no-versions` is the ability of a store that lacks `versions`.
    """
    assert ABILITIES.issuperset(ability.removeprefix("no-") for ability in abilities)

    def mark(test: T) -> T:
        test.needs = frozenset(abilities)  # type: ignore[attr-defined]
        return test

    return mark

"""What a subclass of the source contract provides: a harness, and a list of missing abilities.

The harness accesses the store without the source. This module contains no tests.
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

CANARY = "canary-3f9c51e7"  # a part of every test value; no message may show it

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
    """The store behind a source, accessed without the source.

    Every test gets a new harness. No secret that `ref` names exists until `put` creates it.
    Paths are plain lower-case words, and the harness may place them anywhere in its store.
    """

    def source(self, *, timeout_seconds: float = 15.0) -> Source:
        """Build a source for this store with this deadline."""
        ...

    def put(self, path: str, fields: Mapping[str, str]) -> None:
        """Create or replace the secret at `path` directly in the store, with only these fields.

        A source that lacks `fields` gets a single field.
        """
        ...

    def ref(self, path: str, field: str | None = None, version: str | None = None) -> Reference:
        """Return the reference to a field, or to the secret if the source lacks `fields`."""
        ...

    def reads(self) -> int:
        """Return the number of reads that the store has answered, without logins."""
        ...

    def denied(self) -> tuple[Source, Reference]:
        """Return a source, and a reference that it may not read; it may read all others."""
        ...

    def unavailable(self, timeout_seconds: float) -> Source:
        """Return a source for an address where nothing listens."""
        ...

    def silent(self, timeout_seconds: float) -> Source:
        """Return a source whose store accepts connections and never answers."""
        ...


def needs(*abilities: str) -> Callable[[T], T]:
    """Mark a test as one that is left out if a source lacks one of these abilities.

    `no-versions` is the ability of a store that lacks `versions`.
    """
    assert ABILITIES.issuperset(ability.removeprefix("no-") for ability in abilities)

    def mark(test: T) -> T:
        test.needs = frozenset(abilities)  # type: ignore[attr-defined]
        return test

    return mark

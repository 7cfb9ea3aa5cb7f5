"""The protocol that rotators implement.

A *rotator* knows how a credential is created, set at its target, tested and removed. Each
method probes before it acts, and may be called again after a crash at any instruction. The
protocol of stores is in `envkit.rotation_state.store`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit._internal.clock import Deadline
    from envkit.rotation_state.store import Fields


class Created(NamedTuple):
    """What a rotator made. A field that it leaves out stays as it is.

    Attributes:
        new: the fields that readers are to get.
        facts: what the rotator must know again after a crash; never a value.
        announced: what readers get before it, where they must know the new value before
            it is used.
        settle_seconds: how long they then take to know it.
        final: what readers get once the old one is retired, where that differs from `new`.
    """

    new: Fields
    facts: Mapping[str, str] = {}
    announced: Fields | None = None
    settle_seconds: float = 0.0
    final: Fields | None = None


class Rotator(Protocol):
    """How one kind of credential is rotated. Construction does no I/O.

    Errors are `RotationError` and `SourceError`; `RejectedError` says that the target
    refuses this value for good and another one must be made. `facts` are those that
    `prepare` and `create` returned, together.

    A rotator may have `cache_age_seconds`: how long readers keep a value before they read
    it again, as far as its settings say. `envkit check` holds the grace against that.
    """

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Look at the target before anything is made; return facts, never a value.

        Raises:
            RotationError: this secret cannot be rotated so (missing grant, foreign key).
        """
        ...

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:
        """Make the new fields. Only what cannot be staged touches its target here.

        Called again when a crash kept what it made from being saved; what an earlier call
        left at the target is then removed first.
        """
        ...

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Make the target take the new credential, the old one still working if it can."""
        ...

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:
        """Log in with the new credential and do what it is for."""
        ...

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:
        """Return whether a credential logs in now."""
        ...

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do what is left to do once readers have the new value."""
        ...

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:
        """Remove exactly this credential from the target; `keep` must work after it.

        Called for the old one after the grace, and for the new one when going back: then
        `keep` is the old one, which a rotator without overlap must set again. No fields
        stand for what `create` may have made and a crash kept from being saved.
        """
        ...


def _nothing() -> None:
    pass


class RotatorContext(NamedTuple):
    """All that a rotator may know when it is built, for one step.

    Attributes:
        rotation: `prod/db-password`, for messages and as a name for locks.
        target: the table `target` of the rotation, its placeholders substituted.
        generate: how a value is made: `length`, `alphabet`.
        strategy: `alternate` or `single`.
        fields: which fields of the secret are rotated, the value first.
        deadline: when the step must be over.
        confirm: raises `ConflictError` when the rotation has been carried on by somebody
            else meanwhile. To be called as late as possible before each change of the
            target, inside whatever lock the target has.
        secret: how the profile refers to it: `vault:db#password`.
        id: of the rotation that is under way; empty while there is none.
    """

    rotation: str
    target: Mapping[str, object]
    generate: Mapping[str, object]
    strategy: str
    fields: tuple[str, ...]
    deadline: Deadline
    confirm: Callable[[], None] = _nothing
    secret: str = ""
    id: str = ""

    def __repr__(self) -> str:
        return f"RotatorContext({self.rotation!r})"  # `target` may hold an admin's password

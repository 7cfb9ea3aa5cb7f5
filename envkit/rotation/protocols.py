"""The protocol that rotators implement.

A *rotator* knows how a credential is created, set at its target, tested and removed. Each
method probes before it acts, and may be called again after a crash at any instruction. The
protocol of stores is in `envkit.rotation_state.store`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from envkit.rotation_state.evidence import Reader, Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit._internal.clock import Deadline
    from envkit.rotation_state.store import Fields


__all__ = ["Created", "Reader", "Rotator", "RotatorContext", "SeesUse", "Usage"]


class Created(NamedTuple):
    """What a rotator made. A field that it leaves out stays as it is.

    Attributes:
        new: the fields that readers are to get.
        facts: what the rotator must know again after a crash; never a value.
        announced: what readers get before it, where they must know the new value before
            it is used.
        settle_seconds: how long they then take to know it.
        final: what readers get once the old one is retired, where that differs from `new`.
        issued: the SHA-256, in hexadecimal, of each password that was made, where the
            target names passwords so.
    """

    new: Fields
    facts: Mapping[str, str] = {}
    announced: Fields | None = None
    settle_seconds: float = 0.0
    final: Fields | None = None
    issued: tuple[str, ...] = ()


class Rotator(Protocol):
    """How one kind of credential is rotated. Construction does no I/O.

    Errors are `RotationError` and `SourceError`; `RejectedError` says that the target
    refuses this value for good and another one must be made. `facts` are those that
    `prepare` and `create` returned, together.

    A rotator may have `cache_age_seconds`: how long readers keep a value before they read
    it again, as far as its settings say. `envkit check` holds the grace against that. It may
    have `looks_beside`: the names of fields that are not rotated and that `prepare` is given
    with the others, where the secret has them.
    """

    def describe_target(self) -> str:
        """Return hosts, ports and users of the target, `db:5432, users app_a and app_b`.

        It tells one target from another and is stored in the record: no password, no text
        of a URL. No I/O. Empty where the readers are the target.
        """
        ...

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Prove what a rotation begins with, before anything is made or claimed.

        The current value is a login of a known form, of the user and at the server that
        the profile names, and it works; the admin can do what will be asked.

        Returns:
            facts, never a value; `extra_passwords` counts those that envkit does not know.

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

        What `RotatorContext.issued` names goes with it, unless it is part of `keep`.

        Called for the old one after the grace, and for the new one when going back: then
        `keep` is the old one, which a rotator without overlap must set again. No fields
        stand for what `create` may have made and a crash kept from being saved.
        """
        ...

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:
        """Return whether a credential that was retired is refused now.

        The proof that `retire` did its work: it asks the target, and believes no record.
        True if there is no server to ask.
        """
        ...


class SeesUse(Protocol):
    """What a rotator has in addition if its target shows who uses a credential.

    The old credential is then kept while it is in use, if the rotation has
    `retire_when = "unused"` or `"limit"`.

    Attributes:
        look_seconds: the time between two looks that suits the target.
    """

    look_seconds: float

    def in_use(self, fields: Fields, facts: Mapping[str, str]) -> Usage:
        """Return who uses a credential now, or has used it since `RotatorContext.changed_at`.

        Changes nothing. What envkit itself did with the credential does not count.

        Raises:
            EnvkitError: the target does not say. That is no evidence that it is unused.
        """
        ...


def _nothing() -> None:
    pass


def _no_conflict(_fields: Fields, _take_back: Callable[[], None]) -> None:
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
        confirm: raises `ConflictError` when the rotation has been advanced by another
            process meanwhile. To be called as late as possible before each change of the
            target, inside whatever lock the target has.
        settle: to be called after each change of the target, with the fields that it made
            work and what takes them away again. Where another process has advanced the
            rotation meanwhile, and the store no longer has these fields, it takes them
            back; then it raises `ConflictError`.
        secret: how the profile refers to it: `vault:db#password`.
        id: of the rotation in progress; empty while there is none.
        issued: as in `Record.issued`: what `retire` removes too, unless it is to be kept.
        end_sessions: whether `retire` ends the sessions of the old credential, whatever
            the target says.
        own_login: whether the target logs in with the rotated secret itself.
        changed_at: when readers got the new value, seconds since the epoch; 0 before.
    """

    rotation: str
    target: Mapping[str, object]
    generate: Mapping[str, object]
    strategy: str
    fields: tuple[str, ...]
    deadline: Deadline
    confirm: Callable[[], None] = _nothing
    settle: Callable[[Fields, Callable[[], None]], None] = _no_conflict
    secret: str = ""
    id: str = ""
    issued: tuple[str, ...] = ()
    end_sessions: bool = False
    own_login: bool = False
    changed_at: float = 0.0

    def __repr__(self) -> str:
        return f"RotatorContext({self.rotation!r})"  # `target` may hold an admin's password

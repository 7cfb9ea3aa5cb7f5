"""The protocol that rotators implement.

A *rotator* knows how to create a credential, set it at its target, test it and remove it. Each
method probes before it acts, and can be called again after a crash at any instruction. The
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
    """The result of `create`. A field that it leaves out does not change.

    Attributes:
        new: the fields that readers will get.
        facts: what the rotator needs to know again after a crash, never a value.
        announced: the fields that readers get first, if they must know the new value before
            it is used.
        settle_seconds: how long it takes until all readers know `announced`.
        final: the fields that readers get once the old credential is retired, if they differ
            from `new`.
        issued: the SHA-256, in hexadecimal, of each password that was created, if the target
            identifies passwords by it.
    """

    new: Fields
    facts: Mapping[str, str] = {}
    announced: Fields | None = None
    settle_seconds: float = 0.0
    final: Fields | None = None
    issued: tuple[str, ...] = ()


class Rotator(Protocol):
    """How one kind of credential is rotated. Construction does no I/O.

    A rotator raises `RotationError` and `SourceError`. `RejectedError` means that the target
    will never accept this value and that another one must be created. `facts` combines the
    facts that `prepare` and `create` returned.

    A rotator may have `cache_age_seconds`: how long readers cache a value before they read it
    again, as far as its settings say. `envkit check` compares the grace period with it. It may
    have `looks_beside`: the names of fields that are not rotated, and that `prepare` receives
    with the others if the secret has them.
    """

    def describe_target(self) -> str:
        """Return hosts, ports and users of the target: `db:5432, users app_a and app_b`.

        The description identifies the target and is stored in the record. It contains no password
        and no URL. Does no I/O. Empty if the readers are the target.
        """
        ...

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Check that the rotation can start, before anything is created or claimed.

        The current value must be a login in a known form, of the user and at the server that the
        profile names, and it must work. The admin must be able to do what the rotation needs.

        Returns:
            Facts, never a value; `extra_passwords` counts those that envkit did not create.

        Raises:
            RotationError: this secret cannot be rotated this way (missing grant, foreign key).
        """
        ...

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:
        """Create the new fields. Touch the target only if it creates the value itself.

        Called again if a crash prevented the new fields from being saved. It then first removes
        what an earlier call left at the target.
        """
        ...

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Set the new credential at the target; the old one still works, if possible."""
        ...

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:
        """Log in with the new credential and use it for its purpose."""
        ...

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:
        """Return whether a login with a credential works now."""
        ...

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:
        """Do the remaining work once the store has the new value."""
        ...

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:
        """Remove exactly this credential from the target; `keep` must still work afterwards.

        The passwords in `RotatorContext.issued` are removed with it, except that of `keep`.

        Called for the old credential after the grace period, and for the new one in a rollback.
        In a rollback, `keep` is the old one, which a rotator without overlap must set again.
        Empty fields mean a credential that `create` may have created before a crash.
        """
        ...

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:
        """Return whether the target refuses a retired credential now.

        This proves that `retire` worked: it asks the target and trusts no record. True if there
        is no server to ask.
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
    """Everything that a rotator receives when it is built, for one step.

    Attributes:
        rotation: `prod/db-password`, for messages and for names of locks.
        target: the table `target` of the rotation, with resolved placeholders.
        generate: how to generate a value: `length`, `alphabet`.
        strategy: `alternate` or `single`.
        fields: the rotated fields of the secret, the rotated value first.
        deadline: when the step must be over.
        confirm: raises `ConflictError` if another process has advanced the rotation. Call it
            as late as possible before each change of the target, inside any lock that the
            target has.
        settle: call it after each change of the target, with the fields that now work and a
            function that undoes the change. If another process has advanced the rotation and
            the store no longer has these fields, it undoes the change; then it raises
            `ConflictError`.
        secret: the reference in the profile: `vault:db#password`.
        id: of the rotation in progress; empty if there is none.
        issued: as in `Record.issued`: passwords that `retire` removes as well, except the one
            to keep.
        end_sessions: whether `retire` ends the sessions of the old credential, whatever the
            settings of the target are.
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
        return f"RotatorContext({self.rotation!r})"  # `target` may contain an admin's password

"""One lease of a dynamic secret, as plain data that one process passes on to the next. Pure."""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.errors import InvalidReferenceError, LeaseNeededError
from envkit.sources.vault.kv import Engine, Target
from envkit.sources.vault.life import NEVER, Life, begun, not_renewed, postponed, renewed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.profile.placeholder import Reference
    from envkit.sources.vault.auth import Lease


class Held(NamedTuple):
    """A dynamic secret and its lease.

    Attributes:
        target: what was read.
        lease_id: of the lease.
        fields: of the secret, as JSON.
        life: of the lease: renewed when that is due, or read anew if it is not renewable.
    """

    target: Target
    lease_id: str
    fields: str
    life: Life

    def __repr__(self) -> str:
        return f"Held({self.target.locate()})"

    def to_state(self) -> tuple[object, ...]:
        """Return it as plain data."""
        target = (tuple(self.target.engine), *self.target[1:])
        return target, self.lease_id, self.fields, tuple(self.life)

    @staticmethod
    def of_state(state: tuple[tuple[object, ...], str, str, tuple[float, ...]]) -> Held:
        """Return what `to_state` made plain data of."""
        (engine, *rest), lease_id, fields, life = state
        target = Target(Engine(*engine), *rest)  # type: ignore[misc,arg-type] # from `to_state`
        return Held(target, lease_id, fields, Life(*life))  # type: ignore[arg-type]

    def renewed(self, lease: Lease, now: float, spread: float) -> Held:
        """Return it after a renewal; one that was granted less than before is at its maximum."""
        return self._replace(life=renewed(self.life, lease, now, spread))

    def not_renewed(self, now: float) -> Held:
        """Return it after a renewal that the server refused."""
        return self._replace(life=not_renewed(self.life, now))

    def postponed(self, now: float) -> Held:
        """Return it after a renewal that failed, and may succeed later."""
        return self._replace(life=postponed(self.life, now))

    def ended(self, now: float) -> Held:
        """Return it as one that must be replaced at once."""
        return self._replace(life=Life(now, now, renewable=False))


def granted(target: Target, lease_id: str, fields: str, lease: Lease, spread: float) -> Held:
    """Return a secret that was just read.

    Args:
        target: what was read.
        lease_id: of its lease.
        fields: of the secret, as JSON.
        lease: what the server says.
        spread: a random number from -1 to 1.
    """
    from time import monotonic

    return Held(target, lease_id, fields, begun(lease, monotonic(), spread))


def renew_at(held: Iterable[Held]) -> float:
    """Return when the next lease is renewed; infinite if there is none that can be."""
    return min((one.life.due_at for one in held if one.life.renewable), default=NEVER)


def replace_at(held: Iterable[Held]) -> float:
    """Return when the next secret is read anew, while the old one still works."""
    return min((one.life.due_at for one in held if not one.life.renewable), default=NEVER)


def target_of(engine: Engine, path: str, source: str) -> Target:
    """Return the dynamic secret for an absolute path in an engine."""
    return Target(engine, path[len(engine.mount) + 1 :], None, source)


def lease_needed(ref: Reference, place: str) -> InvalidReferenceError:
    """Return the error of a command that does not live as long as a lease is needed."""
    if ref.version is not None:
        return InvalidReferenceError(
            f"{place} is a dynamic secret, which has no versions", hint="remove '?version='"
        )
    return LeaseNeededError(
        f"{place} is a dynamic secret, and this command would not renew and revoke it",
        hint="run the app with 'envkit exec --supervise' or '--watch', or use envkit.live in it",
    )

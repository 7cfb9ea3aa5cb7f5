"""An environment as it was read at one time, and the differences to a newer one. Pure."""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit.resolution.environment import Environment


class Snapshot(NamedTuple):
    """An environment as it was read at one time.

    Attributes:
        environment: the variables.
        generation: 1 for the first; grows by one when a value changes.
        read_at: on the monotonic clock.
        generations: per variable the generation in which it last changed.
    """

    environment: Environment
    generation: int
    read_at: float
    generations: Mapping[str, int] = {}


def first(environment: Environment, now: float) -> Snapshot:
    """Return the snapshot of the first read."""
    return Snapshot(environment, 1, now, dict.fromkeys(environment, 1))


def following(before: Snapshot, environment: Environment, now: float) -> Snapshot:
    """Return the snapshot of a later read; of the same generation if no value has changed."""
    names = differing(before.environment, environment, {*before.environment, *environment})
    if not names:
        return before._replace(read_at=now)
    generation = before.generation + 1
    generations = {**before.generations, **dict.fromkeys(names, generation)}
    return Snapshot(environment, generation, now, generations)


def new_names(snapshot: Snapshot) -> list[str]:
    """Return the variables that changed in the generation of a snapshot."""
    return [name for name, at in snapshot.generations.items() if at == snapshot.generation]


def differing(before: Environment, after: Environment, names: Iterable[str]) -> list[str]:
    """Return those of `names` whose values differ, or that only one environment has."""
    return sorted(name for name in names if before.get(name) != after.get(name))

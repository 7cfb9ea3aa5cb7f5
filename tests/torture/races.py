"""Run eight `envkit rotate` on one secret at the same moment; it must be rotated once.

    python tests/torture/races.py [--store vault] [--rotator redis] [--rounds 50]

In each round, all of them find the rotation due, or get its name, and all of them run again after
the grace period. Readers log in meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from torture.readers import READERS, Readers  # noqa: E402
from torture.targets import ROTATORS  # noqa: E402
from torture.warm import Warm  # noqa: E402
from torture.world import SHELVES, Servers, World  # noqa: E402

RACERS = 8
MOST_HEATS = 5  # to finish the rotation of a round


def heat(world: World, racers: list[Warm], *names: str) -> list[dict]:
    """Start all of them at once, and return the outcome of each."""
    runs = [world.start(warm, *names) for warm in racers]
    return [run.wait().rotation for run in runs]


def play(world: World, racers: list[Warm], readers: Readers, *names: str) -> list[str]:
    """Rotate once; return the problems."""
    world.become_due()
    before, writes = world.current(), world.writes()
    outcomes: Counter[str] = Counter()
    for number in range(MOST_HEATS):
        found = heat(world, racers, *(names if not number else ()))
        outcomes.update(one["outcome"] for one in found)
        errors = [one["error"] for one in found if one["outcome"] in ("failed", "refused")]
        if errors:
            return [f"{len(errors)} failed: {errors[0]}"]
        if any(one["outcome"] == "rotated" for one in found):
            break
        readers.wait_a_round()
        world.pass_grace()
    heat(world, racers)  # nothing is left to do
    wrong = world.wrong(before)
    if outcomes["rotated"] != 1:
        wrong.append(f"{outcomes['rotated']} say that they have rotated it")
    given = None if writes is None else world.writes() - writes
    if given not in (None, world.target.publications):
        wrong.append(f"readers were given {given} new values")
    return wrong


def race(folder: Path, servers, store: str, rotator: str, racers, readers, rounds: int) -> int:
    """Return the number of problems."""
    begun = time.monotonic()
    with World(servers, folder / f"race-{store}-{rotator}", store, ROTATORS[rotator]) as world:
        readers.begin(world.shelf, world.target)
        wrong = []
        for number in range(1, rounds + 1):
            names = ["it"] if number % 2 else []
            wrong += [f"round {number}: {what}" for what in play(world, racers, readers, *names)]
        report = readers.end()
    if report.values != rounds + 1:
        wrong.append(f"readers have seen {report.values} values in {rounds} rounds")
    wrong += report.failures
    print(
        f"{store:7} {rotator:19} {RACERS} at once, {rounds} rounds: "
        f"{report.values - 1} rotations, {report.logins} logins, {report.failed} failed, "
        f"{len(wrong)} wrong, {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    for what in wrong[:10]:
        print(f"    {what}")
    return len(wrong)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=SHELVES, action="append")
    parser.add_argument("--rotator", choices=ROTATORS, action="append")
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        racers = [stack.enter_context(Warm()) for _ in range(RACERS)]
        readers = stack.enter_context(Readers(READERS))
        servers = stack.enter_context(Servers(place))
        wrong = sum(
            race(place, servers, store, rotator, racers, readers, options.rounds)
            for store in options.store or SHELVES
            for rotator in options.rotator or ROTATORS
        )
    sys.exit(f"{wrong} were wrong" if wrong else 0)


if __name__ == "__main__":
    main()

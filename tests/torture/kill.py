"""Kill `envkit rotate` at every point, while readers log in; no login may fail.

    python tests/torture/kill.py [--store vault] [--rotator redis] [--each 1] [--seed 7]

Three stores and five rotators, against real servers. The process is killed at every message
to the store and the target: before the server gets it, after it got it, and after it answered. With
a `.env` store, it is killed before every operation on a file, and in the middle of each write. Then
another process resumes, through the grace period to the end. The rotation must have happened once,
and nothing may be left behind. Finally, several processes are killed in the same rotation, at
random points.

Meanwhile, readers read the current value without the proxies and log in. No login may fail. Then
the same with faulty rotations: readers must fail. Otherwise the check itself does not work.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from torture import stopping  # noqa: E402
from torture.readers import READERS, Readers  # noqa: E402
from torture.targets import ROTATORS  # noqa: E402
from torture.warm import IN_GRACE, KILLED, Warm  # noqa: E402
from torture.world import SHELVES, Servers, World  # noqa: E402

FILES = "files"
MOST_RUNS = 6  # to finish a rotation after a kill
AT_RANDOM = 25  # rotations with several killed processes
CACHE_SECONDS = 0.25
WRONG_ROTATIONS = 8
CAN_FAIL = ("postgres-alternate", "redis")  # old and new overlap, and logins are real


class Place:
    """A folder, a warm process, readers and servers, which all worlds share."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._stack = ExitStack()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Place:
        enter = self._stack.enter_context
        self._folder = Path(enter(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        self.warm = enter(Warm())
        self.readers = enter(Readers(READERS))
        self._servers = enter(Servers(self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def world(self, store: str, rotator: str, *, grace: str = "15m") -> World:
        root = self._folder / f"world{next(self._numbers)}"
        return World(self._servers, root, store, ROTATORS[rotator], grace=grace)


class Killer:
    """Rotates one secret repeatedly, each time with a kill at another point."""

    def __init__(self, world: World, warm: Warm, readers: Readers) -> None:
        self.world = world
        self.warm = warm
        self.readers = readers
        self.kills = 0
        self.rotations = 0
        self.numbers: dict[str, int] = {}  # moment -> the last message that was reached
        self.wrong: list[str] = []

    def everywhere(self, moments: list[str], each: int) -> None:
        """Kill the process that begins a rotation, and the one that ends it, at each number."""
        for moment in moments:
            for after_grace in (False, True):
                number = 1
                while self.rotate((moment, number), after_grace=after_grace):
                    self.numbers[moment] = max(number, self.numbers.get(moment, 0))
                    number += each

    def at_random(self, chance: random.Random, times: int) -> None:
        """Kill several processes of one rotation; each resumes after the previous one."""
        for _ in range(times):
            moments = chance.choices(list(self.numbers), k=chance.randint(2, 5))
            self.rotate(*((moment, chance.randint(1, self.numbers[moment])) for moment in moments))

    def rotate(self, *kills: tuple[str, int], after_grace: bool = False) -> int:
        """Rotate once.

        Args:
            kills: a moment and a number for each process that is to be killed.
            after_grace: whether the first process is left alone.

        Returns:
            the number of killed processes; the others finished before that point.
        """
        world = self.world
        world.become_due()
        before, writes, failures = world.current(), world.writes(), self.readers.failed
        if after_grace:
            done = world.start(self.warm).wait()
            assert done.outcome in IN_GRACE, done
            self.let_the_grace_pass()
        killed = sum([self.killed(moment, number) for moment, number in kills])
        self.go_on()
        self.rotations += 1
        self.kills += killed
        wrong = world.wrong(before)
        if writes is not None and world.writes() != writes + world.target.publications:
            wrong.append(f"readers were given {world.writes() - writes} new values")
        if self.readers.failed > failures:
            wrong.append(f"{self.readers.failed - failures} logins failed")
        where = f"{kills} {'after' if after_grace else 'before'} the grace"
        self.wrong += [f"{where}: {what}" for what in wrong]
        return killed

    def let_the_grace_pass(self) -> None:
        self.readers.wait_a_round()
        self.world.pass_grace()

    def killed(self, moment: str, number: int) -> bool:
        """Start a process and kill it there; return False if it finished before."""
        world = self.world
        world.stopper.arm(0 if moment == FILES else number, moment)
        done = world.start(self.warm, die_at=number if moment == FILES else 0).wait()
        world.stopper.settle()
        killed = world.died_by_itself if moment == FILES else world.stopper.stopped
        assert killed == (done.status == KILLED), done
        world.stopper.arm(0, "")
        if killed:
            self.readers.wait_a_round()  # the lease may end after the grace period
            world.pass_lease()
        elif done.outcome in IN_GRACE:
            self.let_the_grace_pass()
        else:
            assert done.outcome in ("rotated", "not-due"), done.rotation
        return killed

    def go_on(self) -> None:
        """Run, as cron would, until the rotation is finished."""
        for _ in range(MOST_RUNS):
            done = self.world.start(self.warm).wait()
            if done.outcome in ("rotated", "not-due"):  # the latter where the last one died late
                return
            if done.outcome in IN_GRACE:
                self.let_the_grace_pass()
            else:
                self.wrong.append(f"a run ended so: {done.rotation}")
                self.world.pass_lease()
        raise AssertionError(f"the rotation is not done after {MOST_RUNS} runs: {done.rotation}")


def torture(place: Place, store: str, rotator: str, each: int) -> list[str]:
    """Kill a rotation at every point, or every n-th; return the problems."""
    begun = time.monotonic()
    with place.world(store, rotator) as world:
        killer = Killer(world, place.warm, place.readers)
        place.readers.begin(world.shelf, world.target)
        try:
            killer.rotate()  # without faults
            moments = [*stopping.MOMENTS] if world.shelf.port or world.target.port else []
            killer.everywhere([*moments, FILES] if store == "dotenv" else moments, each)
            killer.at_random(place.chance, AT_RANDOM // each)
        finally:
            report = place.readers.end()
    if report.values != killer.rotations + 1:
        killer.wrong.append(f"{report.values - 1} values in {killer.rotations} rotations")
    failures = [*killer.wrong, *report.failures]
    print(
        f"{store:7} {rotator:19} {killer.kills:5} {killer.rotations:9} {report.logins:7} "
        f"{report.fallbacks:8} {report.failed:7} {report.mean_ms:8.1f} {report.median_ms:6.1f} "
        f"{report.longest_ms:7.0f} {len(killer.wrong):6} {time.monotonic() - begun:5.0f}",
        flush=True,
    )
    for failure in failures[:10]:
        print(f"    {failure}")
    return failures


HEADER = (
    "store   rotator             kills rotations  logins fallback  failed  ms:mean median"
    " longest  wrong     s"
)


def check_that_it_can_fail(place: Place, store: str, rotator: str) -> list[str]:
    """Run faulty rotations, which must break readers; return those that did not."""
    missed = []
    for what, grace, cache_seconds, prepare in (
        ("grace 15 minutes, consumers that cache", "15m", CACHE_SECONDS, ""),
        ("no grace, consumers that cache", "0s", CACHE_SECONDS, ""),
        ("promote before set", "15m", 0.0, "torture.wrong:promote_before_set"),
    ):
        with place.world(store, rotator, grace=grace) as world:
            world.prepare = prepare
            place.readers.begin(world.shelf, world.target, cache_seconds=cache_seconds)
            killer = Killer(world, place.warm, place.readers)
            for _ in range(WRONG_ROTATIONS):
                killer.rotate()
            report = place.readers.end()
        right = "15m" in grace and not prepare
        print(
            f"{store:7} {rotator:19} {what}: {report.failed} of "
            f"{report.logins + report.failed} logins failed",
            flush=True,
        )
        if right != (report.failed == 0):
            missed.append(f"{store} {rotator} {what}: {report.failed} logins failed")
    return missed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=SHELVES, action="append")
    parser.add_argument("--rotator", choices=ROTATORS, action="append")
    parser.add_argument("--each", type=int, default=1, help="kill at each so many places only")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    print(f"seed {options.seed}, {os.cpu_count()} cores")
    begun = time.monotonic()
    pairs = [(s, r) for s in options.store or SHELVES for r in options.rotator or ROTATORS]
    with Place(random.Random(options.seed)) as place:
        print(HEADER, flush=True)
        wrong = [failure for pair in pairs for failure in torture(place, *pair, options.each)]
        for store, rotator in pairs:
            if rotator in CAN_FAIL:
                wrong += check_that_it_can_fail(place, store, rotator)
    print(f"{time.monotonic() - begun:.0f} s in all")
    sys.exit(f"{len(wrong)} were wrong, such as: {wrong[0]}" if wrong else 0)


if __name__ == "__main__":
    main()

"""Kill `envkit rotate` at every message, and race eight, while a session uses the old login.

    python tests/torture/in_use.py [--store vault] [--each 1]

The session belongs to the old user of `postgres` with two users. As long as it is open, the old
login must work, whatever was killed, and no run may fail. With `retire_when = "unused"` it is then
closed, and the old login is retired; the process that retires it is killed at every message, also
between the look at the target and the retirement. With `"limit"` the session stays open, and the
old login is retired at the limit. Finally, `"grace"` must be noticed as a fault: otherwise the
check itself does not work.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

import psycopg  # noqa: E402

from torture import stopping  # noqa: E402
from torture.targets import URL, AlternateTarget  # noqa: E402
from torture.warm import Warm  # noqa: E402
from torture.world import SHELVES, Servers, World  # noqa: E402

RACERS = 8
MOST_RUNS = 6  # to retire after a kill
HOUR = 3600.0
LIMIT_HOURS = 100
POLICIES = {
    "unused": 'retire_when = "unused"\ngrace_limit = "100h"\n',
    "limit": 'retire_when = "limit"\ngrace_limit = "100h"\n',
    "grace": 'retire_when = "grace"\n',
}
KEPT, BUSY = "in-use", "busy"


class Scene:
    """One rotation after another, each with a session of the old user."""

    def __init__(self, world: World, racers: list[Warm], when: str) -> None:
        world.edit(more=POLICIES[when])
        self.world, self.racers, self.when = world, racers, when
        self.kills = self.rotations = 0
        self.wrong: list[str] = []

    def everywhere(self, each: int) -> None:
        """Kill the process that keeps the login, and the one that retires it, at each message."""
        for moment in stopping.MOMENTS:
            number = 1
            while self.rotate(moment, number):
                number += each

    def rotate(self, moment: str = "", number: int = 0) -> int:
        """Rotate once; return how many processes were killed."""
        world = self.world
        world.become_due()
        before, kills = world.current(), self.kills
        where = f"{self.when}, {moment} {number}"
        with psycopg.connect(before[URL], autocommit=True) as session:
            self.expect(where, "in-grace", self.run())
            world.pass_grace()
            self.expect(where, KEPT, self.run(moment, number))
            self.expect(where, KEPT, self.run())
            self.race(where)
            if not world.target.works(before, world.current()):
                self.wrong.append(f"{where}: the old login was retired while it was in use")
            if self.when == "limit":
                world.ahead_seconds += LIMIT_HOURS * HOUR
                self.retire(where, moment, number)
            session.execute("SELECT 1")
        if self.when == "unused":
            self.wait_until_gone(before)
            world.ahead_seconds += HOUR
            self.retire(where, moment, number)
        self.rotations += 1
        self.wrong += [f"{where}: {what}" for what in world.wrong(before)]
        return self.kills - kills

    def race(self, where: str) -> None:
        """Run several at once: all of them keep the login."""
        runs = [self.world.start(racer) for racer in self.racers]
        found = Counter(run.wait().rotation["outcome"] for run in runs)
        if found.keys() - {KEPT, BUSY}:
            self.wrong.append(f"{where}: {dict(found)} at once")

    def retire(self, where: str, moment: str, number: int) -> None:
        """Run, as cron would, until the old login is retired."""
        outcome = self.run(moment, number)
        for _ in range(MOST_RUNS):
            if outcome in ("rotated", "not-due"):  # the latter where the last one died late
                return
            if outcome:
                break
            self.world.pass_lease()
            outcome = self.run()
        self.wrong.append(f"{where}: {outcome} and not retired")

    def run(self, moment: str = "", number: int = 0) -> str:
        """Run one process; return its outcome, empty if it was killed."""
        stopper = self.world.stopper
        stopper.arm(number, moment)
        done = self.world.start(self.racers[0]).wait()
        stopper.settle()
        killed = stopper.stopped
        stopper.arm(0, "")
        self.kills += killed
        return "" if killed else done.outcome

    def expect(self, where: str, wanted: str, outcome: str) -> None:
        if outcome not in ("", wanted):
            self.wrong.append(f"{where}: {outcome} instead of {wanted}")

    def wait_until_gone(self, before: dict[str, str]) -> None:
        """Wait until the server no longer shows the session."""
        user = psycopg.conninfo.conninfo_to_dict(before[URL])["user"]
        end = time.monotonic() + 30
        query = f"SELECT 1 FROM pg_stat_activity WHERE usename = '{user}'"
        while self.world.target.harness.database.run(query):
            assert time.monotonic() < end, "the session does not end"
            time.sleep(0.01)


def torture(servers: Servers, folder: Path, store: str, when: str, racers, each: int) -> list[str]:
    begun = time.monotonic()
    with World(servers, folder / f"{store}-{when}", store, AlternateTarget) as world:
        scene = Scene(world, racers, when)
        scene.rotate()
        scene.everywhere(each)
    print(
        f"{store:7} {when:7} {scene.kills} kills, {scene.rotations} rotations, "
        f"{len(scene.wrong)} wrong, {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    for what in scene.wrong[:10]:
        print(f"    {what}")
    return scene.wrong


def check_that_it_can_fail(servers: Servers, folder: Path, racers) -> list[str]:
    """Rotate without regard to the session, which must be noticed."""
    with World(servers, folder / "faulty", "dotenv", AlternateTarget) as world:
        scene = Scene(world, racers, "grace")
        scene.rotate()
    noticed = any("retired while it was in use" in what for what in scene.wrong)
    return [] if noticed else ["nobody noticed that the old login was retired while it was in use"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=SHELVES, action="append")
    parser.add_argument("--each", type=int, default=1, help="kill at each so many messages only")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        racers = [stack.enter_context(Warm()) for _ in range(RACERS)]
        servers = stack.enter_context(Servers(folder))
        wrong = [
            what
            for store in options.store or SHELVES
            for when in ("unused", "limit")
            for what in torture(servers, folder, store, when, racers, options.each)
        ]
        wrong += check_that_it_can_fail(servers, folder, racers)
    sys.exit(f"{len(wrong)} were wrong, such as: {wrong[0]}" if wrong else 0)


if __name__ == "__main__":
    main()

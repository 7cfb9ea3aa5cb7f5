"""Pause `envkit rotate` with SIGSTOP at any point while another process rotates twice.

    python tests/torture/pauses.py [--store vault] [--rotator redis] [--pauses 300] [--seed 7]

A process is paused at a random moment of a rotation, or at a random message, which waits too. A
second process finishes the rotation, and rotates once more. Then the first one is resumed or
killed, and the next rotation also removes the effect of its last message. Afterwards only the
current credential may log in. (Not with `.env` files: a paused process does not release the lock
of the file, and the others wait.)

Finally, the same at the worst moment, with a machine that does not check again after a change: a
retired credential must work again. Otherwise the check itself does not work.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from torture.course import Course  # noqa: E402
from torture.stopping import HELD  # noqa: E402
from torture.targets import ALL  # noqa: E402
from torture.warm import IN_GRACE, KILLED, Run, Warm  # noqa: E402
from torture.world import Servers, World  # noqa: E402

PAUSED = ("redis", "command")
DEATHS = 0.25  # the share of paused processes that are killed instead of resumed
MOST_TRIES = 4  # for each pause
BROKEN = "torture.wrong:stop_before_the_change_and_look_no_more"


class Pauses:
    """Pauses one process after another, each in a separate rotation."""

    def __init__(self, world: World, first: Warm, second: Warm, chance: random.Random) -> None:
        self.world = world
        self.first = first
        self.chance = chance
        self.course = Course(world, second)
        self.paused = 0
        self.messages = 0  # of a run without faults
        self.seconds = 0.0  # its duration

    def measure(self) -> None:
        """Rotate without faults."""
        self.world.become_due()
        self.world.stopper.arm(0, "")
        begun = time.monotonic()
        self.course.note(self.world.start(self.first).wait())
        self.seconds = time.monotonic() - begun
        self.messages = self.world.stopper.number
        self.course.finish()
        self.course.check()

    def one(self, number: int, *, prepare: str = "") -> None:
        """Pause a process somewhere, let another one continue, and then resume the first."""
        world, course, chance = self.world, self.course, self.chance
        world.become_due()
        after_grace = chance.random() < 0.3
        if after_grace and not prepare:
            done = world.start(self.first).wait()
            course.note(done)
            assert done.outcome in IN_GRACE, done
            world.pass_grace()
        at_message = bool(self.messages) and chance.random() < 0.5 and not prepare
        world.stopper.arm(chance.randint(1, self.messages) if at_message else 0, HELD)
        begun = time.monotonic()
        run = world.start(self.first, act=Run.pause, prepare=prepare)
        if prepare:
            stopped = run.wait_until_paused()
        elif at_message:
            stopped = self._wait_for_the_message(run)
        else:
            time.sleep(max(0.0, begun + chance.random() * self.seconds - time.monotonic()))
            stopped = run.pause()
        if not stopped:
            world.stopper.arm(0, "")  # it ended before that message
        dies = not prepare and chance.random() < DEATHS
        how = "message" if at_message else "moment"
        where = f"{how}{' after the grace' * after_grace}{', killed' * dies}"
        course.where = f"pause {number} at a {where}"
        self.paused += stopped
        try:
            course.finish("--resume")
            course.rotate()
        finally:
            if dies:
                run.kill()
            world.stopper.release()
            run.go_on()
            ended = run.wait()
        world.stopper.settle()
        world.stopper.arm(0, "")
        course.finish()
        if ended.status == KILLED:
            course.rotate()  # it also removes a credential that a dead process added too late
        else:
            course.note(ended)
        course.check()

    def _wait_for_the_message(self, run: Run) -> bool:
        while not self.world.stopper.stopped:
            if not _is_there(run.pid):
                return False
            time.sleep(0.001)
        return True


def _is_there(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return False


def pause(folder: Path, servers, store: str, rotator: str, warms, chance, count: int) -> int:
    """Return the number of problems."""
    with World(servers, folder / f"pauses-{store}-{rotator}", store, ALL[rotator]) as world:
        pauses = Pauses(world, *warms, chance)
        pauses.measure()
        tries = 0
        while pauses.paused < count and tries < MOST_TRIES * count:
            tries += 1  # some end before they are paused
            pauses.one(tries)
        pauses.course.report(f"{pauses.paused} pauses in {tries} tries")
    wrong = len(pauses.course.wrong)
    if pauses.paused < count:
        print(f"    only {pauses.paused} were stopped before their end")
        wrong += 1
    with World(servers, folder / f"broken-{store}-{rotator}", store, ALL[rotator]) as world:
        pauses = Pauses(world, *warms, chance)
        pauses.measure()
        pauses.one(1, prepare=BROKEN)
        found = [what for what in pauses.course.wrong if "a retired credential logs in" in what]
        print(f"{store:7} {rotator:19} without the look after a change: {len(found)} found")
    return wrong + (not found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=("vault", "aws"), action="append")
    parser.add_argument("--rotator", choices=ALL, action="append")
    parser.add_argument("--pauses", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    print(f"seed {options.seed}, {os.cpu_count()} cores")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        warms = [stack.enter_context(Warm()) for _ in range(2)]
        servers = stack.enter_context(Servers(folder))
        chance = random.Random(options.seed)
        wrong = sum(
            pause(folder, servers, store, rotator, warms, chance, options.pauses)
            for store in options.store or ("vault",)
            for rotator in options.rotator or PAUSED
        )
    sys.exit(f"{wrong} were wrong" if wrong else 0)


if __name__ == "__main__":
    main()

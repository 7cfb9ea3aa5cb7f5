"""Lose the answer to each request of a rotation, one at a time, and check the result.

    python tests/torture/answers.py [--store vault] [--rotator redis] [--each 1]

The server gets the n-th message and executes it. Its answer never arrives, and the connection
ends. The process that asked continues or fails, and the next one resumes. Both are tried before and
after the grace period, for n from 1 to the last message.

Finally, the same with a machine that assumes an answer: it must leave something behind. Otherwise
the check itself does not work.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from torture.course import Course  # noqa: E402
from torture.stopping import LOST  # noqa: E402
from torture.targets import ALL, ROTATORS  # noqa: E402
from torture.warm import IN_GRACE, Warm  # noqa: E402
from torture.world import SHELVES, Servers, World  # noqa: E402

BROKEN = "torture.wrong:believe_a_lost_answer"


def lose(course: Course, number: int, *, after_grace: bool, prepare: str = "") -> bool:
    """Lose one answer; return whether there were that many messages."""
    world = course.world
    course.where = f"answer {number} {'after' if after_grace else 'before'} the grace period"
    world.become_due()
    before = world.current()
    if after_grace:
        done = course.run()
        assert done.outcome in IN_GRACE, done
        world.pass_grace()
    world.stopper.arm(number, LOST)
    done = course.run(prepare=prepare, act=lambda _run: None)
    lost = world.stopper.stopped
    world.stopper.arm(0, "")
    world.stopper.settle()
    if done.outcome in IN_GRACE:
        world.pass_grace()
    else:
        world.pass_lease()
    course.finish()
    course.rotations += 1
    if world.current() == before:
        course.say("nothing was rotated")
    course.check()
    return lost


def everywhere(course: Course, each: int, *, prepare: str = "") -> int:
    """Lose the answer to each message; return the number of messages."""
    count = 0
    for after_grace in (False, True):
        number = 1
        while lose(course, number, after_grace=after_grace, prepare=prepare):
            count += 1
            number += each
    return count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=SHELVES, action="append")
    parser.add_argument("--rotator", choices=ROTATORS, action="append")
    parser.add_argument("--each", type=int, default=1, help="lose each so many answers only")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    wrong = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        warm = stack.enter_context(Warm())
        servers = stack.enter_context(Servers(folder))
        for store in options.store or ("vault", "aws"):
            for rotator in options.rotator or ROTATORS:
                root = folder / f"{store}-{rotator}"
                with World(servers, root, store, ALL[rotator]) as world:
                    course = Course(world, warm)
                    count = everywhere(course, options.each)
                    course.report(f"{count} answers lost")
                    wrong += len(course.wrong) + (not count)
        with World(servers, folder / "broken", "vault", ALL["redis"]) as world:
            course = Course(world, warm)
            everywhere(course, 1, prepare=BROKEN)
            print(f"with a machine that believes: {len(course.wrong)} found")
            wrong += not course.wrong
    sys.exit(f"{wrong} were wrong" if wrong else 0)


if __name__ == "__main__":
    main()

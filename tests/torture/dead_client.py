"""Kill or pause a PostgreSQL client inside its transaction, and measure when others can continue.

    python tests/torture/dead_client.py [--store vault] [--strategy alternate]

The process is killed or stopped after the server got its ALTER ROLE, and before the commit. Its
connection stays open, like that of a host that lost its network. A second process resumes the
rotation, and must complete it within MOST_SECONDS. A paused process continues afterwards.

Finally, the same without the timeout of idle transactions: no other process may be able to
continue. Otherwise the check itself does not work.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from torture.course import Course  # noqa: E402
from torture.stopping import SEVERED  # noqa: E402
from torture.targets import ALL  # noqa: E402
from torture.warm import IN_GRACE, Run, Warm  # noqa: E402
from torture.world import SHELVES, Servers, World  # noqa: E402

MOST_SECONDS = 30.0
BROKEN = "torture.wrong:wait_for_ever"
INSIDE = b"ALTER ROLE"


def resume_beside(world: World, warms, *, dies: bool, after_grace: bool, prepare: str = ""):
    """Let a second process continue; return its course and the seconds that it took."""
    first, second = warms
    course = Course(world, second)
    course.where = f"{'killed' if dies else 'stopped'} {'after' if after_grace else 'before'} grace"
    world.become_due()
    if after_grace:
        done = world.start(first).wait()
        course.note(done)
        assert done.outcome in IN_GRACE, done
        world.pass_grace()
    world.stopper.arm(1, SEVERED, containing=INSIDE)
    run = world.start(first, act=Run.kill if dies else Run.pause, prepare=prepare)
    try:
        while not world.stopper.stopped:
            time.sleep(0.01)
        begun = time.monotonic()
        done = course.run("--resume")
        seconds = time.monotonic() - begun
        if seconds > MOST_SECONDS or not (done.outcome in IN_GRACE or done.outcome == "rotated"):
            course.say(f"{done.outcome} after {seconds:.0f} s: {done.rotation['error']}")
    finally:
        world.stopper.release()
        run.go_on()
        course.note(run.wait())
    world.stopper.arm(0, "")
    course.finish("--resume")
    course.rotate()
    course.check()
    return course, seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=SHELVES, default="vault")
    parser.add_argument("--strategy", choices=("alternate", "single"), action="append")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    wrong = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        warms = [stack.enter_context(Warm()) for _ in range(2)]
        servers = stack.enter_context(Servers(folder))

        def play(strategy: str, name: str, **how):
            kind = ALL[f"postgres-{strategy}"]
            with World(servers, folder / f"{strategy}-{name}", options.store, kind) as world:
                return resume_beside(world, warms, **how)

        for strategy in options.strategy or ("alternate", "single"):
            for dies in (True, False):
                for after_grace in (False, True) if strategy == "alternate" else (False,):
                    name = f"{dies}-{after_grace}"
                    course, seconds = play(strategy, name, dies=dies, after_grace=after_grace)
                    course.report(f"{course.where}, resumed in {seconds:.1f} s")
                    wrong += len(course.wrong)
        course, seconds = play("alternate", "broken", dies=False, after_grace=False, prepare=BROKEN)
        found = [what for what in course.wrong if "after" in what]
        print(f"without the timeout: after {seconds:.0f} s, {len(found)} found")
        wrong += not found
    sys.exit(f"{wrong} were wrong" if wrong else 0)


if __name__ == "__main__":
    main()

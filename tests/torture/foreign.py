"""Change the credential and the secret by hand at each moment of a claim.

    python tests/torture/foreign.py [--store vault] [--rotator redis]

The n-th message of a rotating process waits until the credential was replaced at the target and in
the store; n goes from the first read to the staged record. The rotation begins again from the new
value, or refuses with a hint that works. It never overwrites that value, and the next rotation
succeeds.

Finally, the same with a machine that refuses without a hint where it could begin again: rotations
must stop. Otherwise the check itself does not work.
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
from torture.shelves import MissingError  # noqa: E402
from torture.stopping import HELD  # noqa: E402
from torture.targets import ALL  # noqa: E402
from torture.warm import Warm  # noqa: E402
from torture.world import SHELVES, Servers, World  # noqa: E402

TARGETS = ("redis", "postgres-alternate", "postgres-single", "aws-iam-key")
BROKEN = "torture.wrong:refuse_a_changed_claim"


class Person:
    """Replaces a credential while a message waits."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.theirs: dict[str, str] = {}
        self.staged = False
        self.failed: list[str] = []

    def act(self, _run: object) -> None:
        world = self.world
        try:
            self.staged = "new" in self.pending()
            if not self.staged:
                self.theirs = world.target.change_by_hand(world.current())
                world.shelf.change(self.theirs)
        except Exception as error:  # noqa: BLE001 - it is in a thread of the stopper
            self.failed.append(f"{type(error).__name__}: {error}")
        finally:
            world.stopper.release()

    def pending(self) -> dict[str, dict[str, str]]:
        try:
            return self.world._reader().pending()
        except MissingError:
            return {}

    def was_overwritten(self) -> bool:
        """Whether readers have a value now that was not created from the replaced one."""
        return (
            bool(self.theirs)
            and self.world.current() != self.theirs
            and self.pending().get("old") != self.theirs
        )


def interfere(course: Course, number: int, *, prepare: str = "") -> bool:
    """Change the credential at one message; return whether that was before the staged record."""
    world = course.world
    course.where = f"message {number}"
    world.become_due()
    person = Person(world)
    world.stopper.arm(number, HELD)
    done = course.run(act=person.act, prepare=prepare)
    stopped = world.stopper.stopped
    world.stopper.arm(0, "")
    assert not person.failed, person.failed
    if person.was_overwritten():
        course.say("the value of a person was overwritten")
    if done.rotation["error"] and not done.rotation["hint"] and done.outcome == "refused":
        course.say(f"it refuses without advice: {done.rotation['error']}")
    course.finish()
    course.rotate()
    course.check()
    return stopped and not person.staged


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=SHELVES, action="append")
    parser.add_argument("--rotator", choices=TARGETS, action="append")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    wrong = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        warm = stack.enter_context(Warm())
        servers = stack.enter_context(Servers(folder))
        for store in options.store or SHELVES:
            for rotator in options.rotator or TARGETS:
                with World(servers, folder / f"{store}-{rotator}", store, ALL[rotator]) as world:
                    course, count = Course(world, warm), 1
                    while interfere(course, count):
                        count += 1
                    course.report(f"{count - 1} foreign writes")
                    wrong += len(course.wrong) + (count == 1)
        with World(servers, folder / "broken", "vault", ALL["redis"]) as world:
            course = Course(world, warm)
            for number in range(1, 25):
                interfere(course, number, prepare=BROKEN)
            print(f"with a machine that begins no claim again: {len(course.wrong)} found")
            wrong += not course.wrong
    sys.exit(f"{wrong} were wrong" if wrong else 0)


if __name__ == "__main__":
    main()

"""One secret that is rotated repeatedly, and the checks of its state.

    course = Course(world, warm)
    course.finish("--resume")       # finish any rotation in progress, following the hints
    course.rotate()                 # one more, without faults
    course.check()                  # no retired credential logs in, the current one does
    course.wrong                    # the problems

The parts of `make torture` without readers use it. Each prints one line of figures with `report`,
and exits with a status other than 0 if anything was wrong.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from torture.shelves import MissingError
from torture.warm import IN_GRACE

if TYPE_CHECKING:
    from torture.warm import Done, Warm
    from torture.world import World

INTERNAL = 70  # the exit status of a traceback
MOST_RUNS = 12  # to finish a rotation
MOST_KNOWN = 6  # the number of newest values that are tried each time
_OPTION = re.compile(r"envkit rotate (?:(--\w+) )?")


class Course:
    """See the module's docstring."""

    def __init__(self, world: World, warm: Warm) -> None:
        self.world = world
        self.warm = warm
        self.begun = time.monotonic()
        self.logins = self.refused = self.rotations = self.runs = 0
        self.wrong: list[str] = []
        self.left: list[str] = []
        self.known: list[dict[str, str]] = [world.current()]
        self.where = ""  # for messages
        self.by_name = False  # whether to run this rotation alone, of several

    def say(self, what: str) -> None:
        """Record a problem."""
        self.wrong.append(f"{self.where}: {what}")

    def run(self, *options: str, **more: object) -> Done:
        """Run `envkit rotate` with options, by name as a person does, or without as cron does."""
        named = ("it", *options) if options or self.by_name else ()
        done = self.world.start(self.warm, *named, **more).wait()
        self.note(done)
        return done

    def note(self, done: Done) -> None:
        """Check how a run ended, and record the current values."""
        self.runs += 1
        if done.status == INTERNAL or "Traceback" in done.text:
            self.say(f"envkit ended with {done.status}: {done.text[-300:]}")
        self.remember()

    def remember(self) -> None:
        """Record the values that readers and the rotation record have."""
        found = [self.world.current()]
        with suppress(MissingError):
            found += self.world._reader().pending().values()
        names = set(self.world.target.fields)
        self.known += [one for one in found if one not in self.known and set(one) >= names]

    def finish(self, *options: str) -> None:
        """Run until no rotation is in progress; follow the hints of refusals."""
        for _ in range(MOST_RUNS):
            done = self.run(*options)
            options = ()
            found = done.rotation
            outcome = found["outcome"]
            if outcome in ("rotated", "not-due", "aborted", "rolled-back"):
                if not self.pending():
                    return
                continue
            if outcome in IN_GRACE:
                self.world.pass_grace()
                continue
            hint = _OPTION.search(found["hint"] or "")
            if "no rotation is in progress" in (found["error"] or ""):
                return
            if hint:
                options = (hint[1],) if hint[1] else ("--env", "prod")
            else:
                self.world.pass_lease()
        self.say(f"it is not done after {MOST_RUNS} runs: {found}")

    def pending(self) -> bool:
        try:
            return bool(self.world._reader().pending())
        except MissingError:
            return False

    def rotate(self) -> None:
        """Rotate once more, without faults, to the end."""
        self.world.become_due()
        before = self.world.current()
        self.finish()
        self.rotations += 1
        if self.world.current() == before:
            self.say("a rotation that was due was not made")

    def check(self) -> None:
        """Check that the current credential logs in, and no other one that was ever created."""
        world = self.world
        self.remember()
        current = world.current()
        for fields in self.known[-MOST_KNOWN:]:
            works = world.target.works(fields, current)
            self.logins += works
            self.refused += not works
            value = world.target.fields[0]  # the others may still show the previous value
            if works != (fields[value] == current[value]):
                self.say("a retired credential logs in" if works else "the current one is refused")
        left = [*world.shelf.left(), *world.target.left(current)]
        if self.pending():
            left.append("values are still pending")
        self.left += left
        for what in left:
            self.say(what)

    def report(self, what: str) -> None:
        """Print the line of figures, and the first problems."""
        world = self.world
        print(
            f"{world.shelf.name:7} {world.target.name:19} {what}: {self.runs} runs, "
            f"{self.rotations} rotations, {self.logins + self.refused} logins tried, "
            f"{self.refused} refused as they must be, {len(self.left)} left behind, "
            f"{len(self.wrong)} wrong, {time.monotonic() - self.begun:.0f} s",
            flush=True,
        )
        for wrong in self.wrong[:10]:
            print(f"    {wrong}")

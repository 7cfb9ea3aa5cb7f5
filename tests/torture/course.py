"""One secret that is rotated over and over, and what has become of it.

    course = Course(world, warm)
    course.finish("--resume")       # whatever stands there, to its end, as its advice says
    course.rotate()                 # one more, undisturbed
    course.check()                  # no retired credential logs in, the current one does
    course.wrong                    # what was not as it must be

Each part of `make torture` that does not need readers is built on it, prints one line of figures
with `report`, and ends with a status other than 0 where anything was wrong.
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
MOST_RUNS = 12  # until a rotation is done
MOST_KNOWN = 6  # values that are tried each time, the newest
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
        """Note what is wrong."""
        self.wrong.append(f"{self.where}: {what}")

    def run(self, *options: str, **more: object) -> Done:
        """Run `envkit rotate it`, with options as a person gives them, or as cron does."""
        named = ("it", *options) if options or self.by_name else ()
        done = self.world.start(self.warm, *named, **more).wait()
        self.note(done)
        return done

    def note(self, done: Done) -> None:
        """Look at how a run ended, and remember the values that there are now."""
        self.runs += 1
        if done.status == INTERNAL or "Traceback" in done.text:
            self.say(f"envkit ended with {done.status}: {done.text[-300:]}")
        self.remember()

    def remember(self) -> None:
        """Remember the values that readers and the record have."""
        found = [self.world.current()]
        with suppress(MissingError):
            found += self.world._reader().pending().values()
        names = set(self.world.target.fields)
        self.known += [one for one in found if one not in self.known and set(one) >= names]

    def finish(self, *options: str) -> None:
        """Run it until no rotation is in progress; what a refusal advises is done."""
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
        """Rotate once more, undisturbed, to the end."""
        self.world.become_due()
        before = self.world.current()
        self.finish()
        self.rotations += 1
        if self.world.current() == before:
            self.say("a rotation that was due was not made")

    def check(self) -> None:
        """Log in with all that was ever made: the current credential works, and no other."""
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
        """Print the line of figures, and the first things that were wrong."""
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

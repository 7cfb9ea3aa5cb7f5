"""Damage the rotation record in each phase; nothing may crash or be lost.

    python tests/torture/records.py [--store vault] [--each 1] [--seed 7]

A process dies before a step, so that there is a record in each phase. Then one stored field is
removed or becomes invalid. `envkit rotate`, `--resume` and `status` must end without a traceback,
the current credential must log in, and another rotation of the profile must succeed. After the
record is restored, the rotation must finish, and nothing may be left behind.

Finally, the same with a store that accepts a record without values: something must be wrong.
Otherwise the check itself does not work.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from envkit.errors import EnvkitError  # noqa: E402
from torture.course import INTERNAL, Course  # noqa: E402
from torture.edits import PHASES, stand  # noqa: E402
from torture.targets import ALL  # noqa: E402
from torture.warm import Warm  # noqa: E402
from torture.world import SHELVES, Servers, World  # noqa: E402

REMOVED = object()
DAMAGES = (REMOVED, None, [1], {"a": 1}, True, "x", "", {}, -1, 1e300, 10**40)
OF_TEXTS = (float("nan"), float("inf"))  # Vault does not parse it as JSON
OTHER = """
[rotation.other]
secret = "{secret}"
rotator = "random"
every = "1s"
grace = "0s"
"""
BROKEN = "torture.wrong:believe_any_values"


def damaged(stored: dict, damages: tuple) -> list[tuple[str, dict]]:
    """Return every damaged version of a record, with a name."""
    places = [("record",), ("values",), *(("record", name) for name in stored["record"])]
    for name, fields in stored.get("values", {}).items():
        places += [("values", name), *(("values", name, field) for field in fields)]
    made = []
    for place in places:
        for damage in damages:
            # a text in place of a value cannot be distinguished from a valid one
            if len(place) > 2 and isinstance(damage, str) and damage:
                continue
            one = copy.deepcopy(stored)
            *path, last = place
            inside = one
            for key in path:
                inside = inside[key]
            if damage is REMOVED:
                del inside[last]
            else:
                inside[last] = damage
            what = "removed" if damage is REMOVED else json.dumps(damage)
            made.append((f"{'.'.join(place)} {what[:20]}", one))
    return made


def stands_still(now: dict, stored: dict) -> bool:
    """Whether the rotation has not advanced since."""
    return (
        now.get("values") == stored.get("values")
        and now["record"]["phase"] == (stored["record"]["phase"])
    )


class Damages:
    """Damages the record of one world."""

    def __init__(self, world: World, warm: Warm, chance: random.Random, each: int) -> None:
        self.world = world
        self.course = Course(world, warm)
        self.course.by_name = True
        self.chance = chance
        self.each = each
        self.count = self.refused = self.others = 0
        secret = world.shelf.secret
        field = world.target.fields[0]
        world.edit(more=OTHER.format(secret=secret[: -len(field)] + "OTHER"))

    def everywhere(self, *, prepare: str = "") -> None:
        """Damage the record in each phase, as often as requested."""
        world, course = self.world, self.course
        for phase in PHASES:
            course.where = phase
            stand(course, phase)
            damages = DAMAGES if world.shelf.name == "vault" else (*DAMAGES, *OF_TEXTS)
            chosen = damaged(world.shelf.record(), damages)
            self.chance.shuffle(chosen)
            for what, _ in chosen[:: self.each]:
                course.where = f"{phase}, {what}"
                if "values" not in world.shelf.record():
                    course.finish("--resume")
                    stand(course, phase)
                self.one(dict(damaged(world.shelf.record(), damages)).get(what), prepare)
            course.finish("--resume")
            course.rotate()
            course.check()

    def one(self, stored: dict | None, prepare: str) -> None:
        """Damage the stored record."""
        world, course = self.world, self.course
        if stored is None:
            return
        whole = world.shelf.record()
        world.shelf.put_record(stored)
        self.count += 1
        refused = False
        for options in (("status",), ("it", "--resume"), ()):
            done = world.start(course.warm, *options, prepare=prepare).wait()
            course.runs += 1
            if done.status == INTERNAL or "Traceback" in done.text:
                course.say(f"{options} ended with {done.status}: {done.text[-300:]}")
                continue
            found = json.loads(done.text[: done.text.rindex("}") + 1])["rotations"]
            refused |= any("rotation record" in (one.get("error") or "") for one in found)
            for one in found:
                if one["rotation"].endswith("/other") and "outcome" in one:
                    self.others += one["outcome"] in ("rotated", "not-due")
            current = world.current()
            try:
                works = world.target.works(current, current)
            except EnvkitError:  # it is not a login
                works = False
            course.logins += works
            if not works:
                course.say(f"after {options} the current credential is refused")
        self.refused += refused
        if refused or stands_still(world.shelf.record(), stored):
            world.shelf.put_record(whole)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=SHELVES, action="append")
    parser.add_argument("--each", type=int, default=3, help="try each so many damages only")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    print(f"seed {options.seed}, {os.cpu_count()} cores")
    wrong = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        warm = stack.enter_context(Warm())
        servers = stack.enter_context(Servers(folder))
        chance = random.Random(options.seed)
        for store in options.store or SHELVES:
            with World(servers, folder / store, store, ALL["redis"]) as world:
                damages = Damages(world, warm, chance, options.each)
                damages.everywhere()
                figures = f"{damages.count} damages, {damages.refused} refused"
                damages.course.report(f"{figures}, in {damages.others} the other rotation went on")
                wrong += len(damages.course.wrong) + (damages.others < damages.count)
        with World(servers, folder / "broken", "dotenv", ALL["redis"]) as world:
            damages = Damages(world, warm, chance, 1)
            stand(damages.course, "tested")
            stored = world.shelf.record()
            stored["values"]["new"] = {"URL": ""}
            damages.one(stored, BROKEN)
            print(f"with a store that believes: {len(damages.course.wrong)} found")
            wrong += not damages.course.wrong
    sys.exit(f"{wrong} were wrong" if wrong else 0)


if __name__ == "__main__":
    main()

"""Edit a rotation's target, rotator or strategy in each phase; no other target may change.

    python tests/torture/edits.py [--store vault] [--rotator redis]

A process dies before each step of a rotation, so that there is a record in each phase. Then the
profile is edited: users, DSN, URL, IAM user, rotator, strategy. Every command must refuse before it
changes anything. Before promote, `--abort` must work. After the edit is undone, the rotation must
finish, and nothing may be left behind.

Finally, the same with a machine that does not compare targets: it must change or accept something.
Otherwise the check itself does not work.
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

from torture.course import MOST_KNOWN, Course  # noqa: E402
from torture.targets import ALL  # noqa: E402
from torture.warm import Warm  # noqa: E402
from torture.world import SHELVES, Servers, World  # noqa: E402

# a phase -> the steps before which processes die, and the request of each
PHASES = {
    "claimed": [("create", ())],
    "staged": [("set", ())],
    "tested": [("promote", ())],
    "published": [("note-promoted", ())],
    "grace": [],
    "retiring": [("", ()), ("retire", ())],
    "reverting": [("promote", ()), ("restore", ("--abort",))],
    "reverted": [("set", ()), ("undo", ("--abort",))],
}
ABORTABLE = ("claimed", "staged", "tested", "reverting", "reverted")
REFUSED = ((), ("it",), ("it", "--resume"), ("it", "--rollback"))
BROKEN = "torture.wrong:take_any_target"


def edits(world: World) -> dict[str, dict]:
    """Return the changes of the profile, as arguments of `World.edit`."""
    table, name = world.target.table(world._port), world.target.name
    if name == "redis":
        return {
            "url": {"url": table["url"].replace("127.0.0.1", "localhost")},
            "user": {"user": world.target.harness.admin},
            "rotator": {"rotator": "random", "url": None, "user": None, "server": None},
        }
    if name == "aws-iam-key":
        return {
            "IAM user": {"user": f"{table['user']}-other"},
            "rotator": {"rotator": "random", "user": None},
        }
    host = {"dsn": table["dsn"].replace("127.0.0.1", "localhost")}
    if name == "postgres-single":
        return {"dsn host": host, "strategy": {"strategy": "alternate", **_two_users(world)}}
    users = table["users"]
    return {
        "dsn host": host,
        "users": {"users": [users[1], world.target.harness.role("envkit")]},
        "strategy": {"strategy": "single", "users": None, "owner": None},
    }


def _two_users(world: World) -> dict[str, object]:
    role = world.target.harness.role
    return {"users": [role("app"), role("app_b")], "owner": role("owner")}


def stand(course: Course, phase: str) -> None:
    """Advance the rotation to a phase without an owner."""
    world = course.world
    world.become_due()
    if phase in ("grace", "retiring"):
        course.run()
        world.pass_grace()
    for step, options in PHASES[phase]:
        if step:
            course.run(*options, prepare="torture.wrong:die_before", step=step)
            world.pass_lease()


def look(course: Course, known: list[dict[str, str]]) -> tuple[object, ...]:
    """Return the state of the target that must not change."""
    world, current = course.world, course.world.current()
    works = [world.target.works(one, current) for one in known]
    course.logins += sum(works)
    course.refused += len(works) - sum(works)
    return world.target.harness.credentials(), works


def refuse(course: Course, phase: str, what: str, edit: dict, *, prepare: str = "") -> None:
    """Edit the profile in one phase, and try every request."""
    world = course.world
    course.where = f"{phase}, another {what}"
    stand(course, phase)
    world.edit(**edit)
    known, value = course.known[-MOST_KNOWN:], world.current()
    before = look(course, known)
    for options in REFUSED:
        done = world.start(course.warm, *options, prepare=prepare).wait()
        course.note(done)
        if done.status == 0:
            course.say(f"{options} was not refused")
        if look(course, known) != before:
            course.say(f"{options} has changed a credential")
    if world.current() != value and not world.target.works(world.current(), value):
        course.say("readers have a value that does not log in")
    lost = phase in ("tested", "reverting") and not world.target.overlap
    if phase in ABORTABLE and not lost and not prepare:
        # where the old password works no longer, an abort that may not touch the target says
        # a dropped value that readers need; everything else works
        done = course.run("--abort")
        if done.outcome != "aborted":
            course.say(f"--abort: {done.outcome}: {done.rotation['error']}")
        if not world.target.works(world.current(), world.current()):
            course.say("after --abort the current credential is refused")
        world.target.clean_up(world.current())
    world.edit()
    if course.pending():
        course.finish()
    course.rotations += 1


def play(course: Course, *, prepare: str = "") -> int:
    """Do all edits in all phases; return their number."""
    count = 0
    for what, edit in edits(course.world).items():
        for phase in PHASES:
            refuse(course, phase, what, edit, prepare=prepare)
            count += 1
            course.rotate()  # also removes what an abort left at the target
            course.rotate()
            course.check()
    return count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=SHELVES, action="append")
    kinds = ("redis", "postgres-alternate", "postgres-single", "aws-iam-key")
    parser.add_argument("--rotator", choices=kinds, action="append")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    wrong = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envkit-torture-")))
        warm = stack.enter_context(Warm())
        servers = stack.enter_context(Servers(folder))
        for store in options.store or ("vault", "dotenv"):
            for rotator in options.rotator or kinds:
                with World(servers, folder / f"{store}-{rotator}", store, ALL[rotator]) as world:
                    course = Course(world, warm)
                    count = play(course)
                    course.report(f"{count} edits")
                    wrong += len(course.wrong)
        with World(servers, folder / "broken", "dotenv", ALL["redis"]) as world:
            course = Course(world, warm)
            edit = edits(world)["url"]
            for phase in ("staged", "grace"):
                refuse(course, phase, "url", edit, prepare=BROKEN)
            print(f"with a machine that takes any target: {len(course.wrong)} found")
            wrong += not course.wrong
    sys.exit(f"{wrong} were wrong" if wrong else 0)


if __name__ == "__main__":
    main()

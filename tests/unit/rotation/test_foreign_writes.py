"""A person changes the credential and the secret at any moment of a rotation.

Their value is never overwritten and never stops working; the rotation begins again from it, or
refuses with advice that works. At every moment the process that rotates continues afterwards, or
has died.
"""

import re

import pytest

from envkit.rotation import machine
from envkit.rotation.machine import Decision, Request, StepKind
from envkit.rotation_state.record import Record
from support.fake_targets import TARGETS, Additive, Alternate, Keyring, Single, Unstaged
from support.rotation_world import EVERY_SECONDS, MOST_RUNS, World

THEIRS = "theirs"
ADVICE = re.compile(r"envkit rotate (?:--(\w+) )?prod/db")


class Watched(World):
    """Readers get a value set by hand until a rotation that began with it publishes another."""

    replaced = False

    def check_readers(self):
        super().check_readers()
        if self.by_hand and not self.replaced and self.current["password"] != THEIRS:
            self.replaced = True
            assert self.envelope["values"]["old"]["password"] == THEIRS, "it was overwritten"

    by_hand = False

    @property
    def start(self):
        return dict(self.target.start)


def change_by_hand(world):
    """Replace the credential that readers have, at the target and in the store."""
    target, current = world.target, world.current
    changed = {**current, "password": THEIRS}
    if isinstance(target, Alternate):
        target.users[current["username"]] = THEIRS
    elif isinstance(target, Single):
        target.password = THEIRS
    elif isinstance(target, Unstaged):
        del target.keys[current["id"]]
        changed["id"] = "by-hand"
        target.keys["by-hand"] = THEIRS
    elif isinstance(target, Additive):
        target.passwords.discard(current["password"])
        target.passwords.add(THEIRS)
    world.shelf.put({**world.shelf.fields, **changed})
    world.by_hand = True


def world_error(outcome):
    return "" if outcome.error is None else outcome.error.message


def keep_only_the_current_key(world):
    """Follow the advice of the rotator of IAM keys for an unknown key."""
    for key in world.target.keys.keys() - {world.current["id"]}:
        del world.target.keys[key]


def remove_the_first(world):
    target, first = world.target, world.start
    if isinstance(target, Unstaged):
        target.keys.pop(first["id"])
    elif isinstance(target, Additive):
        target.passwords.remove(first["password"])


def follow_the_advice(world):
    """Run the rotation as cron does, following hints, until none is in progress."""
    for _ in range(MOST_RUNS):
        if not world.in_progress:
            return
        outcome = world.run(Request.RESUME)
        if outcome.error is not None and (found := ADVICE.search(outcome.error.hint or "")):
            outcome = world.run(Request(found[1] or "rotate"))
            assert outcome.error is None, (outcome.error.message, outcome.error.hint)
        if "second key" in world_error(outcome):
            keep_only_the_current_key(world)
        world.now = max(world.now, outcome.until) + 1
    raise AssertionError(f"it always refuses: {outcome.error.message} {outcome.error.hint}")


def interfere(kind, operations, *, dies):
    """Change the credential after so many operations; return whether the process had ended."""
    world = Watched(kind)
    process = world.process()
    for _ in range(operations):
        process.go_on()
    ended = process.ended
    first = world.current != world.start and world.record["phase"] == "tested"
    change_by_hand(world)
    if dies:
        process.kill()
    else:
        process.finish()
    follow_the_advice(world)
    if dies and first:
        # it died before it could note that readers have its value, which the person replaced:
        # the first one may be in use for all that the record says, and is left alone
        remove_the_first(world)
    world.now += EVERY_SECONDS
    world.run(Request.ROTATE)
    world.come_to_rest()
    assert world.current["password"] != THEIRS, "the next rotation was not made"
    return ended


@pytest.mark.parametrize("dies", [False, True], ids=["continues", "dies"])
@pytest.mark.parametrize("kind", TARGETS)
def test_a_foreign_value_survives_at_every_moment_of_a_rotation(kind, dies):
    operations = 0
    while not interfere(kind, operations, dies=dies):
        operations += 1
    assert operations > 10


def test_this_harness_detects_a_machine_that_refuses_a_changed_claim(monkeypatch):
    """A check that cannot fail is worthless."""
    monkeypatch.setattr(Record, "only_claimed", property(lambda _record: False))
    refusal = Decision(StepKind.REFUSE, "the secret was changed")
    monkeypatch.setattr(machine, "_refuse_other_value", lambda _seen: refusal)
    with pytest.raises(AssertionError, match="always refuses"):
        interfere(Additive, 12, dies=False)


def test_this_harness_detects_a_machine_that_overwrites_a_foreign_value(monkeypatch):
    def blind(current, pending):
        found = published(current, pending)
        return machine.PendingValue.OLD if found == machine.OtherValue.FOREIGN else found

    published = machine.published_value
    monkeypatch.setattr(machine, "published_value", blind)
    with pytest.raises(AssertionError, match="overwritten"):
        test_a_foreign_value_survives_at_every_moment_of_a_rotation(Keyring, dies=True)

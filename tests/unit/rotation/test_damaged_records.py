"""A stored record with a missing or invalid field, in each phase.

Whatever is asked for then, nothing crashes, the current credential works, and the right record
finishes its rotation afterwards.
"""

import copy
import json
from itertools import islice

import pytest

from envkit.errors import RotationError
from envkit.rotation.machine import Request
from envkit.rotation_state.stores.memory import MemoryRotationStore
from envkit.secret import Secret
from support.fake_targets import Additive, Single, Unstaged
from support.rotation_phases import PHASES, put_back, standing, state_of

KINDS = (Additive, Single, Unstaged)
REQUESTS = ("", *Request)
REMOVED = object()
DAMAGES = {
    "removed": REMOVED,
    "null": None,
    "a list": [1],
    "an object": {"a": 1},
    "true": True,
    "a text": "x",
    "empty": "",
    "no items": [],
    "no fields": {},
    "negative": -1,
    "huge": 1e300,
    "a long number": 10**400,
    "not a number": float("nan"),
    "infinite": float("inf"),
    "the last time there is": 1e11,
}


def is_plausible(place, damage):
    """Whether a damage yields a value that cannot be distinguished from a valid one."""
    if len(place) < len(("values", "new", "field")):
        return False
    if place[-1] != "password" and (damage == "" or damage is REMOVED):
        return damage == "" or place[1] == "old"  # a secret need not have it at first
    return isinstance(damage, str) and damage != ""


def damaged(envelope):
    """Yield the name of each damage, and the damaged envelope."""
    places = [("record",), ("values",)]
    places += [("record", name) for name in envelope["record"]]
    for name, fields in envelope["values"].items():
        places += [("values", name), *(("values", name, field) for field in fields)]
    for place in places:
        for how, damage in DAMAGES.items():
            made = copy.deepcopy(envelope)
            *path, last = place
            inside = made
            for key in path:
                inside = inside[key]
            if is_plausible(place, damage):
                continue
            if damage is REMOVED:
                del inside[last]
            elif inside[last] == damage:
                continue
            else:
                inside[last] = damage
            yield f"{'.'.join(place)} {how}", made


def can_be_read(world):
    refusal = None
    try:
        MemoryRotationStore(world.shelf, world.target.fields).read()
    except RotationError as error:
        refusal = error
    assert refusal is None or ("the rotation record" in refusal.message and refusal.hint)
    return refusal is None


def watch_readers(world):
    """Have readers of a damaged record know the values that the right one has, too."""
    whole = world.envelope["values"]

    def check():
        known = [world.current]
        if not world.target.overlap:
            now = world.envelope.get("values")
            known += [*whole.values(), *(now.values() if isinstance(now, dict) else ())]
        works = [world.target.logs_in(as_secrets(one)) for one in known if isinstance(one, dict)]
        assert any(works), f"no reader can log in; record: {world.record}"

    world.check_readers = check


def as_secrets(fields):
    return {name: Secret(text) for name, text in fields.items() if isinstance(text, str)}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_record_neither_crashes_a_run_nor_harms_the_current_credential(kind, phase):
    world = standing(kind, phase)
    whole = state_of(world)
    watch_readers(world)
    accepted = refused = 0
    # each damage in a third of the phases and kinds
    first = (KINDS.index(kind) + PHASES.index(phase)) % 3
    for what, envelope in islice(damaged(world.envelope), first, None, 3):
        world.shelf.envelope = json.dumps(envelope)
        before = state_of(world)
        if can_be_read(world):
            accepted += 1
            requests = REQUESTS
        else:
            refused += 1
            requests = (Request.RESUME,)
        for requested in requests:
            try:
                outcome = world.run(requested)
            except AssertionError as error:
                raise AssertionError(f"{what}, then {requested or 'what is due'}") from error
            assert outcome.error is None or outcome.error.code != "internal-error", what
            put_back(world, before)
        put_back(world, whole)
    assert accepted
    assert refused > accepted
    world.come_to_rest()


def test_this_harness_detects_a_store_that_accepts_incomplete_values(monkeypatch):
    monkeypatch.setattr("envkit.rotation_state.stores.envelope._check_values", lambda *_: None)
    # readers are given a secret without its password, or one that does not log in
    with pytest.raises((AssertionError, KeyError)):
        test_a_damaged_record_neither_crashes_a_run_nor_harms_the_current_credential(
            Additive, "staged"
        )

"""Worlds in which a rotation stands in a given phase, its process dead.

    world = standing(Additive, "tested")
    before = state_of(world)
    world.run(Request.RESUME)
    put_back(world, before)

`rolling-back` and `rolled-back` are the phases *reverting* and *reverted* after a promotion.
"""

from __future__ import annotations

import copy
import json

from envkit.rotation.machine import Request
from support.rotation_world import LONG_SECONDS, World, after_grace, in_grace

BEFORE_PROMOTE = ("claimed", "staged", "set", "tested", "reverting", "reverted")
AFTER_PROMOTE = ("promoted", "grace", "retiring", "rolling-back", "rolled-back")
PHASES = BEFORE_PROMOTE + AFTER_PROMOTE

_OF_TARGETS = ("passwords", "users", "password", "keys", "made")
# the starting phase, the request, and the operation before which the process dies
_PATHS = {
    "claimed": ("", "", "create"),
    "staged": ("", "", "set"),
    "set": ("", "", "test"),
    "tested": ("", "", "publish"),
    "reverting": ("tested", Request.ABORT, "publish"),
    "reverted": ("staged", Request.ABORT, "retire"),
    "rolling-back": ("grace", Request.ROLLBACK, "publish"),
    "rolled-back": ("grace", Request.ROLLBACK, "retire"),
}


def standing(kind, phase, **job_options) -> World:
    """Return a world whose rotation stands in a phase, with no process at work on it."""
    world = World(kind)
    world.job_options.update(job_options)
    return bring(world, phase)


def bring(world, phase):
    """Let the rotation of a world that has not begun come to a phase."""
    if phase in ("grace", "promoted"):
        in_grace(world)
    elif phase == "retiring":
        _die(after_grace(world), "", "retire")
    else:
        first, requested, operation = _PATHS[phase]
        _die(bring(world, first) if first else world, requested, operation)
    if phase in ("set", "promoted"):  # these are saved by some rotators only
        change_record(world, phase=phase)
    world.now += LONG_SECONDS
    return world


def _die(world, requested, operation):
    process = world.process(requested)
    process.go_on_until(operation)
    assert not process.ended, process.outcome
    process.kill()


def change_record(world, **fields):
    """Change what is stored of a rotation as envkit never does."""
    envelope = world.envelope
    envelope["record"].update(fields)
    world.shelf.envelope = json.dumps(envelope)


def state_of(world):
    """Return all that may be changed: the target, the secret, the record and the time."""
    target = vars(world.target)
    found = {name: copy.deepcopy(target[name]) for name in _OF_TARGETS if name in target}
    shelf = world.shelf
    return found, dict(shelf.fields), shelf.version, dict(shelf.stored), world.now


def put_back(world, state):
    """Let everything be as `state_of` has found it."""
    found, fields, version, stored, world.now = state
    vars(world.target).update(copy.deepcopy(found))
    world.shelf.fields, world.shelf.version = dict(fields), version
    world.shelf.stored = dict(stored)

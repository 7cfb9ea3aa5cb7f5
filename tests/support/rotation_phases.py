"""Worlds with a rotation in a given phase, whose process was killed.

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
    """Return a world whose rotation is in a phase, without a running process."""
    world = World(kind)
    world.job_options.update(job_options)
    return bring(world, phase)


def bring(world, phase):
    """Advance the rotation of a new world to a phase."""
    if phase in ("grace", "promoted"):
        in_grace(world)
    elif phase == "retiring":
        _die(after_grace(world), "", "retire")
    else:
        first, requested, operation = _PATHS[phase]
        _die(bring(world, first) if first else world, requested, operation)
    if phase in ("set", "promoted"):  # only some rotators save these phases
        change_record(world, phase=phase)
    world.now += LONG_SECONDS
    return world


def _die(world, requested, operation):
    process = world.process(requested)
    process.go_on_until(operation)
    assert not process.ended, process.outcome
    process.kill()


def change_record(world, **fields):
    """Change a rotation record in a way that envkit never does."""
    envelope = world.envelope
    envelope["record"].update(fields)
    world.shelf.envelope = json.dumps(envelope)


def state_of(world):
    """Return a copy of everything that can change: the target, the secret, the record, the time."""
    target = vars(world.target)
    found = {name: copy.deepcopy(target[name]) for name in _OF_TARGETS if name in target}
    shelf = world.shelf
    return found, dict(shelf.fields), shelf.version, dict(shelf.stored), world.now


def put_back(world, state):
    """Restore what `state_of` returned."""
    found, fields, version, stored, world.now = state
    vars(world.target).update(copy.deepcopy(found))
    world.shelf.fields, world.shelf.version = dict(fields), version
    world.shelf.stored = dict(stored)

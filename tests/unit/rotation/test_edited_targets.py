"""A profile is edited while a rotation is in progress: another target, rotator or strategy.

A table of phases and edits: nothing is done at a target that the rotation was not begun with.
"""

import pytest

from envkit.rotation.machine import Request
from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation.step_context import StepContext
from support.fake_targets import Additive, Single, Unstaged
from support.rotation_phases import (
    BEFORE_PROMOTE,
    PHASES,
    change_record,
    put_back,
    standing,
    state_of,
)

KINDS = (Additive, Single, Unstaged)
BEGUN_WITH = {"plan": "postgres (alternate) of password", "target": "digest-1"}
EDITS = {
    "another rotator or strategy": {"plan": "redis (alternate) of password"},
    "another target table": {"target": "digest-2"},
    "no target table": {"target": ""},
}
MEANS_ANOTHER = "the same table, which means another server"


def edit(world, what):
    world.job_options.update(BEGUN_WITH)
    world.target.description = "fake:1"
    if what == MEANS_ANOTHER:
        world.target.description = "fake:2"
    elif what:
        world.job_options.update(EDITS[what])


def of_target(world):
    return state_of(world)[0]


@pytest.mark.parametrize("what", [*EDITS, MEANS_ANOTHER])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_edited_target_is_refused_before_any_harm_and_accepted_when_restored(kind, phase, what):
    world = standing(kind, phase, **BEGUN_WITH)
    begun = state_of(world)
    for requested in ("", Request.ROTATE, Request.RESUME, Request.ROLLBACK, Request.COMPROMISED):
        edit(world, what)
        outcome = world.run(requested)
        assert not outcome.ok, (requested, outcome)
        assert world.in_progress
        assert of_target(world) == begun[0], "another target was changed"
        edit(world, "")
        world.come_to_rest()
        put_back(world, begun)


@pytest.mark.parametrize("what", [*EDITS, MEANS_ANOTHER])
@pytest.mark.parametrize("phase", BEFORE_PROMOTE)
@pytest.mark.parametrize("kind", KINDS)
def test_an_abort_before_promote_works_despite_an_edited_profile(kind, phase, what):
    world = standing(kind, phase, **BEGUN_WITH)
    before, current = of_target(world), world.current
    edit(world, what)
    lost = not world.target.overlap and phase in ("set", "tested", "reverting")
    if lost:  # the old password no longer works, and must not be set again at another target
        world.check_readers = lambda: None
    outcome = world.run(Request.ABORT)
    assert outcome.status == OutcomeStatus.ABORTED
    assert (
        not lost
        or "at fake:1 the new value may still work and the old one may not" in outcome.reason
    )
    assert (world.in_progress, world.current) == (False, current)
    assert of_target(world) == before, "another target was changed"


@pytest.mark.parametrize("phase", BEFORE_PROMOTE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_renamed_rotation_can_be_aborted_as_its_refusal_says(kind, phase):
    world = standing(kind, phase)
    current = world.current
    change_record(world, rotation="prod/its-name-before")
    outcome = world.run()
    assert "envkit rotate --abort prod/db" in outcome.error.hint
    assert world.run(Request.ABORT).status == OutcomeStatus.ABORTED
    assert world.current == current
    world.run(Request.ROTATE)
    world.come_to_rest()


@pytest.mark.parametrize("phase", ["promoted", "grace", "retiring"])
def test_a_promoted_rotation_is_not_aborted_at_another_target(phase):
    world = standing(Additive, phase, **BEGUN_WITH)
    before = of_target(world)
    edit(world, "another target table")
    outcome = world.run(Request.ABORT)
    assert not outcome.ok
    assert "restore the profile" in outcome.error.hint
    assert of_target(world) == before


def test_this_harness_detects_a_machine_that_continues_at_another_target(monkeypatch):
    monkeypatch.setattr("envkit.rotation.step_context._refuse_another_target", lambda *_: None)
    assert StepContext.rotator  # it is the one that calls it
    with pytest.raises(AssertionError):
        test_an_edited_target_is_refused_before_any_harm_and_accepted_when_restored(
            Additive, "staged", MEANS_ANOTHER
        )

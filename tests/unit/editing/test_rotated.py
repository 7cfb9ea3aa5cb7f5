"""Whether a rotated value may be changed, and which earlier values a rotation has retired."""

import pytest

from envkit.editing.history import Recorded
from envkit.editing.rotated import Lifetimes, Rotated, moment
from envkit.errors import DeniedError, RetiredError, RotationInProgressError
from envkit.profile.loader import load
from envkit.rotation_state.policy import policy
from envkit.rotation_state.record import AT_REST, Phase, Record
from envkit.rotation_state.rotated import RotatedValue
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading, Version
from support.rotating import table


@pytest.fixture
def value(project):
    project.profile("prod.toml", table("db", "PASSWORD"))
    return RotatedValue(policy(load("prod", str(project.profiles)), "db"), ("PASSWORD",))


def rotated(value, **fields):
    return Rotated("PASSWORD", value, Record("prod/db", **fields))


# ---------------------------------------------------------------- in progress


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in AT_REST])
def test_a_change_is_refused_while_a_rotation_is_in_progress(value, phase):
    found = rotated(value, phase=phase, started_at=1.0, retire_at=3600.0)
    with pytest.raises(RotationInProgressError) as caught:
        found.refuse_in_progress()
    assert caught.value.message == (
        f"PASSWORD is being rotated by prod/db (phase {phase}, started 1970-01-01T00:00:01Z)"
    )
    with pytest.raises(RotationInProgressError):
        found.refuse_retired("1", Secret("a"), versions(("a", 1)))
    then = "start again from" if phase == Phase.CLAIMED else "stop at"
    assert found.warning == (
        f"PASSWORD is rotated by prod/db, which is in progress and will {then} the new value"
    )


@pytest.mark.parametrize(
    ("phases", "hint"),
    [
        ("claimed staged set tested", "envkit rotate --abort prod/db"),
        (
            "promoted grace",
            "envkit rotate --rollback prod/db'; to set another one, wait until 1970",
        ),
        ("retiring reverting reverted", "envkit rotate status prod/db"),
    ],
)
def test_the_hint_is_the_command_that_works_in_the_phase(value, phases, hint):
    for phase in phases.split():
        with pytest.raises(RotationInProgressError) as caught:
            rotated(value, phase=Phase(phase), retire_at=3600.0).refuse_in_progress()
        assert hint in caught.value.hint


@pytest.mark.parametrize("phase", AT_REST)
def test_a_change_of_an_idle_rotated_value_is_warned_of(value, phase):
    found = rotated(value, phase=phase)
    found.refuse_in_progress()
    assert (
        found.warning
        == "PASSWORD is rotated by prod/db: the next rotation starts from the new value"
    )
    targeted = value._replace(policy=value.policy._replace(rotator="postgres"))
    assert found._replace(value=targeted).warning == (
        "PASSWORD is rotated by prod/db: set the new value at its target as well"
    )
    unreadable = found._replace(record=None, error=DeniedError("no way"))
    unreadable.refuse_in_progress()
    assert unreadable.warning == (
        "PASSWORD is rotated by prod/db, which may be in progress: no way"
    )


# ---------------------------------------------------------------- retired values


def versions(*made):
    """Return versions from values and times, the oldest first."""
    return [
        Recorded(Version(str(at), float(at), None, "older"), Reading(Secret(text), str(at), ""))
        for text, at in made
    ][::-1]


# the rotation begins at 100, promotes at 110 and retires at 200
DONE = {"started_at": 100.0, "promoted_at": 110.0, "last_rotated_at": 110.0}
RETIRED = {**DONE, "retired_at": 200.0}
REVERTED = {"started_at": 100.0, "promoted_at": 110.0, "given_up_at": 120.0}


@pytest.mark.parametrize(
    ("record", "made", "expected"),
    [
        # a first value from no rotation, and one from an earlier rotation
        (DONE, [("a", 1), ("b", 109)], "a retired, b rotated"),
        (DONE, [("a", 1), ("b", 50), ("c", 109)], "a retired, b retired, c rotated"),
        # written by hand since then
        (DONE, [("a", 1), ("b", 109), ("c", 300)], "a retired, b rotated, c kept"),
        (DONE, [("a", 1), ("b", 109), ("a", 300)], "a retired, b rotated"),
        # the old value, written once more by the rehearsal of a rotation
        (DONE, [("a", 1), ("a", 105), ("b", 109)], "a retired, b rotated"),
        # the store's clock is ahead, and is behind
        (DONE, [("a", 4), ("a", 108), ("b", 112)], "a retired, b kept"),
        (DONE, [("a", -90), ("a", 15), ("b", 19)], "a retired, b rotated"),
        (DONE, [("a", -90), ("b", 19), ("c", 120)], "a retired, b retired, c kept"),
        # a later rotation was aborted before it promoted
        (
            {**DONE, "started_at": 5000.0, "given_up_at": 5010.0},
            [("a", 1), ("b", 109), ("c", 9000)],
            "a retired, b rotated, c kept",
        ),
        # the keys of a keyring, without the old one, published when it is retired
        (RETIRED, [("a", 1), ("ab", 109), ("b", 199)], "a retired, ab retired, b rotated"),
        # rolled back: the store has the old value again, and the new one is gone
        (REVERTED, [("a", 1), ("b", 109), ("a", 121)], "a kept, b retired"),
        (
            {**REVERTED, "last_rotated_at": 50.0},
            [("z", 1), ("a", 49), ("b", 109), ("a", 121), ("c", 300)],
            "z retired, a kept, b retired, c kept",
        ),
        # never rotated, and a rotation that was aborted before it promoted
        ({}, [("a", 1), ("b", 2)], "a kept, b kept"),
        ({"started_at": 100.0, "given_up_at": 120.0}, [("a", 1), ("b", 200)], "a kept, b kept"),
    ],
)
def test_a_value_is_retired_if_it_is_older_than_the_last_promotion(record, made, expected):
    lifetimes = Lifetimes(Record("prod/db", **record), versions(*made))
    found = []
    for text in dict.fromkeys(text for text, _ in made):
        value = Secret(text)
        state = "rotated" if lifetimes.is_rotated(value) else "kept"
        found.append(f"{text} {'retired' if lifetimes.is_retired(value) else state}")
    assert ", ".join(found) == expected


def test_a_version_without_a_time_counts_as_the_oldest():
    one = Recorded(Version("1", None, None, "older"), Reading(Secret("a"), "1", ""))
    assert Lifetimes(Record("prod/db", **DONE), [one]).is_retired(Secret("a"))


def test_a_retired_value_is_refused_with_its_time_and_a_hint(value):
    known = versions(("a", 1), ("b", 109))
    with pytest.raises(RetiredError) as caught:
        rotated(value, **RETIRED).refuse_retired("1", Secret("a"), known)
    assert caught.value.message == (
        f"version 1 of PASSWORD was retired {moment(200)}: prod/db replaced it {moment(110)}"
    )
    with pytest.raises(RetiredError, match="version 1 of PASSWORD is retired: "):
        rotated(value, **{**DONE, "retired_at": 50.0}).refuse_retired("1", Secret("a"), known)
    assert "envkit rotate prod/db" in caught.value.hint
    assert "--force" in caught.value.hint
    rotated(value, **RETIRED).refuse_retired("109", Secret("b"), known)


@pytest.mark.parametrize("error", [None, DeniedError("no way")])
def test_an_earlier_value_is_refused_without_a_record(value, error):
    found = Rotated("PASSWORD", value, None, error)
    with pytest.raises(RetiredError) as caught:
        found.refuse_retired("1", Secret("a"), versions(("a", 1)))
    why = "it has no record" if error is None else "no way"
    assert caught.value.message.endswith(f"cannot tell whether version 1 is retired: {why}")
    assert "--force" in caught.value.hint


def test_missing_values_are_not_compared():
    nothing = Recorded(Version("1", 1.0, None, "older"), Absent())
    known = [*versions(("a", 300)), nothing]
    assert not Lifetimes(Record("prod/db", **DONE), known).is_retired(Secret("a"))

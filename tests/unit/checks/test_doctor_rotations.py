"""What doctor reports about rotations."""

import pytest

from envkit._internal.clock import Deadline
from envkit.checks.doctor_rotations import examine_rotations
from envkit.rotation_state.evidence import Evidence
from support.rotating import stands, table


@pytest.fixture
def examined(project):
    def examine(*profiles):
        found = examine_rotations(
            str(project.profiles), profiles or ("prod",), environ={}, deadline=Deadline(30)
        )
        return [(one.status, one.message.partition(":")[0]) for one in found]

    project.profile("prod.toml", table("key", "KEY"))
    project.dotenv("prod", "KEY=x\nGONE=x\n")
    return examine


def test_doctor_says_nothing_about_healthy_rotations(examined):
    assert examined() == []


def test_doctor_reports_failing_rotations_and_orphaned_records_as_errors(examined, project):
    stands(project, "prod", "key", "KEY", error="claim: unavailable", tries=2)
    stands(
        *(project, "prod", "gone", "GONE"),
        phase="staged",
        started_at=-60.0,
        values={"old": {"GONE": "x"}, "new": {"GONE": "y"}},
    )
    assert examined() == [
        ("error", "prod/key is failing"),
        ("error", "prod/gone of .env.prod#GONE"),
    ]
    assert examined("staging") == [], "only of the profiles that are looked at"


def test_doctor_says_what_a_target_does_not_show(examined, project):
    evidence = Evidence(looked_at=5.0, tried_at=5.0, not_visible="'envkit' cannot see addresses")
    stands(
        *(project, "prod", "key", "KEY"),
        phase="grace",
        started_at=-60.0,
        promoted_at=-50.0,
        retire_at=800.0,
        secret="",
        evidence=evidence,
    )
    assert ("note", "prod/key") in examined()


def test_doctor_reports_a_missing_program_as_a_warning(examined, project):
    project.profile("prod.toml", table("key", "KEY", 'after = [["no-such-program"]]'))
    assert examined() == [("warning", "prod/key")]

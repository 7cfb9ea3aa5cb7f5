"""A record is read as it was written; other versions are refused."""

import json

import pytest

from envkit.errors import RotationError
from envkit.rotation_state.evidence import Evidence, Reader
from envkit.rotation_state.record import Phase, Record, decode, encode

RECORD = Record(
    "prod/db",
    "id",
    Phase.GRACE,
    plan="postgres",
    asked=True,
    attempt=1,
    promoted_at=5.5,
    evidence=Evidence(4.0, 5.0, 6.0, "denied", "no addresses", (Reader("app_a", seen_at=4.0),), 2),
    facts={"known": "k0"},
)


def test_a_record_survives_encoding_and_decoding():
    assert decode(json.loads(json.dumps(encode(RECORD)))) == RECORD


def test_whole_numbers_are_accepted_as_times():
    assert decode({**encode(RECORD), "promoted_at": 5}).promoted_at == 5.0


@pytest.mark.parametrize("version", [0, 4, True, "2", None])
def test_a_record_of_another_version_is_refused(version):
    with pytest.raises(RotationError, match="has version"):
        decode({**encode(RECORD), "version": version})


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_data_that_is_not_a_record_is_refused(data):
    with pytest.raises(RotationError, match="is not valid"):
        decode(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phase", "resting"),
        ("phase", None),
        ("attempt", "1"),
        ("attempt", True),
        ("retire_at", "soon"),
        ("asked", 1),
        ("facts", ["k0"]),
        ("facts", {"known": 1}),
        ("evidence", {}),
        ("evidence", {**encode(RECORD)["evidence"], "seen_at": "x"}),
        ("evidence", {**encode(RECORD)["evidence"], "readers": [{"user": "app_a"}]}),
    ],
)
def test_an_invalid_field_of_a_record_is_refused(field, value):
    with pytest.raises(RotationError, match="the rotation record has"):
        decode({**encode(RECORD), field: value})


@pytest.mark.parametrize("version", [1, 2])
def test_a_record_of_an_earlier_version_has_no_evidence(version):
    data = {**encode(RECORD), "version": version}
    del data["evidence"]
    assert decode(data)._replace(evidence=RECORD.evidence) == RECORD


def test_a_missing_field_of_a_record_is_refused():
    data = encode(RECORD)
    del data["retire_at"]
    with pytest.raises(RotationError, match="retire_at"):
        decode(data)


def test_a_rolled_back_rotation_is_due_from_the_rollback():
    assert Record("prod/db", last_rotated_at=5.0).due_from == 5.0
    assert Record("prod/db", last_rotated_at=5.0, given_up_at=7.0).due_from == 7.0

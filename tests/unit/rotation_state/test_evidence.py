"""Evidence of use: what several looks add up to, what is saved of it, and what is shown."""

import json

import pytest

from envkit.rotation_state.evidence import (
    MAX_READERS,
    MAX_TEXT,
    Evidence,
    Reader,
    Usage,
    after_failure,
    after_look,
    as_of,
    decode,
    describe,
    encode,
    merged,
    worth_saving,
)

NOW, RETIRE_AT, PACE = 1000.0, 1900.0, 60.0
GUNICORN = Reader("app_a", "10.0.0.5", "gunicorn", sessions=3, since=5.0)
WORKER = Reader("app_a", "10.0.0.6", "worker")


def looked(*looks):
    """Return the evidence after looks, each a time and the readers that were seen."""
    evidence = Evidence()
    for at, *readers in looks:
        evidence = after_look(evidence, Usage(tuple(readers)), at)
    return evidence


def test_a_program_stays_in_the_evidence_after_its_last_session():
    evidence = looked((NOW, GUNICORN), (NOW + 5, WORKER), (NOW + 10,))
    assert [(one.application, one.seen_at) for one in evidence.readers] == [
        ("worker", NOW + 5),
        ("gunicorn", NOW),
    ]
    assert (evidence.seen_at, evidence.looked_at) == (NOW + 5, NOW + 10)
    assert (evidence.in_use, evidence.sessions) == (False, 0)


def test_sessions_of_one_program_at_several_servers_are_counted_together():
    evidence = looked((NOW, GUNICORN, GUNICORN), (NOW + 5, GUNICORN))
    assert evidence.sessions == 3
    assert looked((NOW, GUNICORN, GUNICORN)).sessions == 6


def test_a_target_may_know_when_a_credential_was_used():
    evidence = looked((NOW, Reader("deploy", sessions=0, seen_at=NOW - 400)))
    assert (evidence.seen_at, evidence.in_use) == (NOW - 400, False)
    assert looked((NOW, GUNICORN._replace(seen_at=NOW + 99))).seen_at == NOW


def test_a_failed_look_keeps_what_was_seen_and_is_no_look():
    evidence = after_failure(looked((NOW, GUNICORN)), "permission denied", NOW + 5)
    assert (evidence.looked_at, evidence.tried_at) == (NOW, NOW + 5)
    assert evidence.readers == looked((NOW, GUNICORN)).readers
    assert after_look(evidence, Usage(), NOW + 10).error == ""


def test_the_evidence_is_bounded():
    many = [Reader("app_a", f"10.0.0.{number}", "x" * 1000) for number in range(30)]
    evidence = looked((NOW, *many))
    assert (len(evidence.readers), evidence.unlisted) == (MAX_READERS, 30 - MAX_READERS)
    assert {len(one.application) for one in evidence.readers} == {MAX_TEXT}
    assert len(json.dumps(encode(evidence))) < 4000


@pytest.mark.parametrize("text", ["canary", "x canary x"])
def test_the_evidence_has_no_value(text):
    usage = Usage((Reader("app_a", application=text),), not_visible=text)
    evidence = after_look(Evidence(), usage, NOW, ["canary"])
    evidence = after_failure(evidence, text, NOW, ["canary"])
    assert "canary" not in json.dumps(encode(evidence))
    assert "(hidden)" in describe(evidence)


def test_names_are_shown_in_one_line():
    evidence = looked((NOW, Reader("app_a", application="a\n\x1b[31mb")))
    assert describe(evidence) == "1 session of app_a 'a [31mb'".replace("a [", "a  [")


@pytest.mark.parametrize(
    ("readers", "text"),
    [
        ([], ""),
        ([GUNICORN], "3 sessions of app_a from 10.0.0.5 'gunicorn'"),
        ([Reader("app_a", "10.0.0.5")], "1 session of app_a from 10.0.0.5 (no application name"),
        ([Reader("deploy", "", "s3 in eu-west-1", 0)], "deploy with 's3 in eu-west-1'"),
        ([Reader("", application="job")], "1 session of a program 'job'"),
        ([WORKER._replace(address=str(n)) for n in range(5)], ", and 2 more"),
    ],
)
def test_who_uses_a_credential_is_told_in_words(readers, text):
    shown = describe(looked((NOW, *readers)))
    assert text in shown
    assert bool(shown) == bool(text)


@pytest.mark.parametrize(
    ("saved", "found", "wanted"),
    [
        (Evidence(), looked((NOW,)), False),
        (Evidence(), looked((NOW + PACE,)), True),
        (Evidence(), looked((NOW, GUNICORN)), True),
        (Evidence(), after_failure(Evidence(), "denied", NOW), True),
        (looked((NOW,)), looked((NOW + 5,)), False),
        (looked((NOW,)), looked((NOW + PACE,)), True),
        (looked((NOW,)), looked((NOW + 5, GUNICORN)), True),
        (looked((NOW, GUNICORN)), looked((NOW, GUNICORN), (NOW + 5, GUNICORN)), False),
        (looked((NOW, GUNICORN)), looked((NOW, GUNICORN), (NOW + 5,)), False),
        (looked((NOW, GUNICORN), (NOW + 50,)), looked((NOW + 60, GUNICORN)), True),
        (looked((NOW, GUNICORN), (NOW + 50,)), looked((NOW + 59, GUNICORN)), False),
        (looked((NOW,)), after_failure(looked((NOW,)), "denied", NOW + 5), False),
        (looked((RETIRE_AT - 1,)), looked((RETIRE_AT,)), True),
        (looked((RETIRE_AT,)), looked((RETIRE_AT + 5,)), False),
        (looked((NOW + 86_400,)), looked((NOW,)), True),
    ],
)
def test_evidence_is_saved_when_it_is_new_or_after_a_pause(saved, found, wanted):
    assert worth_saving(saved, found, NOW, RETIRE_AT, pace_seconds=PACE) is wanted


def test_ever_new_programs_do_not_cause_ever_new_writes():
    saved, writes = Evidence(), 0
    for number in range(600):
        usage = Usage((Reader("app_a", f"10.0.0.{number}"),))
        found = after_look(saved, usage, NOW + number)
        if worth_saving(saved, found, NOW, RETIRE_AT, pace_seconds=PACE):
            saved, writes = found, writes + 1
    assert writes <= 1 + MAX_READERS + 600 / PACE


def test_the_evidence_of_two_processes_is_merged():
    first, second = looked((NOW, GUNICORN)), looked((NOW + 5, WORKER))
    for both in (merged(first, second), merged(second, first)):
        assert {one.application for one in both.readers} == {"gunicorn", "worker"}
        assert (both.seen_at, both.looked_at) == (NOW + 5, NOW + 5)


def test_evidence_survives_encoding():
    evidence = after_failure(looked((NOW, GUNICORN)), "denied", NOW + 1)
    assert decode(json.loads(json.dumps(encode(evidence)))) == evidence
    assert decode(None) is None


@pytest.mark.parametrize(
    "reader",
    [
        Reader("app_a", sessions=10**30),
        Reader("app_a", sessions=6 * 10**10),
        Reader("app_a", sessions=-1),
        Reader("app_a", sessions=True),
        Reader("app_a", since=float("nan")),
        Reader("app_a", since=1e300),
        Reader("app_a", seen_at=float("nan")),
        Reader("app_a", seen_at=-5.0),
        Reader("", "\0", "\ud800" * 100),
    ],
)
def test_whatever_a_target_reports_is_evidence_that_a_record_can_have(reader):
    evidence = looked((NOW, reader, reader))
    assert decode(json.loads(json.dumps(encode(evidence)))) == evidence
    assert evidence.seen_at == NOW


@pytest.mark.parametrize("shown", [8, 16, 26])
def test_a_name_that_the_target_has_cut_does_not_show_a_part_of_a_value(shown):
    value = "canary-abcdefghijklmnopqrstuvwxyz"
    cut = f"{'x' * (63 - shown)}{value[:shown]}"
    [reader] = after_look(
        Evidence(), Usage((Reader("app_a", application=cut),)), NOW, [value]
    ).readers
    assert reader.application == "(hidden)"


def test_times_of_a_clock_that_was_ahead_do_not_count():
    ahead = as_of(looked((NOW + 3600, GUNICORN)), NOW)
    assert (ahead.seen_at, ahead.looked_at, ahead.tried_at) == (NOW, NOW, NOW)
    assert ahead.present == ahead.readers
    past = looked((NOW, GUNICORN), (NOW + 5,))
    assert as_of(past, NOW + 5) == past

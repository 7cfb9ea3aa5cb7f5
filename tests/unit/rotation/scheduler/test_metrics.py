"""The Prometheus metrics and their HTTP endpoint."""

import os
import socket
import urllib.error
import urllib.request
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families

from envkit import __version__
from envkit.errors import ExtraMissingError, RotationError, UsageError
from envkit.rotation.outcome import Outcome, OutcomeStatus
from envkit.rotation.scheduler.catalog_watcher import CatalogWatcher
from envkit.rotation.scheduler.endpoint import Endpoint, listen_address
from envkit.rotation.scheduler.metrics import SchedulerMetrics
from envkit.rotation_state.evidence import Evidence, Reader
from envkit.rotation_state.record import Phase, Record
from support.process import run_python

NOW = 1_790_000_000.0
DAY = 86_400.0
CANARY = "canary-93c5a0e1"
NAME = "prod/db"


@pytest.fixture
def clock():
    return [NOW]


@pytest.fixture
def catalog(project):
    project.profile(
        "prod.toml",
        '[variables]\nA = "1"\n'
        + "".join(
            f'[rotation.{name}]\nsecret = "dotenv:{name}"\nrotator = "random"\nevery = "30d"\n'
            'retire_when = "unused"\n'
            for name in ("db", "cache")
        ),
    )
    return CatalogWatcher(str(project.profiles), environ=os.environ)


@pytest.fixture
def board(clock, catalog):
    board = SchedulerMetrics(lambda: clock[0])
    board.loaded(catalog.read())
    return board


def samples(board):
    """Each sample by its name and the one label that it may have."""
    found = {}
    for family in text_string_to_metric_families(board.text().decode()):
        assert family.documentation, family.name
        for sample in family.samples:
            assert len(sample.labels) <= 1, sample
            label = next(iter(sample.labels.values()), "")
            found[f"{sample.name} {label}".strip()] = sample.value
    return found


def run(board, catalog, outcome, seconds=1.0):
    rotation = catalog.rotations[outcome.rotation]
    board.began(rotation)
    board.ended(rotation, outcome, seconds)


def test_metrics_exist_before_the_first_run(board):
    found = samples(board)
    assert found[f"envkit_build_info {__version__}"] == 1
    assert found["envkit_rotations"] == 2
    assert found["envkit_rotations_running"] == 0
    assert found["envkit_profile_errors"] == found["envkit_rotations_orphaned"] == 0
    board.orphaned(2)
    assert samples(board)["envkit_rotations_orphaned"] == 2
    # there are no metrics of a rotation before its first run
    assert not [name for name in found if name.endswith(NAME)]
    # a counter that is not there cannot be watched
    assert all(
        found[f"envkit_rotation_runs_total {status}"] == 0 for status in tuple(OutcomeStatus)
    )


def test_age_and_overdue_advance_without_another_run(board, catalog, clock):
    record = Record(NAME, "id", Phase.IDLE, last_rotated_at=NOW - 10 * DAY)
    run(board, catalog, Outcome(NAME, OutcomeStatus.NOT_DUE, record=record))
    found = samples(board)
    assert found[f"envkit_rotation_last_success_timestamp_seconds {NAME}"] == NOW - 10 * DAY
    assert found[f"envkit_rotation_age_seconds {NAME}"] == 10 * DAY
    assert found[f"envkit_rotation_due_timestamp_seconds {NAME}"] == NOW + 20 * DAY
    assert found[f"envkit_rotation_due {NAME}"] == 0
    assert found[f"envkit_rotation_overdue {NAME}"] == 0

    clock[0] = NOW + 20 * DAY
    assert samples(board)[f"envkit_rotation_due {NAME}"] == 1
    assert samples(board)[f"envkit_rotation_overdue {NAME}"] == 0
    clock[0] = NOW + 21 * DAY
    assert samples(board)[f"envkit_rotation_overdue {NAME}"] == 1
    assert samples(board)[f"envkit_rotation_age_seconds {NAME}"] == 31 * DAY


def test_sessions_of_the_old_credential_and_a_blocked_retirement_are_measured(
    board, catalog, clock
):
    users = (Reader("app_a", sessions=3, seen_at=NOW), Reader("app_a", "gone", seen_at=NOW - 60))
    record = Record(
        NAME,
        "id",
        Phase.GRACE,
        promoted_at=NOW - 900,
        retire_at=NOW,
        evidence=Evidence(NOW, NOW, NOW, readers=users),
    )
    run(board, catalog, Outcome(NAME, OutcomeStatus.IN_USE, record=record))
    clock[0] = NOW + 120
    found = samples(board)
    assert found[f"envkit_rotation_old_credential_sessions {NAME}"] == 3
    assert found[f"envkit_rotation_retirement_blocked_seconds {NAME}"] == 120
    record = record._replace(retire_at=NOW + 60)
    run(board, catalog, Outcome(NAME, OutcomeStatus.IN_GRACE, record=record))
    assert samples(board)[f"envkit_rotation_retirement_blocked_seconds {NAME}"] == 0


def test_a_rotation_that_was_never_done_has_no_age(board, catalog):
    run(
        board, catalog, Outcome(NAME, OutcomeStatus.FAILED, step="claim", error=RotationError("no"))
    )
    found = samples(board)
    assert found[f"envkit_rotation_last_success_timestamp_seconds {NAME}"] == 0
    assert f"envkit_rotation_age_seconds {NAME}" not in found
    assert found[f"envkit_rotation_due {NAME}"] == 1


def test_a_store_that_does_not_answer_resets_no_metric(board, catalog):
    record = Record(NAME, "id", Phase.IDLE, last_rotated_at=NOW - 40 * DAY)
    run(board, catalog, Outcome(NAME, OutcomeStatus.NOT_DUE, record=record))
    run(board, catalog, Outcome(NAME, OutcomeStatus.FAILED, error=RotationError("no answer")))
    found = samples(board)
    assert found[f"envkit_rotation_last_success_timestamp_seconds {NAME}"] == NOW - 40 * DAY
    assert found[f"envkit_rotation_overdue {NAME}"] == 1


def test_a_rolled_back_rotation_is_not_due_at_once_but_still_overdue(board, catalog):
    record = Record(NAME, "id", Phase.IDLE, last_rotated_at=NOW - 40 * DAY, given_up_at=NOW - DAY)
    run(board, catalog, Outcome(NAME, OutcomeStatus.NOT_DUE, record=record))
    found = samples(board)
    assert found[f"envkit_rotation_due_timestamp_seconds {NAME}"] == NOW + 29 * DAY
    assert found[f"envkit_rotation_overdue {NAME}"] == 1


def test_metrics_count_progress_and_failures(board, catalog):
    record = Record(NAME, "id", Phase.SET, tries=3)
    run(
        board,
        catalog,
        Outcome(NAME, OutcomeStatus.FAILED, step="test", record=record, error=RotationError("x")),
    )
    found = samples(board)
    assert found[f"envkit_rotation_in_progress {NAME}"] == 1
    assert found[f"envkit_rotation_failures_in_a_row {NAME}"] == 3
    assert found["envkit_rotation_failures_total test"] == 1
    assert found["envkit_rotation_runs_total failed"] == 1
    assert found[f"envkit_rotation_needs_a_person {NAME}"] == 0

    record = Record(NAME, "id", Phase.GRACE)
    run(board, catalog, Outcome(NAME, OutcomeStatus.IN_GRACE, step="finish", record=record))
    found = samples(board)
    assert found[f"envkit_rotation_in_progress {NAME}"] == 1
    assert found[f"envkit_rotation_failures_in_a_row {NAME}"] == 0
    assert found["envkit_rotation_failures_total test"] == 1


@pytest.mark.parametrize("status", [OutcomeStatus.REFUSED, OutcomeStatus.QUARANTINED])
def test_needs_a_person_is_set_while_a_rotation_waits_for_a_decision(board, catalog, status):
    run(board, catalog, Outcome(NAME, status, error=RotationError("x")))
    assert samples(board)[f"envkit_rotation_needs_a_person {NAME}"] == 1
    assert samples(board)["envkit_rotation_failures_total look"] == 1
    run(board, catalog, Outcome(NAME, OutcomeStatus.NOT_DUE))
    assert samples(board)[f"envkit_rotation_needs_a_person {NAME}"] == 0


def test_only_runs_that_did_something_have_a_duration(board, catalog):
    run(board, catalog, Outcome(NAME, OutcomeStatus.NOT_DUE), 0.01)
    assert samples(board)["envkit_rotation_run_duration_seconds_count"] == 0
    run(board, catalog, Outcome(NAME, OutcomeStatus.ROTATED), 7.0)
    found = samples(board)
    assert found["envkit_rotation_run_duration_seconds_count"] == 1
    assert found["envkit_rotation_run_duration_seconds_sum"] == 7.0


def test_a_rotation_that_is_in_no_profile_any_more_has_no_metrics(board, catalog, project):
    run(board, catalog, Outcome(NAME, OutcomeStatus.NOT_DUE))
    run(board, catalog, Outcome("prod/cache", OutcomeStatus.NOT_DUE))
    before = catalog.rotations["prod/cache"]
    text = (project.profiles / "prod.toml").read_text()
    project.profile("prod.toml", text.partition("[rotation.cache]")[0])
    board.loaded(catalog.read())
    board.began(before)
    board.ended(before, Outcome("prod/cache", OutcomeStatus.NOT_DUE), 1.0)  # it ran meanwhile
    found = samples(board)
    assert f"envkit_rotation_due {NAME}" in found
    assert not [name for name in found if "prod/cache" in name]
    assert found["envkit_rotations_running"] == 0


def test_metrics_count_broken_profiles(board, catalog, project):
    project.profile("staging.toml", "[variables\n")
    board.loaded(catalog.read())
    assert samples(board)["envkit_profile_errors"] == 1


def test_metrics_contain_no_message(board, catalog):
    error = RotationError(f"the target said {CANARY}", hint=CANARY)
    run(board, catalog, Outcome(NAME, OutcomeStatus.FAILED, CANARY, step="set", error=error))
    assert CANARY.encode() not in board.text()


def test_a_missing_prometheus_package_is_reported_with_its_extra(tmp_path):
    (tmp_path / "prometheus_client.py").write_text("raise ImportError\n")
    script = "from envkit.rotation.scheduler.metrics import SchedulerMetrics\nSchedulerMetrics()\n"
    done = run_python(script, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=False)
    assert ExtraMissingError.__name__ in done.stderr


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def state():
    return {"healthy": "", "ready": "the profiles were not read yet"}


@pytest.fixture
def endpoint(board, state):
    with Endpoint(
        "127.0.0.1:0",
        metrics=board.text,
        healthy=lambda: state["healthy"],
        ready=lambda: state["ready"],
    ) as endpoint:
        yield endpoint


def get(endpoint, path, method="GET"):
    request = urllib.request.Request(f"http://{endpoint.host}:{endpoint.port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_probes_say_what_is_missing(endpoint, state):
    assert get(endpoint, "/healthz") == (200, "ok\n")
    assert get(endpoint, "/readyz") == (503, "the profiles were not read yet\n")
    state.update(healthy="it hangs", ready="")
    assert get(endpoint, "/healthz") == (503, "it hangs\n")
    assert get(endpoint, "/readyz") == (200, "ok\n")


def test_metrics_are_in_the_format_of_prometheus(endpoint, board):
    status, text = get(endpoint, "/metrics?name[]=x")
    assert status == 200
    assert [one.name for one in text_string_to_metric_families(text)] == [
        one.name for one in text_string_to_metric_families(board.text().decode())
    ]


def test_other_paths_and_methods_of_the_endpoint_are_refused(endpoint):
    assert get(endpoint, "/")[0] == 404
    assert get(endpoint, "/metrics", "POST")[0] == 501
    assert get(endpoint, "/metrics", "HEAD") == (200, "")


def test_a_silent_client_does_not_block_the_endpoint(endpoint):
    with closing(socket.create_connection((endpoint.host, endpoint.port), timeout=30)):
        assert get(endpoint, "/healthz")[0] == 200


def test_a_client_that_disconnects_at_once_is_not_logged(endpoint, capfd):
    with closing(socket.create_connection((endpoint.host, endpoint.port), timeout=30)) as line:
        line.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert get(endpoint, "/healthz")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_closed_endpoint_does_not_answer(board):
    with Endpoint("127.0.0.1:0", metrics=board.text, healthy=str, ready=str) as endpoint:
        pass
    with pytest.raises(ConnectionError):
        socket.create_connection((endpoint.host, endpoint.port), timeout=30)


def test_a_port_in_use_is_an_error(endpoint):
    with pytest.raises(UsageError, match=r"cannot listen on 127\.0\.0\.1:.*in use"):
        Endpoint(f"127.0.0.1:{endpoint.port}", metrics=bytes, healthy=str, ready=str)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        (":9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_listen_address_is_parsed(text, address):
    assert listen_address(text) == address


@pytest.mark.parametrize("text", ["", "9464", "host", "host:", "host:x", "::1", "h:70000", "h:-1"])
def test_an_invalid_listen_address_is_refused(text):
    with pytest.raises(UsageError):
        listen_address(text)


def test_failures_are_counted_until_a_rotation_can_begin(board, catalog):
    failed = Outcome(NAME, OutcomeStatus.FAILED, error=RotationError("no driver"))
    for outcome, failures in (
        (failed, 1),
        (failed, 2),
        (failed._replace(until=NOW + 60), 2),  # its backoff is seen, and nothing is tried
        (Outcome(NAME, OutcomeStatus.BUSY), 2),
        (Outcome(NAME, OutcomeStatus.ROTATED), 0),
    ):
        run(board, catalog, outcome)
        found = samples(board)
        assert found[f"envkit_rotation_failures_in_a_row {NAME}"] == failures
        assert found[f"envkit_rotation_failing {NAME}"] == bool(failures)


def test_a_record_with_tries_is_failing_and_its_passwords_are_counted(board, catalog):
    record = Record(NAME, id="1", error="claim: unavailable", tries=7, extra_passwords=2)
    run(board, catalog, Outcome(NAME, OutcomeStatus.NOT_DUE, record=record))
    found = samples(board)
    assert found[f"envkit_rotation_failures_in_a_row {NAME}"] == 7
    assert found[f"envkit_rotation_failing {NAME}"] == 1
    assert found[f"envkit_rotation_unknown_passwords {NAME}"] == 2


def test_a_time_outside_the_calendar_hides_no_other_rotation(board, catalog):
    other = "prod/cache"
    run(
        board,
        catalog,
        Outcome(NAME, OutcomeStatus.NOT_DUE, record=Record(NAME, last_rotated_at=1e11)),
    )
    run(board, catalog, Outcome(other, OutcomeStatus.NOT_DUE, record=Record(other)))
    assert samples(board)[f"envkit_rotation_due {other}"] == 1

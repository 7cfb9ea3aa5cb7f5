"""The statuses of many rotations: each file and secret is read once; failures stay in their row."""

import json
import sys

import pytest

from envkit._internal.clock import Deadline
from envkit.cli.formats.rotation import page
from envkit.cli.formats.rotation.statuses import json_text, plain
from envkit.errors import EnvkitError
from envkit.rotation.catalog import collect
from envkit.rotation.status_reading import read_each, read_statuses
from support.rotating import record_file, stands, table

NOW = 1_795_577_472.0
opened: list[str] = []
watching = []


def _watch(event, arguments):
    if watching and event == "open":
        opened.append(str(arguments[0]))


@pytest.fixture
def opens():
    """The files that are opened during a test."""
    if not hasattr(sys, "_envkit_opens"):
        sys.addaudithook(_watch)  # cannot be removed, so it watches only on request
        sys._envkit_opens = True
    opened.clear()
    watching.append(True)
    yield opened
    watching.clear()


def rotations(project, environ=None):
    found = collect(str(project.profiles), environ=environ or {}, deadline=Deadline(30))
    assert not found.broken
    return found.rotations


def read(project, **options):
    return read_statuses(rotations(project), environ={}, now=NOW, deadline=Deadline(30), **options)


def many(project, count):
    project.profile("prod.toml", "".join(table(f"k{n}", f"K{n}") for n in range(count)))
    project.dotenv("prod", "".join(f"K{n}=x\n" for n in range(count)))


def times_opened(project, opens, count, state):
    opens.clear()
    found = read(project)
    assert [one.state for one in found] == [state] * count
    return sum(path.endswith(".env.prod") for path in opens)


def test_a_file_is_read_once_for_all_its_rotations(project, opens):
    many(project, 1)
    once = times_opened(project, opens, 1, "due")
    many(project, 40)
    assert times_opened(project, opens, 40, "due") == once > 0


def test_a_record_that_waits_for_a_decision_is_read_twice_and_its_secret_once_each_time(
    project, opens
):
    counts = []
    for count in (1, 20):
        many(project, count)
        for n in range(count):
            stands(
                *(project, "prod", f"k{n}", f"K{n}"),
                phase="staged",
                started_at=-60.0,
                plan=f"random (alternate) of K{n} and K{n}_PREVIOUS",
                values={"old": {f"K{n}": "a"}, "new": {f"K{n}": "b"}},
            )
        counts.append(times_opened(project, opens, count, "failing"))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    "value", ["NaN", "1e400", "-1", "1e99", "99999999999999999999", '"soon"', "null"]
)
def test_a_record_with_an_invalid_time_spoils_only_its_own_row(project, value):
    many(project, 3)
    stands(project, "prod", "k1", "K1", phase="idle", last_rotated_at=-60.0)
    path = record_file(project, "prod", "K1")
    stored = json.loads(path.read_text())
    text = json.dumps(stored["record"] | {"last_rotated_at": 0.5}).replace("0.5", value)
    path.write_text(f'{{"record": {text}}}')
    assert [one.state for one in read(project)] == ["due", "unreadable", "due"]


@pytest.mark.parametrize("key", ["last_rotated_at", "promoted_at", "retire_at", "started_at"])
@pytest.mark.parametrize("when", ['every = "30d"', 'schedule = "0 3 * * SUN"', 'every = "900000d"'])
def test_a_time_thousands_of_years_ahead_can_be_shown(project, key, when):
    project.profile("prod.toml", table("k0", "K0", when=when))
    project.dotenv("prod", "K0=x\n")
    stands(project, "prod", "k0", "K0", phase="idle", last_rotated_at=-60.0)
    path = record_file(project, "prod", "K0")
    path.write_text(json.dumps({"record": json.loads(path.read_text())["record"] | {key: 9.9e10}}))
    found = read(project)
    assert json_text(found)
    assert plain(found)
    assert page.render(found, rotations(project), NOW)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            {"secret": "elsewhere#KEY"},
            "the rotation record beside .env.prod#K0 belongs to another secret, ",
        ),
        ({"name": "other"}, "the secret is rotated as prod/other, not as prod/k0"),
        (
            {"phase": "staged", "plan": "redis (alternate) of K0"},
            "the rotation in progress started as 'redis (alternate) of K0', ",
        ),
    ],
)
def test_a_record_of_another_secret_is_not_shown(project, fields, error):
    many(project, 1)
    fields = {"phase": "idle", "started_at": -60.0, **fields}
    if fields["phase"] != "idle":
        fields["values"] = {"old": {"K0": "x"}, "new": {"K0": "y"}}
    stands(project, "prod", fields.pop("name", "k0"), "K0", **fields)
    (one,) = read(project)
    assert (one.state, one.stopped) == ("failing", True)
    assert one.error.startswith(error)


def test_a_rotation_that_could_not_begin_is_failing_with_its_reason(project):
    many(project, 1)
    stands(project, "prod", "k0", "K0", error="claim: unavailable", tries=4, busy_until=60.0)
    (one,) = read(project)
    assert (one.state, one.error, one.tries) == ("failing", "claim: unavailable", 4)


def test_status_counts_passwords_that_envkit_does_not_know(project):
    many(project, 1)
    stands(project, "prod", "k0", "K0", last_rotated_at=-60.0, extra_passwords=2)
    (one,) = read(project)
    assert (one.state, one.extra_passwords) == ("waiting", 2)


def test_plan_names_the_program_that_this_host_lacks(project):
    project.profile("prod.toml", table("k", "K", 'after = [["no-such-program"]]'))
    project.dotenv("prod", "K=x\n")
    (looked,), (planned,) = read(project), read(project, writable=True)
    assert looked.state == "due", "another host may have it"
    assert planned.state == "failing"
    assert planned.error == "'after' runs 'no-such-program', which is not on the PATH"


def test_a_late_answer_is_reported_as_a_timeout(project):
    many(project, 2)
    found = read_each(rotations(project), environ={}, now=NOW, deadline=Deadline(0))
    assert [isinstance(one, EnvkitError) and one.message for one in found] == [
        "no answer in time"
    ] * 2


def test_status_takes_one_read_for_a_secret_in_vault_and_one_for_each_rotation(project, openbao):
    environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    openbao.put("status-reading/db", {"a": "x", "b": "y"})
    openbao.put("status-reading/web", {"a": "x"})
    places = ("db#a", "db#b", "web#a")
    project.profile(
        "prod.toml",
        '[sources.vault]\nmount = "secret"\nprefix = "status-reading"\n'
        + "".join(
            table(f"k{n}", f"vault:{place}", 'target = { previous_field = "" }')
            for n, place in enumerate(places)
        ),
    )
    before = len(openbao.asked())
    found = read_statuses(
        rotations(project, environ), environ=environ, now=NOW, deadline=Deadline(30)
    )
    assert [one.state for one in found] == ["due"] * 3
    paths = [path for _, path in openbao.asked()[before:]]
    assert sorted(path for path in paths if "/data/" in path) == [
        "secret/data/envkit-rotation/status-reading/db.a",
        "secret/data/envkit-rotation/status-reading/db.b",
        "secret/data/envkit-rotation/status-reading/web.a",
        "secret/data/status-reading/db",
        "secret/data/status-reading/web",
    ]

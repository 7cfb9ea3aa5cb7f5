"""`envkit rotate serve` as a service runs it: a process controlled by signals."""

import json
import re
import signal
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.rotating import reporting_rotator, table, values
from support.serving import Hook, Serving

pytestmark = pytest.mark.usefixtures("trusted")

CANARY = "canary-4f1be0d2"
VARIABLES = '[variables]\nAPI_TOKEN = "{{ API_TOKEN }}"\n'


def rotation(name="token", key="API_TOKEN", every="30d", grace="0s", **more):
    more = {"grace": grace, "timeout": "20s", **more}
    lines = [f"{key} = {json.dumps(value)}" for key, value in more.items()]
    return table(name, key, *lines, when=f'every = "{every}"')


def write(project, *rotations, top=""):
    project.profile("prod.toml", top + VARIABLES + "".join(rotations))


@pytest.fixture
def shop(project):
    project.dotenv("prod", f"API_TOKEN={CANARY}\nOTHER=left-alone\n")
    write(project, rotation(every="2s", grace="1s"))
    return project


@contextmanager
def serving(project, *args, env=None):
    """Serve rotations, and check that the scheduler stops as it should."""
    with Serving(project, "rotate", "serve", *args, env=env or {}) as process:
        yield process
        if process.process.returncode is None:
            process.send(signal.SIGTERM)
        assert process.wait_until_ended() == 0


def record(project, key="API_TOKEN"):
    path = project.root / f".env.prod.{key}.envkit-rotation"
    return json.loads(path.read_text())["record"]


def test_serve_logs_who_uses_an_old_value_and_retires_it_once_it_is_unused(shop, tmp_path):
    target, users = reporting_rotator(tmp_path)
    lines = ('grace = "0s"', 'retire_when = "unused"', target)
    write(shop, table("token", "API_TOKEN", *lines, rotator="command"))
    with serving(shop) as running:
        running.wait_for(
            r"prod/token: in-use: .*: 3 sessions of app_a from 10\.0\.0\.5 'web', last"
        )
        users.write_text("[]")
        running.wait_for(r"prod/token: rotated")
    assert running.text.count("in-use") == 1


def test_serve_rotates_when_due_until_it_is_stopped(shop):
    with serving(shop) as running:
        running.wait_for(r"prod/token: rotated", times=2)
    assert running.lines[0].endswith("Z 1 rotation in prod\n")
    assert running.lines[-1].endswith("Z stopped\n")
    assert values(shop, "prod")["API_TOKEN"] not in ("", CANARY)
    assert values(shop, "prod")["OTHER"] == "left-alone"
    assert CANARY not in running.text
    assert values(shop, "prod")["API_TOKEN"] not in running.text


def test_serve_stops_on_ctrl_c(shop):
    with serving(shop) as running:
        running.wait_for(r"prod/token: in-grace")
        assert running.stop(signal.SIGINT) == 0


def test_serve_answers_probes_and_exports_metrics(shop):
    write(shop, rotation())
    with serving(shop, "--listen", "127.0.0.1:0") as running:
        running.wait_for(r"prod/token: rotated")
        assert running.get("/healthz") == (200, "ok\n")
        assert running.get("/readyz") == (200, "ok\n")
        status, text = running.get("/metrics")
    assert status == 200
    samples = {
        f"{sample.name} {next(iter(sample.labels.values()), '')}".strip(): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    name = "prod/token"
    assert samples["envkit_rotations"] == 1
    assert samples["envkit_rotation_runs_total rotated"] == 1
    assert samples[f"envkit_rotation_overdue {name}"] == 0
    assert samples[f"envkit_rotation_due {name}"] == 0
    assert samples[f"envkit_rotation_in_progress {name}"] == 0
    last = samples[f"envkit_rotation_last_success_timestamp_seconds {name}"]
    assert last == pytest.approx(record(shop)["last_rotated_at"])
    assert CANARY not in text
    assert values(shop, "prod")["API_TOKEN"] not in text


def test_serve_notices_sighup_and_a_changed_file(shop):
    write(shop, rotation())
    with serving(shop) as running:
        running.wait_for(r"prod/token: rotated")
        shop.dotenv("prod", f"API_TOKEN={CANARY}\nDB=old\n")
        write(shop, rotation(), rotation("db", "DB"))
        running.send(signal.SIGHUP)
        running.wait_for(r"2 rotations in prod")
        running.wait_for(r"prod/db: rotated")


def test_serve_reports_a_broken_profile_and_continues_with_the_others(shop):
    with serving(shop) as running:
        running.wait_for(r"prod/token: rotated")
        shop.profile("staging.toml", "[variables\n")
        running.send(signal.SIGHUP)
        running.wait_for(r"error: .*staging\.toml")
        before = len(running.lines)
        running.wait(lambda: "rotated" in "".join(running.lines[before:]), "rotated")


@pytest.fixture
def hook(tmp_path):
    return Hook(tmp_path)


def test_serve_continues_with_other_rotations_during_a_long_one(shop, hook):
    shop.dotenv("prod", "API_TOKEN=old\nDB=old\n")
    write(shop, rotation("a", before=[hook.command]), rotation("b", "DB"))
    with serving(shop, "--concurrency", "2") as running:
        hook.wait_until_it_runs()
        running.wait_for(r"prod/b: rotated")
        assert "prod/a" not in running.text
        hook.end()
        running.wait_for(r"prod/a: rotated")


def test_serve_stopped_in_the_middle_leaves_a_rotation_that_another_process_resumes(shop, hook):
    write(shop, rotation(before=[hook.command]))
    with serving(shop) as running:
        hook.wait_until_it_runs()
        running.send_and_wait_until_heard(signal.SIGTERM)
        hook.end()
        assert running.wait_until_ended() == 0
        running.wait_for(r"prod/token: stopped")
    assert values(shop, "prod")["API_TOKEN"] == CANARY
    assert record(shop)["phase"] == "staged"
    assert record(shop)["holder"] == ""

    with serving(shop) as running:
        running.wait_for(r"prod/token: rotated")
    assert values(shop, "prod")["API_TOKEN"] != CANARY


def test_two_serve_processes_rotate_each_secret_once(openbao, project):
    names = [f"s{number}" for number in range(12)]
    openbao.put("twice/db", dict.fromkeys(names, CANARY))
    rotations = "".join(rotation(name, name) for name in names)
    project.profile(
        "prod.toml",
        '[sources.vault]\nmount = "secret"\n[variables]\nNODE_ENV = "production"\n'
        + rotations.replace('"dotenv:', '"vault:twice/db#'),
    )
    environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    with serving(project, env=environ) as one, serving(project, env=environ) as other:

        def rotated():
            return re.findall(r"(\S+): rotated", one.text + other.text)

        one.wait(lambda: len(rotated()) >= len(names), "all rotated")
    assert sorted(rotated()) == sorted(f"prod/{name}" for name in names)
    data = openbao.ask("GET", "secret/data/twice/db")["data"]["data"]
    assert CANARY not in data.values()
    assert set(data) == {*names, *(f"{name}_previous" for name in names)}


# ---------------------------------------------------------------- refusals


def test_serve_requires_a_reason_for_a_protected_profile_at_start(shop):
    write(shop, rotation(every="2s", grace="1s"), top="protected = true\n")
    done = shop.run("rotate", "serve")
    assert done.returncode == 6
    assert "prod is protected" in done.stderr
    with serving(shop, "--reason", "rotation policy 7") as running:
        running.wait_for(r"prod/token: rotated")
    shown = shop.run("audit", "show", "--format", "json", env={"HOME": str(shop.root / "home")})
    assert {one["reason"] for one in json.loads(shown.stdout)["records"]} == {"rotation policy 7"}


def test_serve_does_not_start_with_nothing_to_do(shop):
    def assert_refused(message, status, *args):
        done = shop.run("rotate", "serve", *args)
        assert (done.returncode, message in done.stderr) == (status, True), done.stderr

    assert_refused("no profile 'nowhere'", 3, "--env", "nowhere")
    write(shop, rotation(every="soon"))
    assert_refused("prod.toml:6", 3)
    write(shop)
    assert_refused("no rotation in these profiles", 2)


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        ("env:NO_SUCH", "the variable NO_SUCH is not set"),
        ("file:/no/such", "no such file"),
        (f"postgresql://u:{CANARY}@h/d", "--queue has a password"),
        (CANARY, "--queue is not the address of a PostgreSQL database"),
    ],
)
def test_serve_refuses_bad_usage(shop, queue, message):
    done = shop.run("rotate", "serve", "--queue", queue)
    assert done.returncode == 2
    assert message in done.stderr
    assert CANARY not in done.stderr

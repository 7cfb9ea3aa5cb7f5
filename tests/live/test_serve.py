"""`envkit rotate serve` as a service runs it: a process that is told things by signals."""

import json
import re
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.rotating import table, values
from support.serving import Hook, Serving

pytestmark = pytest.mark.usefixtures("trusted")

CANARY = "canary-4f1be0d2"
VARIABLES = """\
[variables]
API_TOKEN = "{{ API_TOKEN }}"
"""


def rotation(name="token", key="API_TOKEN", every="2s", grace="1s", **more):
    more = {"grace": grace, "timeout": "20s", **more}
    lines = [f"{key} = {json.dumps(value)}" for key, value in more.items()]
    return table(name, key, *lines, when=f'every = "{every}"')


@pytest.fixture
def shop(project):
    project.dotenv("prod", f"API_TOKEN={CANARY}\nOTHER=left-alone\n")
    project.profile("prod.toml", VARIABLES + rotation())
    return project


def record(project, key="API_TOKEN"):
    path = project.root / f".env.prod.{key}.envkit-rotation"
    return json.loads(path.read_text())["record"]


def test_it_rotates_when_it_is_due_and_goes_on_until_it_is_stopped(shop):
    with Serving(shop, "rotate", "serve") as serving:
        serving.wait_for(r"prod/token: rotated", times=2)
        assert serving.stop() == 0
    assert serving.lines[0].endswith("Z 1 rotation in prod\n")
    assert serving.lines[-1].endswith("Z stopped\n")
    assert values(shop, "prod")["API_TOKEN"] not in ("", CANARY)
    assert values(shop, "prod")["OTHER"] == "left-alone"
    assert CANARY not in serving.text
    assert values(shop, "prod")["API_TOKEN"] not in serving.text


def test_ctrl_c_ends_it_as_well(shop):
    with Serving(shop, "rotate", "serve") as serving:
        serving.wait_for(r"prod/token: in-grace")
        assert serving.stop(signal.SIGINT) == 0


def test_probes_and_metrics(shop):
    shop.profile("prod.toml", VARIABLES + rotation(every="30d", grace="0s"))
    with Serving(shop, "rotate", "serve", "--listen", "127.0.0.1:0") as serving:
        serving.wait_for(r"prod/token: rotated")
        assert serving.get("/healthz") == (200, "ok\n")
        assert serving.get("/readyz") == (200, "ok\n")
        status, text = serving.get("/metrics")
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


def test_sighup_and_a_changed_file_are_noticed(shop):
    shop.profile("prod.toml", VARIABLES + rotation(every="30d", grace="0s"))
    with Serving(shop, "rotate", "serve") as serving:
        serving.wait_for(r"prod/token: rotated")
        shop.dotenv("prod", f"API_TOKEN={CANARY}\nDB=old\n")
        shop.profile(
            "prod.toml",
            VARIABLES
            + rotation(every="30d", grace="0s")
            + rotation("db", "DB", every="30d", grace="0s"),
        )
        serving.send(signal.SIGHUP)
        serving.wait_for(r"2 rotations in prod")
        serving.wait_for(r"prod/db: rotated")
        assert serving.stop() == 0


def test_a_profile_that_breaks_is_told_and_hurts_no_other(shop):
    with Serving(shop, "rotate", "serve") as serving:
        serving.wait_for(r"prod/token: rotated")
        shop.profile("staging.toml", "[variables\n")
        serving.send(signal.SIGHUP)
        serving.wait_for(r"error: .*staging\.toml")
        before = len(serving.lines)
        serving.wait(lambda: "rotated" in "".join(serving.lines[before:]), "rotated")
        assert serving.stop() == 0


@pytest.fixture
def hook(tmp_path):
    return Hook(tmp_path)


def test_one_that_takes_long_holds_up_no_other(shop, hook):
    shop.dotenv("prod", "API_TOKEN=old\nDB=old\n")
    shop.profile(
        "prod.toml",
        VARIABLES
        + rotation("a", every="30d", grace="0s", before=[hook.command])
        + rotation("b", "DB", every="30d", grace="0s"),
    )
    with Serving(shop, "rotate", "serve", "--concurrency", "2") as serving:
        hook.wait_until_it_runs()
        serving.wait_for(r"prod/b: rotated")
        assert "prod/a" not in serving.text
        hook.end()
        serving.wait_for(r"prod/a: rotated")
        assert serving.stop() == 0


def test_stopped_in_the_middle_it_leaves_what_another_one_goes_on_with(shop, hook):
    shop.profile("prod.toml", VARIABLES + rotation(every="30d", grace="0s", before=[hook.command]))
    with Serving(shop, "rotate", "serve") as serving:
        hook.wait_until_it_runs()
        serving.send_and_wait_until_heard(signal.SIGTERM)
        hook.end()
        assert serving.wait_until_ended() == 0
        serving.wait_for(r"prod/token: stopped")
    assert values(shop, "prod")["API_TOKEN"] == CANARY
    assert record(shop)["phase"] == "staged"
    assert record(shop)["holder"] == ""

    with Serving(shop, "rotate", "serve") as serving:
        serving.wait_for(r"prod/token: rotated")
        assert serving.stop() == 0
    assert values(shop, "prod")["API_TOKEN"] != CANARY


def test_two_of_them_rotate_once(openbao, project):
    names = [f"s{number}" for number in range(12)]
    openbao.put("twice/db", dict.fromkeys(names, CANARY))
    rotations = "".join(rotation(name, name, every="30d", grace="0s") for name in names)
    project.profile(
        "prod.toml",
        '[sources.vault]\nmount = "secret"\n[variables]\nNODE_ENV = "production"\n'
        + rotations.replace('"dotenv:', '"vault:twice/db#'),
    )
    environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    with (
        Serving(project, "rotate", "serve", env=environ) as one,
        Serving(project, "rotate", "serve", env=environ) as other,
    ):

        def rotated():
            return re.findall(r"(\S+): rotated", one.text + other.text)

        one.wait(lambda: len(rotated()) >= len(names), "all rotated")
        assert one.stop() == other.stop() == 0
    assert sorted(rotated()) == sorted(f"prod/{name}" for name in names)
    data = openbao.ask("GET", "secret/data/twice/db")["data"]["data"]
    assert CANARY not in data.values()
    assert set(data) == {*names, *(f"{name}_previous" for name in names)}


# ---------------------------------------------------------------- what it refuses


def test_a_protected_profile_needs_a_reason_at_once(shop):
    shop.profile("prod.toml", "protected = true\n" + VARIABLES + rotation())
    done = shop.run("rotate", "serve")
    assert done.returncode == 6
    assert "prod is protected" in done.stderr
    with Serving(shop, "rotate", "serve", "--reason", "rotation policy 7") as serving:
        serving.wait_for(r"prod/token: rotated")
        assert serving.stop() == 0
    shown = shop.run("audit", "show", "--format", "json", env={"HOME": str(shop.root / "home")})
    assert {one["reason"] for one in json.loads(shown.stdout)["records"]} == {"rotation policy 7"}


def test_what_could_do_nothing_does_not_begin(shop):
    done = shop.run("rotate", "serve", "--env", "nowhere")
    assert (done.returncode, "no profile 'nowhere'" in done.stderr) == (3, True), done.stderr

    shop.profile("prod.toml", VARIABLES + rotation(every="soon"))
    done = shop.run("rotate", "serve")
    assert (done.returncode, "prod.toml:6" in done.stderr) == (3, True), done.stderr

    shop.profile("prod.toml", VARIABLES)
    done = shop.run("rotate", "serve")
    assert (done.returncode, "there is no rotation" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--queue", "env:NO_SUCH"], "there is no variable NO_SUCH"),
        (["--queue", "file:/no/such"], "no such file"),
        (["--queue", f"postgresql://u:{CANARY}@h/d"], "--queue has a password"),
        (["--queue", f"{CANARY}"], "--queue is no address of a PostgreSQL database"),
    ],
)
def test_a_command_line_that_cannot_be_is_told(shop, args, message):
    done = shop.run("rotate", "serve", *args)
    assert done.returncode == 2
    assert message in done.stderr
    assert CANARY not in done.stderr

"""What the pages on rotation show that takes servers, or a process that stays.

The scheduler's transcript and manifests are run without changes; the rights that the pages
list are given to a login that has no others.
"""

from __future__ import annotations

import re
import shlex
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from support.pages import ROOT, blocks, pages_run_by, tell
from support.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = ROOT / "docs" / "guides"
EXAMPLES = ROOT / "examples"
PAGES = pages_run_by("tests/live/test_rotation_pages.py")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\dZ)?|\b\d+\.\d s|:\d{4,5}$", re.MULTILINE)
PASSWORD = "made-up-of-the-queue"


def block(page, name):
    [found] = [one.text for one in blocks(GUIDE / page) if one.file == name]
    return found


def without_times(text):
    return TIME.sub("...", text)


@pytest.fixture
def shop(project):
    """The project of the page on the scheduler."""
    assert tell(GUIDE / "scheduler.md", project.root) == []
    return project


def test_the_only_page_tested_here_is_the_scheduler():
    assert [page.name for page in PAGES] == ["scheduler.md"]


def test_the_scheduler_prints_what_its_page_shows(shop):
    with Serving(shop, "rotate", "serve", "--listen", "127.0.0.1:0") as serving:
        serving.wait_for(r"prod/hook-token: in-grace")
        assert serving.stop() == 0
    assert without_times(serving.text) == without_times(block("scheduler.md", "serve.log"))


# ---------------------------------------------------------------- manifests and units


def config_map(folder: Path, profiles: dict[str, str]) -> Path:
    """A folder as Kubernetes mounts a ConfigMap: links to files of one version of it."""
    version = folder / "..2026_11_28"
    version.mkdir(parents=True)
    (folder / "..data").symlink_to(version.name)
    for name, text in profiles.items():
        (version / name).write_text(text, encoding="utf-8")
        (folder / name).symlink_to(f"..data/{name}")
    return folder


def pod(name: str) -> dict[str, Any]:
    """The specification of the pods of a manifest."""
    documents = yaml.safe_load_all((EXAMPLES / "kubernetes" / f"{name}.yaml").read_text("utf-8"))
    [spec] = [one["spec"] for one in documents if one["kind"] in ("Deployment", "CronJob")]
    return spec.get("jobTemplate", {"spec": spec})["spec"]["template"]["spec"]


def on_this_machine(args, profiles):
    places = {"/profiles": str(profiles), "/etc/envkit/profiles": str(profiles)}
    listen = {"0.0.0.0:9464": "127.0.0.1:0", "127.0.0.1:9464": "127.0.0.1:0"}
    return [{**places, **listen}.get(arg, arg) for arg in args]


@pytest.fixture
def mounted(openbao, project):
    """The profiles of a protected environment in Vault, as a pod finds them; `environ` of it."""
    path = f"pod-{token_hex(4)}/app"  # the server is that of other tests as well
    openbao.put(path, {"TOKEN": "made-up"})
    text = (
        'protected = true\n[sources.vault]\nmount = "secret"\n'
        f'[variables]\nTOKEN = "{{{{ vault:{path}#TOKEN }}}}"\n'
        f'[rotation.token]\nsecret = "vault:{path}#TOKEN"\nrotator = "random"\n'
        'every = "30d"\ngrace = "0s"\n'
    )
    project.mounted = config_map(project.root / "mounted", {"prod.toml": text})
    project.environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    project.current = lambda: openbao.ask("GET", f"secret/data/{path}")["data"]["data"]["TOKEN"]
    return project


def environ_of(name, project):
    """What the manifest gives to the pod, where that can be given here."""
    [started] = pod(name)["containers"]
    given = {one["name"]: one["value"] for one in started["env"] if "value" in one}
    state = project.root / "state"
    state.mkdir()
    return {**given, **project.environ, "XDG_STATE_HOME": str(state)}


def serve(name, project, **more):
    [started] = pod(name)["containers"]
    args = on_this_machine(started["args"], project.mounted)
    return started, Serving(project, *args, env={**environ_of(name, project), **more})


def test_the_example_deployment_rotates_and_answers_its_probes(mounted):
    started, serving = serve("rotate-serve", mounted)
    with serving:
        serving.wait_for(r"prod/token: rotated")
        for probe in ("livenessProbe", "readinessProbe"):
            assert serving.get(started[probe]["httpGet"]["path"]) == (200, "ok\n"), probe
        assert serving.stop() == 0
    assert mounted.current() != "made-up"
    log = mounted.root / "state" / "envkit" / "audit.jsonl"
    assert "scheduled rotation" in log.read_text()


def test_a_fleet_worker_rotates_with_the_rights_of_the_page(mounted, postgres):
    database = postgres.database()
    owner, role = database.role("queue_owner"), database.role("queue_worker")
    page = (GUIDE / "scheduler.md").read_text(encoding="utf-8")
    [grants] = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    database.run(
        f"CREATE ROLE {owner} LOGIN PASSWORD '{PASSWORD}';"
        f"GRANT CREATE ON SCHEMA public TO {owner};"
        f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}';"
    )
    secret = mounted.root / "owner-dsn"
    secret.write_text(database.dsn(owner, PASSWORD))
    [migrate] = re.findall(r"^envkit (rotate serve --migrate .*)$", page, re.MULTILINE)
    args = shlex.split(migrate.replace("/run/secrets/owner-dsn", str(secret)))
    done = mounted.run(*args)
    assert (done.returncode, "created the tables" in done.stdout) == (0, True), done.stderr
    database.run(grants.replace("envkit_worker", role))

    started, serving = serve("rotate-fleet", mounted, ENVKIT_QUEUE=database.dsn(role, PASSWORD))
    with serving:
        serving.wait_for(r"prod/token: rotated")
        for probe in ("livenessProbe", "readinessProbe"):
            assert serving.get(started[probe]["httpGet"]["path"]) == (200, "ok\n"), probe
        assert serving.stop() == 0
    assert mounted.current() != "made-up"


def test_the_example_cron_job_rotates_and_ends(mounted):
    [started] = pod("rotate-cronjob")["containers"]
    args = on_this_machine(started["args"], mounted.mounted)
    environ = environ_of("rotate-cronjob", mounted)
    for _ in range(2):  # the second minute there is nothing to do
        done = mounted.run(*args, env=environ)
        assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert mounted.current() != "made-up"


@pytest.mark.parametrize("name", ["envkit-rotate", "envkit-rotate-due"])
def test_the_command_of_each_example_unit_rotates(mounted, name):
    text = (EXAMPLES / "systemd" / f"{name}.service").read_text(encoding="utf-8")
    [command] = re.findall(r"^ExecStart=\S+ (.*)$", text, re.MULTILINE)
    args = on_this_machine(shlex.split(command), mounted.mounted)
    environ = {**mounted.environ, "ENVKIT_REASON": "scheduled rotation"}
    with Serving(mounted, *args, env=environ) as serving:
        if "serve" in args:
            serving.wait_for(r"prod/token: rotated")
            assert serving.stop() == 0
            assert "failed" not in serving.text
        else:
            assert serving.wait_until_ended() == 0, serving.text
    assert mounted.current() != "made-up"


# ---------------------------------------------------------------- rights, and metrics


def policy_of_the_page():
    text = block("../reference/rotation.md", "rotate.hcl")
    return {
        path: re.findall(r"\w+", words)
        for path, words in re.findall(r'path "(\S+)" \{\s+capabilities = \[(.*?)\]', text)
    }


def removals():
    yield pytest.param(None, None, id="nothing")
    for path, words in policy_of_the_page().items():
        for word in words:
            # whether making the record is `create` or `update` depends on the server, and on
            # whether another process has started to create it
            if (path.split("/")[1], word) not in (("metadata", "update"), ("data", "create")):
                yield pytest.param(path, word, id=f"{word}-{path.split('/')[1]}-{len(path)}")


@pytest.mark.parametrize(("path", "word"), list(removals()))
def test_the_documented_vault_policy_is_enough_and_minimal(openbao, project, path, word):
    rights = policy_of_the_page()
    assert len(rights) == 3
    if word is not None:
        rights[path].remove(word)
    shop = f"shop-{token_hex(4)}"
    openbao.put(f"{shop}/db", {"url": "made-up", "other": "left-alone"})
    project.profile(
        "prod.toml",
        '[sources.vault]\nmount = "secret"\n[variables]\nNODE_ENV = "production"\n'
        f'[rotation.db]\nsecret = "vault:{shop}/db#url"\nrotator = "random"\nevery = "30d"\n'
        'grace = "0s"\ntarget = { previous_field = "" }\n',
    )
    policy = openbao.policy({one.replace("shop/", f"{shop}/"): rights[one] for one in rights})
    environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.token(policy)}
    done = project.run("rotate", "db", env=environ)
    assert done.returncode == int(word is not None), done.stdout + done.stderr
    data = openbao.ask("GET", f"secret/data/{shop}/db")["data"]["data"]
    assert (data["url"] == "made-up") is (word is not None)
    assert data["other"] == "left-alone"


def test_every_documented_metric_is_exported(shop):
    page = (GUIDE / "scheduler.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(envkit_\w+)(?:\{(\w+)\})?`", page, re.MULTILINE))
    shop.profile("wrong.toml", "[rotation.x]\n")
    with Serving(shop, "rotate", "serve", "--listen", "127.0.0.1:0") as serving:
        serving.wait_for(r"prod/hook-token: in-grace")
        _, text = serving.get("/metrics")
        assert serving.stop() == 0
    labels = {
        sample.name.removesuffix("_sum"): next(iter(sample.labels), "")
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    # until something fails, and until something was rotated
    absent = {"envkit_rotation_failures_total", "envkit_rotation_age_seconds"}
    assert {name: labels.get(name) for name in told if name not in absent} == {
        name: label for name, label in told.items() if name not in absent
    }

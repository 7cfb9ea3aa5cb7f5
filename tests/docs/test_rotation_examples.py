"""Manifests, units and rules in `examples/` for schedulers match envkit.

`tests/live/test_rotation_pages.py` runs what they start; `tests/extra/test_systemd.py` asks
systemd itself.
"""

import configparser
import re
import shlex

import pytest
import typer
import yaml

from envkit.cli.commands.rotate.group import rotate
from envkit.rotation.scheduler.endpoint import listen_address
from envkit.rotation.scheduler.loop import FINISH_SECONDS
from envkit.rotation.scheduler.metrics import _OF_EACH, SchedulerMetrics
from support.pages import ROOT

EXAMPLES = ROOT / "examples"
MANIFESTS = sorted((EXAMPLES / "kubernetes").glob("*.yaml"))
SERVICES = sorted((EXAMPLES / "systemd").glob("*.service"))
RULES = EXAMPLES / "prometheus" / "envkit.rules.yml"
PAGE = (ROOT / "docs" / "guides" / "scheduler.md").read_text(encoding="utf-8")
MARGIN_SECONDS = 5


def documents(manifest):
    return list(yaml.safe_load_all(manifest.read_text(encoding="utf-8")))


def rules():
    [group] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def workload(manifest):
    """The one document that starts pods, and the specification of those."""
    [found] = [one for one in documents(manifest) if one["kind"] in ("Deployment", "CronJob")]
    spec = found["spec"]
    spec = spec["jobTemplate"]["spec"] if found["kind"] == "CronJob" else spec
    return found, spec["template"]


def pod(manifest):
    """The specification of the pods, and their one container."""
    spec = workload(manifest)[1]["spec"]
    [container] = spec["containers"]
    return spec, container


def parsed(args):
    """The parameters that the real command takes from these arguments of `envkit`."""
    command, *rest = args
    assert command == "rotate"
    group = typer.main.get_command(rotate)
    name = rest[0] if rest and rest[0] in group.commands else "now"
    rest = rest[1:] if name == rest[0] else rest
    return group.commands[name].make_context(name, list(rest)).params


def unit(path):
    reader = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes="#")
    reader.optionxform = str
    reader.read(path, encoding="utf-8")
    return reader


def by_name(paths):
    return pytest.mark.parametrize(paths, globals()[paths.upper() + "S"], ids=lambda one: one.name)


def test_examples_have_one_manifest_and_unit_of_each_kind():
    manifests = ["rotate-cronjob", "rotate-fleet", "rotate-serve"]
    assert [path.stem for path in MANIFESTS] == manifests
    assert [path.stem for path in SERVICES] == ["envkit-rotate-due", "envkit-rotate"]
    assert all(f"(../../examples/kubernetes/{name}.yaml)" in PAGE for name in manifests)


# ---------------------------------------------------------------- Kubernetes


@by_name("manifest")
def test_every_kubernetes_object_has_its_kind_and_name(manifest):
    for one in documents(manifest):
        assert one["apiVersion"] in ("v1", "apps/v1", "batch/v1", "networking.k8s.io/v1")
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", one["metadata"]["name"])


@by_name("manifest")
def test_envkit_accepts_the_command_that_a_pod_starts(manifest):
    _, started = pod(manifest)
    assert started["command"] == ["envkit"], "the image may have another entry point"
    params = parsed(started["args"])
    mounts = {mount["name"]: mount for mount in started["volumeMounts"]}
    assert params["profiles"] == mounts["profiles"]["mountPath"]


@by_name("manifest")
def test_a_pod_has_no_more_rights_than_it_needs(manifest):
    spec, started = pod(manifest)
    of_pod, own = spec["securityContext"], started["securityContext"]
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["runAsUser"] > 0
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["allowPrivilegeEscalation"] is False
    assert own["readOnlyRootFilesystem"] is True
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert {*started["resources"]["requests"], *started["resources"]["limits"]} >= {"cpu", "memory"}
    accounts = [one for one in documents(manifest) if one["kind"] == "ServiceAccount"]
    assert [one["metadata"]["name"] for one in accounts] == [spec["serviceAccountName"]]


@by_name("manifest")
def test_every_mount_of_a_pod_is_a_volume_and_its_state_is_writable(manifest):
    spec, started = pod(manifest)
    mounts = {mount["name"]: mount for mount in started["volumeMounts"]}
    assert sorted(mounts) == sorted(volume["name"] for volume in spec["volumes"])
    environ = {one["name"]: one.get("value") for one in started["env"]}
    [state] = [one for one in mounts.values() if one["mountPath"] == environ["XDG_STATE_HOME"]]
    assert not state.get("readOnly")
    assert mounts["profiles"]["readOnly"] is True


@by_name("manifest")
def test_manifests_contain_no_secret(manifest):
    for one in pod(manifest)[1]["env"]:
        named = one["name"] in ("VAULT_ADDR", "ENVKIT_REASON", "ENVKIT_TRUST", "XDG_STATE_HOME")
        assert named or set(one["valueFrom"]) == {"secretKeyRef"}, one["name"]


@pytest.mark.parametrize("name", ["rotate-serve", "rotate-fleet"])
def test_probes_and_scraping_use_the_port_that_envkit_listens_on(name):
    manifest = EXAMPLES / "kubernetes" / f"{name}.yaml"
    found, template = workload(manifest)
    _, started = pod(manifest)
    [port] = started["ports"]
    host, number = listen_address(parsed(started["args"])["listen"])
    assert (host, number) == ("0.0.0.0", port["containerPort"])
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert started[probe]["httpGet"] == {"path": path, "port": port["name"]}
    notes = template["metadata"]["annotations"]
    assert notes["prometheus.io/port"] == str(number)
    labels = template["metadata"]["labels"]
    [policy] = [one for one in documents(manifest) if one["kind"] == "NetworkPolicy"]
    assert found["spec"]["selector"]["matchLabels"] == labels
    assert policy["spec"]["podSelector"]["matchLabels"] == labels
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": number}]
    grace = template["spec"]["terminationGracePeriodSeconds"]
    assert grace >= FINISH_SECONDS + MARGIN_SECONDS, "a step would be cut off"


def test_only_the_fleet_has_replicas_and_a_queue():
    queue = {path.stem: "ENVKIT_QUEUE" in path.read_text() for path in MANIFESTS}
    assert queue == {"rotate-cronjob": False, "rotate-fleet": True, "rotate-serve": False}
    found, _ = workload(EXAMPLES / "kubernetes" / "rotate-fleet.yaml")
    assert found["spec"]["replicas"] > 1


def test_the_cron_job_runs_every_minute_and_never_gives_up():
    found, template = workload(EXAMPLES / "kubernetes" / "rotate-cronjob.yaml")
    spec = found["spec"]
    assert spec["schedule"] == "* * * * *"
    assert spec["concurrencyPolicy"] == "Forbid"
    # Kubernetes gives up for good after 100 missed times, unless it looks back less far
    assert spec["startingDeadlineSeconds"] < 100 * 60
    assert template["spec"]["restartPolicy"] == "Never"


# ---------------------------------------------------------------- systemd


@by_name("service")
def test_envkit_accepts_the_command_that_a_unit_starts(service):
    program, *args = shlex.split(unit(service)["Service"]["ExecStart"])
    assert program == "/opt/envkit/bin/envkit"
    params = parsed(args)
    assert params["profiles"] == "/etc/envkit/profiles"
    if "listen" in params:
        assert listen_address(params["listen"])[0] == "127.0.0.1"


@by_name("service")
def test_a_unit_does_not_cut_off_a_step(service):
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", service.read_text(), re.MULTILINE)
    assert int(seconds) >= FINISH_SECONDS + MARGIN_SECONDS


def test_the_timer_starts_the_service_with_its_name():
    [timer] = (EXAMPLES / "systemd").glob("*.timer")
    assert timer.with_suffix(".service") in SERVICES
    assert unit(timer)["Timer"]["OnCalendar"] == "minutely"


# ---------------------------------------------------------------- Prometheus


def metrics():
    """The names of the scheduler's metrics, with those that prometheus-client adds."""
    board = SchedulerMetrics()
    names = {family.name for family in board._registry.collect()}
    totals = {f"{name}_total" for name in ("envkit_rotation_runs", "envkit_rotation_failures")}
    return (names | totals | {f"envkit_rotation_{name}" for name in _OF_EACH}) - {
        name.removesuffix("_total") for name in totals
    }


def test_the_guide_lists_exactly_the_exported_metrics():
    assert sorted(re.findall(r"^\| `(envkit_\w+)", PAGE, re.MULTILINE)) == sorted(metrics())


def test_the_alert_rules_use_only_exported_metrics():
    for name, rule in rules().items():
        asked = set(re.findall(r"envkit_\w+", rule["expr"]))
        assert asked, f"{name} asks for nothing of envkit"
        assert asked <= metrics(), f"{name} asks for what is not told"


def test_the_alert_rules_of_the_guide_match_the_example():
    [shown] = re.findall(r"```yaml\n(- alert.*?)```", PAGE, re.DOTALL)
    for rule in yaml.safe_load(shown):
        assert rule.items() <= rules()[rule["alert"]].items(), rule["alert"]

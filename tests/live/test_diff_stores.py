"""`envkit diff` with real stores: number of reads, earlier versions, denied access."""

import json
from datetime import UTC, datetime, timedelta

import pytest

PROFILE = """\
lookup = []
[sources.vault]
address = "{address}"
mount = "secret"
auth = {{ token = "{{{{ env:{token} }}}}" }}
[variables]
SHARED = {{ value = "{{{{ vault:{root}/shared#region }}}}", secret = false }}
PASSWORD = "{{{{ vault:{root}/{name}#password }}}}"
USER = "{{{{ vault:{root}/{name}#user }}}}"
"""


@pytest.fixture
def team(project, openbao, request):
    root = f"diff-{request.node.name.replace('[', '-').replace(']', '')}"
    for name in ("staging", "prod"):
        given = {"token": f"{name.upper()}_TOKEN", "root": root, "name": name}
        project.profile(f"{name}.toml", PROFILE.format(address=openbao.address, **given))
        openbao.put(f"{root}/{name}", {"password": f"canary-of-{name}", "user": "app"})
    openbao.put(f"{root}/shared", {"region": "eu-central-1"})
    project.folder = root
    return project


def diff(team, openbao, *arguments, **env):
    """Compare, with root's token unless `env` has another one; return status and entries."""
    env = {**dict.fromkeys(("STAGING_TOKEN", "PROD_TOKEN"), openbao.root_token), **env}
    done = team.run("diff", *arguments, "--format", "json", env=env)
    assert "canary" not in done.stdout + done.stderr
    found = json.loads(done.stdout)
    return done.returncode, {entry["name"]: entry for entry in found["entries"]}


def statuses(found):
    return {name: entry["status"] for name, entry in found.items()}


def test_diff_reads_each_secret_once_for_all_environments(team, openbao):
    text = (team.profiles / "staging.toml").read_text()
    team.profile("staging.toml", text.replace("STAGING_TOKEN", "PROD_TOKEN"))
    before = openbao.reads()
    status, found = diff(team, openbao, "staging", "prod", "staging")
    assert status == 0
    assert openbao.reads() - before == 3  # staging's, prod's, and the shared one
    # the user is too short to count as reused
    assert statuses(found) == {"PASSWORD": "different", "SHARED": "same", "USER": "same"}
    [origin] = found["PASSWORD"]["values"][0]["origins"]
    assert origin == f"vault:secret/{team.folder}/staging#password"


def test_diff_does_not_report_a_denied_side_as_a_difference(team, openbao):
    policy = openbao.policy({f"secret/data/{team.folder}/prod": ["read"]})
    status, found = diff(team, openbao, "staging", "prod", PROD_TOKEN=openbao.token(policy))
    assert status == 6
    assert found["PASSWORD"]["status"] == "different"
    assert found["SHARED"]["status"] == "unreadable"
    assert [value["state"] for value in found["SHARED"]["values"]] == ["value", "unreadable"]
    assert found["SHARED"]["values"][1]["code"] == "access-denied"


def test_diff_with_an_invalid_token_fails_only_on_its_side(team, openbao):
    status, found = diff(team, openbao, "staging", "prod", PROD_TOKEN="canary-no-token")
    assert (status, {*statuses(found).values()}) == (6, {"unreadable"})
    assert {entry["values"][0]["state"] for entry in found.values()} == {"value"}


def test_diff_compares_versions_and_times_of_a_store(team, openbao):
    between = datetime.now(UTC).isoformat()
    openbao.put(f"{team.folder}/prod", {"password": "canary-of-later", "user": "app"})
    status, found = diff(team, openbao, "prod", "prod@v1", f"prod@{between}")
    assert status == 0
    now, first, then = (value["fingerprint"] for value in found["PASSWORD"]["values"])
    assert now != first == then
    assert statuses(found) == {"PASSWORD": "different", "SHARED": "same", "USER": "same"}


def test_diff_does_not_report_a_destroyed_version_as_missing(team, openbao):
    openbao.put(f"{team.folder}/prod", {"password": "canary-of-later", "user": "app"})
    openbao.ask("PUT", f"secret/destroy/{team.folder}/prod", {"versions": [1]})
    status, found = diff(team, openbao, "prod", "prod@v1", "--only", "PASSWORD")
    assert status == 5
    assert found["PASSWORD"]["status"] == "unreadable"
    assert found["PASSWORD"]["values"][1]["code"] == "no-such-version"


def test_diff_reads_a_version_with_a_token_that_may_not_list_versions(team, openbao):
    token = openbao.token(openbao.policy({f"secret/data/{team.folder}/*": ["read"]}))
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for point, expected in (("v1", (0, {"same"})), (before, (6, {"unreadable"}))):
        status, found = diff(team, openbao, "prod", f"prod@{point}", PROD_TOKEN=token)
        assert (status, {*statuses(found).values()}) == expected


def test_diff_refuses_the_past_of_kv_version_1(team, openbao):
    text = (team.profiles / "prod.toml").read_text().replace('mount = "secret"', 'mount = "kv1"')
    team.profile("prod.toml", text)
    for name in ("prod", "shared"):
        fields = {"password": "canary", "user": "app", "region": "x"}
        openbao.put(f"{team.folder}/{name}", fields, mount="kv1", version=1)
    for point in ("v1", "2020-01-01"):
        status, found = diff(team, openbao, "prod", f"prod@{point}")
        assert status == 5
        assert {entry["values"][1]["code"] for entry in found.values()} == {"no-such-version"}


def test_diff_reads_past_versions_in_aws(project, aws):
    aws.put("db", "canary-of-now")
    text = f'[sources.aws]\nprefix = "{aws.prefix}"\n[variables]\nKEY = "{{{{ aws:db }}}}"\n'
    project.profile("prod.toml", text)
    now = datetime.now(UTC).isoformat()

    def status(point):
        done = project.run("diff", "prod", f"prod@{point}", "--format", "json", env=aws.environ)
        assert "canary" not in done.stdout + done.stderr
        [entry] = json.loads(done.stdout)["entries"]
        return done.returncode, entry["status"]

    assert status(now) == (0, "same")
    # AWS drops old versions and does not number them, so their absence cannot be proved
    assert status("2020-01-01") == (5, "unreadable")
    assert status("v1") == (5, "unreadable")

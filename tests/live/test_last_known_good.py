"""`fallback`: an app starts with earlier values while Vault is down, and only then."""

import json

import pytest

from support.fault_proxy import FaultProxy, lost, respond

CANARY = "canary-of-the-store"
PROFILE = """
fallback = { max_age = "24h" }
[variables]
KEY = "{{ vault:secret/known/app#key }}"
OTHER = { value = "{{ vault:secret/known/app#none }}", default = "d" }
"""


@pytest.fixture
def proxy(openbao):
    with FaultProxy(openbao.address) as running:
        yield running


@pytest.fixture
def prod(openbao, proxy, project):
    openbao.put("known/app", {"key": CANARY})
    project.profile("prod.toml", PROFILE)
    project.logged()
    project.environ |= {
        "VAULT_ADDR": proxy.url,
        "VAULT_TOKEN": openbao.root_token,
        "XDG_DATA_HOME": str(project.root / "data"),
    }
    return project


def run(project, *options, env=None):
    command = ("sh", "-c", "echo $KEY $OTHER ${ENVKIT_STALE-fresh}")
    done = project.run("exec", "-e", "prod", *options, "--timeout", "1", "--", *command, env=env)
    return done.stdout.strip() or done.returncode, done.stderr


def saved(project):
    folder = project.root / "state" / "envkit" / "last-known-good"
    return sorted(folder.iterdir()) if folder.exists() else []


FRESH, STALE = f"{CANARY} d fresh", f"{CANARY} d 1"


def test_an_app_starts_with_the_saved_values_while_the_store_is_unavailable(prod, proxy):
    assert run(prod) == (FRESH, "")
    proxy.refuse()
    found, said = run(prod)
    assert found == STALE
    assert said.startswith("envkit: warning: a store is unavailable: values that were saved ")
    assert said.endswith(" ago are used\n")
    assert [entry["outcome"] for entry in prod.records()] == ["ok", "stale"]
    proxy.accept()
    assert run(prod) == (FRESH, "")


def test_get_and_export_use_them_and_reports_do_not(prod, proxy):
    run(prod)
    run(prod, "--only", "KEY")
    got = prod.run("get", "KEY", "-e", "prod")
    assert got.stdout == CANARY
    proxy.refuse()
    again = prod.run("get", "KEY", "-e", "prod", "--timeout", "1")
    assert (again.stdout, "warning: a store is unavailable" in again.stderr) == (CANARY, True)
    for command in (("show", "-e", "prod"), ("check",)):
        done = prod.run(*command, "--timeout", "1")
        assert CANARY not in done.stdout + done.stderr
        assert done.returncode == 5, done.stdout


def test_nothing_but_encrypted_values_is_on_the_disk(prod, proxy):
    run(prod)
    proxy.refuse()
    run(prod)
    files = [path for path in prod.root.rglob("*") if path.is_file()]
    assert len(saved(prod)) == 1
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []
    assert {path.stat().st_mode & 0o777 for path in saved(prod)} == {0o600}


@pytest.mark.parametrize("status", [403, 404, 400])
def test_a_store_that_answers_is_believed(prod, proxy, status):
    run(prod)
    proxy.fault(respond(status, json.dumps({"errors": ["permission denied"]}).encode()), times=99)
    found, said = run(prod)
    assert found != STALE, said
    assert CANARY not in said


def test_a_token_that_was_revoked_gets_no_saved_values(prod, openbao):
    token = openbao.token(openbao.policy({"secret/data/known/*": ["read"]}))
    assert run(prod, env={"VAULT_TOKEN": token}) == (FRESH, "")
    openbao.ask("POST", "auth/token/revoke", {"token": token})
    found, said = run(prod, env={"VAULT_TOKEN": token})
    assert found == 6, said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("older", "the saved values are too old ("),
        ("corrupted", "the saved values cannot be decrypted"),
        ("half", "the saved values cannot be decrypted"),
        ("empty", "the saved values cannot be decrypted"),
        ("key", "the saved values cannot be decrypted"),
        ("no key", "the saved values have no key: "),
        ("public key", "the saved values have no key: "),
        ("link", "no earlier values are saved"),
        ("selection", "no earlier values are saved"),
        ("variable", "no earlier values are saved"),
        ("namespace", "no earlier values are saved"),
        ("copied", "the saved values cannot be decrypted"),
    ],
)
def test_values_that_are_not_these_are_not_used(prod, proxy, change, reason):
    run(prod)
    proxy.refuse()
    (path,) = saved(prod)
    data, options, env = path.read_bytes(), (), {}
    key = prod.root / "data" / "envkit" / "last-known-good.key"
    if change == "older":
        prod.profile("prod.toml", PROFILE.replace("24h", "1ms"))
    elif change == "corrupted":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif change == "half":
        path.write_bytes(data[: len(data) // 2])
    elif change == "empty":
        path.write_bytes(b"")
    elif change == "key":
        key.write_bytes(b"x" * 32)
    elif change == "no key":
        key.unlink()
    elif change == "public key":
        key.chmod(0o644)
    elif change == "link":
        path.rename(path.with_suffix(".moved"))
        path.symlink_to(path.with_suffix(".moved"))
    elif change == "selection":
        options = ("--except", "OTHER")
    elif change == "variable":
        prod.profile("prod.toml", PROFILE.replace("#none", "#more"))
    elif change == "namespace":
        env = {"VAULT_NAMESPACE": "other"}
    else:
        proxy.accept()
        run(prod, "--only", "KEY")
        proxy.refuse()
        (other,) = [one for one in saved(prod) if one != path]
        path.write_bytes(other.read_bytes())
    found, said = run(prod, *options, env=env)
    assert found == 5, said
    assert reason in said
    assert CANARY not in said


def test_a_write_through_envkit_removes_what_was_saved_before(prod, proxy):
    run(prod)
    assert len(saved(prod)) == 1
    done = prod.run("set", "KEY", "-e", "prod", input="new\n")
    assert done.returncode == 0, done.stderr
    assert saved(prod) == []
    proxy.refuse()
    assert run(prod)[0] == 5
    proxy.accept()
    assert run(prod)[0] == "new d fresh"
    proxy.refuse()
    assert run(prod)[0] == "new d 1"


def test_a_write_whose_answer_was_lost_removes_what_was_saved_before(prod, proxy):
    run(prod)
    proxy.fault(lost(), when=lambda request: request.method == "POST", times=99)
    assert prod.run("set", "KEY", "-e", "prod", input="new\n").returncode == 5
    assert saved(prod) == []


def test_the_login_of_a_lease_is_never_saved(leased, project):
    leased.role(ttl=60, max_ttl=90)
    project.logged()
    project.environ["XDG_DATA_HOME"] = str(project.root / "data")
    leased.profile(project, project.environ)
    profile = project.profiles / "prod.toml"
    profile.write_text('fallback = { max_age = "24h" }\n' + profile.read_text())
    assert project.run("exec", "-e", "prod", "--supervise", "--", "true").returncode == 0
    assert saved(project) == []


def test_without_a_key_nothing_is_saved_and_the_app_starts(prod):
    (prod.root / "data").write_text("no folder")
    assert run(prod) == (FRESH, "")
    assert saved(prod) == []


def test_without_fallback_nothing_is_saved(prod):
    prod.profile("prod.toml", PROFILE.replace("fallback", "# fallback"))
    run(prod)
    assert saved(prod) == []
    assert not (prod.root / "data").exists()


def test_an_app_under_watch_starts_with_saved_values(prod, proxy):
    run(prod)
    proxy.refuse()
    found, said = run(prod, "--watch")
    assert found == STALE
    assert "warning: a store is unavailable: values that were saved" in said
    assert [entry["outcome"] for entry in prod.records()] == ["ok", "stale"]

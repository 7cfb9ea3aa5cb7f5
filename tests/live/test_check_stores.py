"""`envkit check` with real stores: missing values, failures and stale pins."""

import json

from support.fault_proxy import respond

PORT = 'PORT = { value = "x", type = "port" }\n'


def checked(project, store, *arguments, more=""):
    """Check the profile of a store; return the exit status, the codes and the messages.

    No stored value and no credential may be shown.
    """
    project.profile("prod.toml", store.profile(more=more))
    done = project.run("check", "--format", "json", *arguments, env=store.environ)
    assert not [hidden for hidden in store.hidden if hidden in done.stdout + done.stderr]
    found = json.loads(done.stdout)["problems"]
    return done.returncode, [one["code"] for one in found], [one["message"] for one in found]


def test_check_of_a_complete_environment_finds_no_problem(store, project):
    assert checked(project, store) == (0, [], [])


def test_check_of_several_environments_reads_each_secret_once(store, project):
    project.profile("staging.toml", store.profile())
    status, codes, _ = checked(project, store)
    assert (status, set(codes)) == (1, {"reused"})
    assert store.proxy.count(store.is_read) == (2 if store.name == "vault" else 1)


def test_check_reports_a_missing_value_as_absent(store, project):
    more = f'GONE = "{{{{ {store.name}:gone#x }}}}"\nPORT = "{{{{ PORT }}}}"\n'
    status, codes, _ = checked(project, store, more=more)
    assert (status, codes) == (1, ["value-absent", "value-absent"])


def test_check_reports_an_unreachable_store_as_a_failure(store, project):
    store.proxy.refuse()
    status, codes, [message] = checked(project, store, "--timeout", "2")
    assert (status, codes) == (5, ["store-unavailable"])
    assert message.startswith("cannot read DATABASE_URL, DB_PASSWORD and CACHE_URL: ")
    assert checked(project, store, "--timeout", "2", "--offline") == (0, [], [])


def test_check_offline_sends_no_request(store, project):
    checked(project, store, "--offline")
    assert store.proxy.requests == []


def test_check_reports_a_secret_that_a_store_denies(vault_store, project):
    allowed = f"secret/data/{vault_store.folder}/cache"
    vault_store.log_in_with(vault_store.openbao.policy({allowed: ["read"]}))
    status, codes, messages = checked(project, vault_store, more=PORT)
    assert (status, codes) == (6, ["access-denied", "value-invalid"])
    assert messages[0].startswith("cannot read DATABASE_URL and DB_PASSWORD: ")


def test_check_reports_a_secret_that_aws_denies(aws_store, project):
    aws_store.aws.deny("db")
    assert checked(project, aws_store)[:2] == (6, ["access-denied"])


def test_check_continues_when_one_server_fails(store, project):
    project.profile("dev.toml", f"[variables]\n{PORT}")
    store.proxy.fault(respond(500, "{}"))
    status, codes, _ = checked(project, store, "--timeout", "2", "--skip", "missing")
    assert status == 5
    assert "value-invalid" in codes
    assert set(codes) & {"store-unavailable", "store-error", "store-protocol"}


def pinned(store, version):
    return f'OLD = "{{{{ {store.name}:db?version={version}#user }}}}"\n'


def test_check_reports_a_vault_pin_that_is_behind(vault_store, project):
    for user in ("second", "third"):
        vault_store.openbao.put(f"{vault_store.folder}/db", {"user": user, "password": "x"})
    old = pinned(vault_store, 1)
    message = "OLD reads vault:db?version=1#user, but the store has version 3"
    assert checked(project, vault_store, more=old) == (0, ["stale-pin"], [message])
    assert checked(project, vault_store, "--strict", more=old)[0] == 1
    assert checked(project, vault_store, more=pinned(vault_store, 3)) == (0, [], [])


def test_check_reports_a_vault_pin_that_is_gone(vault_store, project):
    status, codes, [message] = checked(project, vault_store, more=pinned(vault_store, 7))
    assert (status, codes) == (1, ["value-absent"])
    assert message.startswith("OLD: ")


def test_check_reports_an_aws_pin_that_is_behind(aws_store, project):
    aws = aws_store.aws
    [first] = aws.labels("db")
    newest = aws.put("db", json.dumps({"user": "second", "password": "x"}))
    message = f"OLD reads aws:db?version={first}#user, but the store has a newer one"
    found = checked(project, aws_store, more=pinned(aws_store, first))
    assert found == (0, ["stale-pin"], [message])
    assert checked(project, aws_store, more=pinned(aws_store, newest)) == (0, [], [])

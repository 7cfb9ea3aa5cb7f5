"""`envkit check` before real stores: what they hold, what they lack, and when they fail."""

import json

import pytest

from support.fault_proxy import respond


def problems(done):
    return [(p["code"], p["message"]) for p in json.loads(done.stdout)["problems"]]


def checked(project, store, *arguments):
    """Run a check, which must show nothing of what is stored or of who logs in."""
    done = project.run("check", "--format", "json", *arguments, env=store.environ)
    for hidden in store.hidden:
        assert hidden not in done.stdout + done.stderr
    return done


def test_an_environment_whose_values_are_all_there(store, project):
    project.profile("prod.toml", store.profile())
    done = checked(project, store)
    assert (done.returncode, problems(done)) == (0, [])


def test_several_environments_read_each_secret_once(store, project):
    project.profile("prod.toml", store.profile())
    project.profile("staging.toml", store.profile())
    done = checked(project, store)
    assert done.returncode == 1
    assert {code for code, _ in problems(done)} == {"reused"}
    assert store.proxy.count(store.is_read) == (2 if store.name == "vault" else 1)


def test_what_a_store_lacks_is_absent(store, project):
    project.profile(
        "prod.toml",
        store.profile(more=f'GONE = "{{{{ {store.name}:gone#x }}}}"\nPORT = "{{{{ PORT }}}}"\n'),
    )
    done = checked(project, store)
    assert done.returncode == 1
    assert [code for code, _ in problems(done)] == ["value-absent", "value-absent"]


@pytest.mark.parametrize("offline", [False, True])
def test_a_store_that_is_away_is_a_failure_and_no_absence(store, project, offline):
    project.profile("prod.toml", store.profile())
    store.proxy.refuse()
    done = checked(project, store, "--timeout", "2", *(["--offline"] if offline else []))
    if offline:
        assert (done.returncode, problems(done)) == (0, [])
        return
    assert done.returncode == 5
    [(code, message)] = problems(done)
    assert code == "store-unavailable"
    assert message.startswith("cannot read DATABASE_URL, DB_PASSWORD and CACHE_URL: ")


def test_offline_sends_nothing(store, project):
    project.profile("prod.toml", store.profile())
    checked(project, store, "--offline")
    assert store.proxy.requests == []


def test_a_store_that_says_no_to_one_secret(vault_store, project):
    store = vault_store
    allowed = f"secret/data/{store.folder}/cache"
    store.log_in_with(store.openbao.policy({allowed: ["read"]}))
    project.profile("prod.toml", store.profile(more='PORT = { value = "x", type = "port" }\n'))
    done = checked(project, store)
    assert done.returncode == 6
    assert [code for code, _ in problems(done)] == ["access-denied", "value-invalid"]
    assert problems(done)[0][1].startswith("cannot read DATABASE_URL and DB_PASSWORD: ")


def test_a_secret_that_aws_denies(aws_store, project):
    aws_store.aws.deny("db")
    project.profile("prod.toml", aws_store.profile())
    done = checked(project, aws_store)
    assert done.returncode == 6
    assert [code for code, _ in problems(done)] == ["access-denied"]


def test_a_server_that_fails_on_one_side_leaves_the_other(store, project):
    project.profile("prod.toml", store.profile())
    project.profile("dev.toml", '[variables]\nPORT = { value = "x", type = "port" }\n')
    store.proxy.fault(respond(500, "{}"))
    done = checked(project, store, "--timeout", "2", "--skip", "missing")
    assert done.returncode == 5
    codes = {code for code, _ in problems(done)}
    assert "value-invalid" in codes
    assert codes & {"store-unavailable", "store-error", "store-protocol"}


def pinned(store, version):
    return f'OLD = "{{{{ {store.name}:db?version={version}#user }}}}"\n'


def test_a_pin_of_vault_that_is_behind(vault_store, project):
    for user in ("second", "third"):
        vault_store.openbao.put(f"{vault_store.folder}/db", {"user": user, "password": "x"})
    project.profile("prod.toml", vault_store.profile(more=pinned(vault_store, 1)))
    done = checked(project, vault_store)
    assert done.returncode == 0
    assert problems(done) == [
        ("stale-pin", "OLD reads vault:db?version=1#user, and the store has version 3")
    ]
    assert checked(project, vault_store, "--strict").returncode == 1
    project.profile("prod.toml", vault_store.profile(more=pinned(vault_store, 3)))
    assert problems(checked(project, vault_store)) == []


def test_a_pin_of_vault_that_is_gone(vault_store, project):
    project.profile("prod.toml", vault_store.profile(more=pinned(vault_store, 7)))
    done = checked(project, vault_store)
    assert done.returncode == 1
    [(code, message)] = problems(done)
    assert code == "value-absent"
    assert message.startswith("OLD: ")


def test_a_pin_of_aws_that_is_behind(aws_store, project):
    aws = aws_store.aws
    [first] = aws.labels("db")
    newest = aws.put("db", json.dumps({"user": "second", "password": "x"}))
    project.profile("prod.toml", aws_store.profile(more=pinned(aws_store, first)))
    done = checked(project, aws_store)
    assert problems(done) == [
        ("stale-pin", f"OLD reads aws:db?version={first}#user, and the store has a newer one")
    ]
    project.profile("prod.toml", aws_store.profile(more=pinned(aws_store, newest)))
    assert problems(checked(project, aws_store)) == []

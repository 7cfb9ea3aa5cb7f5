"""When a store fails, the app is not started: whole commands with real servers.

Whatever breaks, and wherever: no app, no output, no file; the right exit status within the
deadline; the names of all variables without a value; a hint; and nothing
secret, with `ENVKIT_DEBUG=1` too. A command that hung would be ended by `run_envkit`.
"""

import json
import time

import pytest

from support.fault_proxy import (
    FaultProxy,
    dead_address,
    not_json,
    reset,
    reset_in_body,
    respond,
    server_tls,
    silent,
    silent_server,
    truncate,
)
from support.live_stores import CANARY, VALUES

APP = ("--", "touch", "started")
EXEC = ("exec", *APP)
STARTING = 10  # seconds on a busy machine; the default timeout would be longer
SHORT = ("exec", "--timeout", "2", *APP)  # transient failures are retried until then


def refused(project, store, *command, status, missing=VALUES, env=()):
    """Run a command that must fail as described above; return its stderr."""
    before = set(project.root.iterdir())
    environ = {**store.environ, "ENVKIT_ENV": "prod", "ENVKIT_DEBUG": "1", **dict(env)}
    began = time.monotonic()
    done = project.run(*command, env=environ)
    took = time.monotonic() - began
    assert done.returncode == status, done.stderr
    assert "--timeout" not in command or took < STARTING + 2, "it waited beyond the deadline"
    assert done.stdout == ""
    assert set(project.root.iterdir()) == before, "the app was started, or something was written"
    said, _, after = done.stderr.partition("envkit: hint: ")
    assert after, f"there is no hint: {said}"
    assert "ResolutionError: " in after, "ENVKIT_DEBUG=1 shows where it comes from"
    names = [*VALUES, "NODE_ENV", "A", "B", "C", "D"]
    assert {name for name in names if f"  {name} (profiles/" in said} == set(missing), said
    assert not [secret for secret in store.hidden if secret in done.stderr], "a secret was shown"
    return done.stderr


@pytest.fixture
def prod(project, store):
    project.profile("prod.toml", store.profile())
    return project


# ---------------------------------------------------------------- one read that breaks

FAULTS = {
    "429": respond(429),
    "500": respond(500, f"internal error: {CANARY}"),
    "503": respond(503, f'{{"errors": ["{CANARY}"]}}'),
    "reset": reset(),
    "reset-in-body": reset_in_body(),
    "truncated": truncate(),
    "not-json": not_json(),
    "not-the-protocol": respond(200, f'["{CANARY}"]'),
    "silent": silent(),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_command_refuses_to_start_the_app_whatever_read_fails(prod, store, fault):
    store.proxy.fault(fault, when=store.is_read)
    refused(prod, store, *SHORT, status=5)
    assert store.proxy.count(store.is_read)


@pytest.mark.parametrize(
    "command", ["get CACHE_URL", "export --format json", "export --output prod.env", "show"]
)
def test_a_command_prints_and_writes_nothing_when_a_read_fails(prod, store, command):
    store.proxy.fault(not_json(), when=store.is_read)
    missing = ["CACHE_URL"] if command.startswith("get") else VALUES
    refused(prod, store, *command.split(), status=5, missing=missing)


@pytest.mark.parametrize("name", ["429", "503", "reset", "reset-in-body"])
def test_a_command_survives_a_transient_fault(prod, store, name):
    store.proxy.fault(FAULTS[name], when=store.is_read, times=1)
    done = prod.run("exec", "--env", "prod", "--", "env", env=store.environ)
    assert done.returncode == 0, done.stderr
    assert VALUES.items() <= dict(line.split("=", 1) for line in done.stdout.splitlines()).items()


# ---------------------------------------------------------------- no server, or a wrong one


@pytest.mark.parametrize("place", [dead_address, silent_server])
def test_a_server_that_refuses_or_never_answers_stops_the_command(project, store, place):
    with place() as address:
        project.profile("prod.toml", store.profile(f"http://{address}"))
        refused(project, store, *SHORT, status=5)


@pytest.mark.parametrize("wrong", ["authority", "host"])
def test_an_invalid_certificate_stops_the_command(
    project, store, certificate_authority, tmp_path, wrong
):
    import trustme

    known = certificate_authority if wrong == "host" else trustme.CA()
    known.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = server_tls(certificate_authority, *(["other.example"] if wrong == "host" else []))
    with FaultProxy(store.server_url, tls=tls) as proxy:
        project.profile("prod.toml", store.profile(proxy.url))
        env = {store.ca_variable: str(tmp_path / "ca.pem")}
        said = refused(project, store, *EXEC, status=5, env=env)
        assert store.ca_variable in said
        assert proxy.requests == [], "something was sent to an unknown server"


# ---------------------------------------------------------------- not logged in, not allowed


COMMANDS = {"exec": (EXEC, VALUES), "get": (("get", "DB_PASSWORD"), ["DB_PASSWORD"])}


@pytest.mark.parametrize(("command", "missing"), COMMANDS.values(), ids=COMMANDS)
def test_an_expired_vault_token_stops_the_command(project, vault_store, command, missing):
    project.profile("prod.toml", vault_store.profile())
    vault_store.openbao.ask("POST", "auth/token/revoke", {"token": vault_store.token})
    said = refused(project, vault_store, *command, status=6, missing=missing)
    assert "it has expired, was revoked, or is not a token" in said


def test_a_vault_secret_that_the_token_may_not_read_stops_the_command(project, vault_store):
    only_db = vault_store.openbao.policy({f"secret/data/{vault_store.folder}/db": ["read"]})
    vault_store.log_in_with(only_db)
    project.profile("prod.toml", vault_store.profile())
    said = refused(project, vault_store, *EXEC, status=6, missing=["CACHE_URL"])
    assert f"allow 'read' on 'secret/data/{vault_store.folder}/cache'" in said


@pytest.mark.parametrize(("command", "missing"), COMMANDS.values(), ids=COMMANDS)
def test_expired_aws_credentials_stop_the_command(project, aws_store, command, missing):
    project.profile("prod.toml", aws_store.profile())
    for operation in ("BatchGetSecretValue", "GetSecretValue"):
        aws_store.aws.fail(operation, "ExpiredTokenException", message=CANARY)
    said = refused(project, aws_store, *command, status=6, missing=missing)
    assert "run 'aws sso login'" in said


def test_an_aws_secret_that_the_caller_may_not_read_stops_the_command(project, aws_store):
    project.profile("prod.toml", aws_store.profile())
    aws_store.aws.deny("cache", message=CANARY)
    said = refused(project, aws_store, *EXEC, status=6, missing=["CACHE_URL"])
    assert "allow secretsmanager:GetSecretValue" in said


# ---------------------------------------------------------------- some fine, some not


@pytest.mark.parametrize(
    ("value", "status", "missing"),
    [
        ('"{{ aws:db#password }}"', 5, VALUES),
        ('"{{ env:ABSENT }}"', 5, [*VALUES, "A"]),
        ('"{{ aws:denied#key }}"', 6, [*VALUES, "A"]),
        ('{ value = "{{ aws:db#password }}", type = "port" }', 3, [*VALUES, "A"]),
    ],
    ids=["fine", "absent", "denied", "invalid"],
)
def test_one_store_that_is_down_stops_the_command(
    project, vault_store, aws_store, value, status, missing
):
    """The failure to fix first sets the exit status, and nothing is started."""
    vault_store.environ |= aws_store.environ
    vault_store.proxy.fault(not_json())
    aws_store.aws.deny("denied")
    more = f"A = {value}\n{aws_store.source()}"
    project.profile("prod.toml", vault_store.profile(more=more))
    refused(project, vault_store, *EXEC, status=status, missing=missing)


def test_an_outage_does_not_trigger_a_fallback(project, store):
    """Each of these variables is optional, but a failed store does not prove it missing."""
    declared = """\
[variables]
A = "{{ S:other#key ?? \\"fallback\\" }}"
B = { value = "{{ S:other#key }}", default = "default" }
C = { value = "{{ S:other#key }}", required = false }
D = "{{ D }}"
""".replace("S:", f"{store.name}:")
    project.profile("prod.toml", f'lookup = ["{store.name}", "env"]\n{store.source()}{declared}')
    store.environ["D"] = "next"
    store.proxy.refuse()
    refused(project, store, *SHORT, status=5, missing="ABCD")
    store.proxy.accept()
    done = project.run("export", "--env", "prod", "--format", "json", env=store.environ)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"A": "fallback", "B": "default", "D": "next"}

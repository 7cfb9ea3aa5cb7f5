"""What a command that watches asks of real stores, and the life of its login.

The versions of secrets in OpenBao and moto, how many requests a look costs, logins that one
process passes on to the next, and a write by envkit that reaches a watcher at once.
"""

import json
import os
import secrets
import time

import pytest

import envkit
from envkit.errors import AuthError, DeniedError, InvalidReferenceError
from envkit.resident.watcher import Changed, Watcher, WatchRequest
from envkit.sources.model import Absent
from envkit.sources.vault import life, shared
from support import aws as support_aws
from support.aws import ref as aws_ref
from support.fault_proxy import FaultProxy
from support.vault import CANARY, ref, vault
from support.watching import turns

# ---------------------------------------------------------------- Vault: versions


@pytest.fixture
def folder(openbao):
    """A path below `secret/` with two secrets, and below `kv1/` with one."""
    name = f"watched-{secrets.token_hex(6)}"
    openbao.put(f"{name}/db", {"password": CANARY, "user": "app"})
    openbao.put(f"{name}/cache", {"url": CANARY})
    openbao.put(f"{name}/old", {"a": CANARY, "b": 1}, mount="kv1", version=1)
    return name


@pytest.fixture
def proxy(openbao):
    with FaultProxy(openbao.address) as running:
        yield running


@pytest.fixture
def source(proxy, openbao, folder):
    return vault(proxy.url, openbao.root_token, mount="secret", prefix=folder)


def paths(proxy):
    """Return what was asked of secrets and mounts, in any order."""
    return sorted(request.path.removeprefix("/v1/") for request in proxy.requests)


def version(source, text="db#password"):
    return source.versions([ref(text)])[ref(text)]


def test_a_look_asks_for_the_metadata_of_each_secret_once_and_reads_none(source, proxy, folder):
    asked = [ref(text) for text in ("db#password", "db#user", "db#none", "cache#url", "gone#a")]
    found = source.versions(asked)
    assert [found[one] for one in asked[:4]] == ["1", "1", "1", "1"]
    assert isinstance(found[asked[4]], Absent)
    names = sorted(f"secret/metadata/{folder}/{name}" for name in ("cache", "db", "gone"))
    assert [path for path in paths(proxy) if path.startswith("secret/")] == names
    proxy.forget()
    source.versions(asked)
    assert paths(proxy) == names, "a look is one request for each secret"


def test_a_version_changes_with_the_secret_and_is_absent_once_that_is_deleted(
    source, openbao, folder
):
    def changed(method, path, body=None):
        openbao.ask(method, f"secret/{path}", body)
        found = version(source)
        return found.reason if isinstance(found, Absent) else found

    assert version(source) == "1"
    openbao.put(f"{folder}/db", {"password": "new"})
    assert version(source) == "2"
    assert changed("DELETE", f"data/{folder}/db") == "version 2 was deleted"
    assert changed("POST", f"undelete/{folder}/db", {"versions": [2]}) == "2"
    destroyed = changed("POST", f"destroy/{folder}/db", {"versions": [2]})
    assert destroyed == "version 2 was destroyed"
    assert changed("DELETE", f"metadata/{folder}/db") == "no such secret"


def test_a_pinned_version_never_changes_and_is_never_asked_for(source, proxy):
    assert version(source, "db?version=1#password") == "1"
    assert proxy.requests == []


def test_a_secret_without_versions_is_read_and_shows_nothing_of_its_value(source, openbao, folder):
    text = f"/kv1/{folder}/old#a"
    before = version(source, text)
    assert before == version(source, text)
    assert CANARY not in before
    openbao.put(f"{folder}/old", {"a": "new", "b": 1}, mount="kv1", version=1)
    assert version(source, text) != before
    openbao.ask("DELETE", f"kv1/{folder}/old")
    assert isinstance(version(source, text), Absent)


def test_a_source_that_may_not_read_metadata_reads_the_secret_and_asks_for_metadata_once(
    openbao, folder, proxy
):
    policy = openbao.policy({f"secret/data/{folder}/*": ["read"]})
    settings = {"token": openbao.token(policy), "mount": "secret", "prefix": folder}
    source = vault(proxy.url, **settings)
    assert version(source) == "1"
    state = source.login_state()
    for again in (source, vault(proxy.url, **settings)):
        again.resume_login(state)  # as in the next child
        proxy.forget()
        assert version(again) == "1"
        assert paths(proxy) == [f"secret/data/{folder}/db"]


def test_a_secret_that_may_not_be_read_at_all_is_an_error_of_its_own(openbao, folder, proxy):
    allowed = {f"secret/{kind}/{folder}/db": ["read"] for kind in ("data", "metadata")}
    token = openbao.token(openbao.policy(allowed))
    source = vault(proxy.url, token, mount="secret", prefix=folder)
    for _ in range(2):
        found = source.versions([ref("db#user"), ref("cache#url"), ref("db?version=0#user")])
        assert found[ref("db#user")] == "1"
        assert isinstance(found[ref("cache#url")], DeniedError)
        assert isinstance(found[ref("db?version=0#user")], InvalidReferenceError)
    assert any("metadata" in path for path in paths(proxy)), "the policy allows it for others"


# ---------------------------------------------------------------- AWS: versions


def test_a_look_at_aws_costs_one_request_for_twenty_secrets(aws):
    versions = {f"s{n}": aws.put(f"s{n}", '{"a": "1", "b": "2"}') for n in range(60)}
    refs = [aws_ref(name, field) for name in versions for field in ("a", "b")]
    source = aws.source()
    assert source.versions(refs) == {one: versions[one.path] for one in refs}
    assert aws.operations == ["BatchGetSecretValue"] * 3
    changed = aws.put("s7", '{"a": "3"}')
    assert source.versions(refs)[aws_ref("s7", "a")] == changed
    assert aws.operations == ["BatchGetSecretValue"] * 6


def test_a_look_at_aws_asks_alone_for_what_a_batch_does_not_give(aws):
    current = aws.put("db", "1")
    aws.deny("secret")
    aws.put("secret", "1")
    refs = [aws_ref("db"), aws_ref("secret"), aws_ref("gone"), aws_ref("db", version="v" * 32)]
    found = aws.source().versions(refs)
    assert found[refs[0]] == current
    assert isinstance(found[refs[1]], DeniedError)
    assert isinstance(found[refs[2]], Absent)
    assert found[refs[3]] == "v" * 32, "a pinned version cannot change"
    assert aws.operations == ["BatchGetSecretValue", "GetSecretValue"]


def test_a_look_at_aws_where_batches_are_denied_asks_for_each_secret(aws):
    versions = [aws.put(f"s{n}", "1") for n in range(3)]
    aws.fail("BatchGetSecretValue", "AccessDeniedException")
    refs = [aws_ref(f"s{n}") for n in range(3)]
    assert list(aws.source().versions(refs).values()) == versions
    assert aws.operations == ["BatchGetSecretValue", *["GetSecretValue"] * 3]


def test_a_secret_that_does_not_exist_costs_a_look_no_further_question(aws):
    assert isinstance(aws.source().versions([aws_ref("gone")])[aws_ref("gone")], Absent)
    assert "ListSecrets" not in aws.operations
    assert support_aws.ask(aws.source(), aws_ref("gone")).reason


# ---------------------------------------------------------------- the login is passed on


@pytest.fixture
def approle(openbao, folder):
    """Make a role that may read the folder; return the `auth` table for it."""
    policy = openbao.policy(
        {f"secret/{kind}/{folder}/*": ["read"] for kind in ("data", "metadata")}
    )

    def make(uses=0, **options):
        mount = openbao.enable_auth("approle")
        role = f"auth/{mount}/role/app"
        body = {"token_policies": [policy], "secret_id_num_uses": uses, **options}
        openbao.ask("POST", role, body)
        role_id = openbao.ask("GET", f"{role}/role-id")["data"]["role_id"]
        secret_id = openbao.ask("POST", f"{role}/secret-id", {})["data"]["secret_id"]
        return {"method": "approle", "mount": mount, "role_id": role_id, "secret_id": secret_id}

    return make


@pytest.fixture
def child(proxy, folder):
    """Return a new source, as each child of a watcher has one, with a login or without."""

    def make(auth, state=None, **settings):
        source = vault(proxy.url, auth=auth, mount="secret", prefix=folder, **settings)
        if state is not None:
            source.resume_login(state)
        proxy.forget()
        return source

    return make


def overdue(state, **life):
    """Return a login whose renewal is due now."""
    fields = ("ends_at", "due_at", "granted_seconds", "renewable", "known")
    changed = {**dict(zip(fields, state["life"], strict=True)), "due_at": 0.0, **life}
    return {**state, "life": tuple(changed[field] for field in fields)}


def read_state(source):
    """Read through a source, and return its login."""
    assert version(source) == "1"
    return source.login_state()


def test_the_next_process_needs_neither_a_login_nor_a_look_at_the_mount(approle, child, proxy):
    auth = approle()
    state = read_state(child(auth))
    source = child(auth, state)
    assert version(source) == "1"
    assert len(proxy.requests) == 1
    again = source.login_state()
    assert again["token"] == state["token"]
    assert auth["secret_id"] not in repr(again)


def test_a_login_without_a_request_is_passed_on_as_it_is(approle, child):
    auth = approle()
    state = read_state(child(auth))
    assert child(auth, state).login_state() == state
    assert child(auth).login_state() == {}


def test_a_login_is_used_for_no_other_credential_and_no_other_server(
    approle, child, openbao, folder
):
    auth, other = approle(), approle()
    state = read_state(child(auth))
    assert read_state(child(other, state))["token"] != state["token"]
    with FaultProxy(openbao.address) as elsewhere:
        source = vault(elsewhere.url, auth=auth, mount="secret", prefix=folder)
        source.resume_login(state)
        assert version(source) == "1"
        assert state["token"] not in {r.headers.get("x-vault-token") for r in elsewhere.requests}


def test_a_token_file_that_has_changed_is_used_at_the_next_look(openbao, child, tmp_path):
    home = {"HOME": str(tmp_path)}
    tokens = [openbao.token("root"), openbao.token("root")]
    state = None
    for token in tokens:
        (tmp_path / ".vault-token").write_text(token)
        state = read_state(child(None, state, environ=home))
        assert state["token"] == token


@pytest.mark.parametrize("read", [version, lambda source: source.fetch([ref("db#user")])])
def test_a_login_that_was_revoked_is_repeated_once(approle, child, openbao, proxy, read):
    auth = approle()
    state = read_state(child(auth))
    openbao.ask("POST", "auth/token/revoke", {"token": state["token"]})
    source = child(auth, state)
    assert CANARY not in repr(read(source))
    assert sum(request.path.endswith("/login") for request in proxy.requests) == 1
    assert source.login_state()["token"] != state["token"]


def test_a_login_that_was_revoked_and_cannot_be_repeated_is_an_error(openbao, approle, child):
    auth = approle(uses=1)
    state = read_state(child(auth))
    openbao.ask("POST", "auth/token/revoke", {"token": state["token"]})
    with pytest.raises(AuthError):
        version(child(auth, state))


def test_a_secret_that_is_denied_does_not_repeat_the_login(approle, child, openbao, proxy):
    auth = approle()
    state = read_state(child(auth))
    source = child(auth, state)
    denied = source.versions([ref("/secret/elsewhere/db#a")])
    assert all(isinstance(error, DeniedError) for error in denied.values())
    assert not [request for request in proxy.requests if request.path.endswith("/login")]


# ---------------------------------------------------------------- the login is renewed


def renewals(proxy):
    return [r for r in proxy.requests if r.path == "/v1/auth/token/renew-self"]


def test_a_token_is_renewed_when_that_is_due_and_never_by_an_increment(approle, child, proxy):
    auth = approle(token_ttl="1h")
    state = read_state(child(auth))
    source = child(auth, state)
    assert source.renew_login() is None
    assert proxy.requests == [], "it is not due"
    source = child(auth, overdue(state))
    assert source.renew_login() is None
    assert [json.loads(request.body or b"{}") for request in renewals(proxy)] == [{}]
    renewed = source.login_state()
    assert renewed["token"] == state["token"]
    assert renewed["due_at"] > time.monotonic() + 1800


def test_a_token_at_its_maximum_is_replaced_by_a_new_login(approle, child, proxy):
    auth = approle(token_ttl="100s", token_max_ttl="100s")
    state = read_state(child(auth))
    source = child(auth, overdue(state, granted_seconds=3600.0))  # it was given more before
    assert source.renew_login() is None
    last = source.login_state()
    assert last["token"] == state["token"]
    source = child(auth, overdue(last))
    assert source.renew_login() is None
    assert not renewals(proxy)
    assert source.login_state()["token"] != state["token"]
    assert version(source) == "1"


def test_a_token_that_may_not_renew_itself_is_replaced_later(approle, child, proxy):
    auth = approle(token_ttl="1h", token_no_default_policy=True)
    state = read_state(child(auth))
    source = child(auth, overdue(state))
    assert source.renew_login() is None
    assert len(renewals(proxy)) == 1
    later = source.login_state()["due_at"] - time.monotonic()
    assert 0 < later < 3600


def single_use(openbao, approle):
    return approle(uses=1, token_ttl="1h"), "cannot log in again: "


def a_token(openbao, approle):
    token = openbao.token("root", ttl="1h", renewable=False)
    return {"method": "token", "token": token}, "cannot be renewed"


@pytest.mark.parametrize("make", [single_use, a_token])
def test_a_login_that_cannot_be_repeated_is_told_once_at_half_of_its_life(
    openbao, approle, child, make
):
    auth, said = make(openbao, approle)
    state = read_state(child(auth))
    source = child(auth, overdue(state))
    source.renew_login()  # a renewal of the one, a look at the other
    state = source.login_state()
    assert time.monotonic() + 1500 < state["due_at"] < time.monotonic() + 2700
    source = child(auth, overdue(state, renewable=False))
    warning = source.renew_login()
    assert "expires in 59 minutes" in warning.text
    assert said in warning.text
    assert warning.hint
    assert state["token"] not in repr(warning)
    told = source.login_state()
    assert told["due_at"] == float("inf"), "it is told once"
    assert version(child(auth, told)) == "1", "the token is used until it ends"


def test_a_token_that_never_expires_needs_no_care(openbao, child):
    auth = {"method": "token", "token": openbao.root_token}
    source = child(auth, overdue(read_state(child(auth))))
    assert source.renew_login() is None
    assert source.login_state()["due_at"] == float("inf")


# ---------------------------------------------------------------- in one process


@pytest.fixture
def member(proxy, folder):
    """Return a new source of a process in which sources share logins, as for each read of live."""

    def make(auth):
        source = vault(proxy.url, auth=auth, mount="secret", prefix=folder)
        source.share_connection()
        return source

    return make


def logins(proxy):
    return sum(request.path.endswith("/login") for request in proxy.requests)


def test_a_shared_login_is_checked_from_time_to_time_and_not_repeated(
    approle, member, proxy, monkeypatch
):
    monkeypatch.setattr(shared, "FRESH_SECONDS", 0.0)
    auth = approle(uses=1)
    for _ in range(3):
        assert version(member(auth)) == "1"
    assert logins(proxy) == 1


def test_a_shared_login_that_cannot_be_repeated_outlives_a_denied_request(approle, member):
    auth = approle(uses=1)
    for _ in range(2):
        source = member(auth)
        assert version(source) == "1"
        denied = source.versions([ref("/secret/elsewhere/db#a")])
        assert all(isinstance(error, DeniedError) for error in denied.values())


def test_a_shared_login_that_was_revoked_is_repeated(approle, member, openbao, proxy):
    auth = approle()
    first = member(auth)
    assert version(first) == "1"
    openbao.ask("POST", "auth/token/revoke", {"token": first.login_state()["token"]})
    assert version(member(auth)) == "1"
    assert logins(proxy) == 2


def test_a_shared_login_is_renewed_by_one_of_its_sources(approle, member, proxy, monkeypatch):
    monkeypatch.setattr(life, "RENEW_AT", 0.0)
    auth = approle(token_ttl="1h")
    source = member(auth)
    assert version(source) == "1"
    assert source.login_state()["due_at"] <= time.monotonic()
    monkeypatch.undo()
    assert source.renew_login() is None
    again = member(auth)
    assert version(again) == "1"
    assert again.renew_login() is None, "the life of the token is shared too"
    assert source.renew_login() is None
    assert len(renewals(proxy)) == 1


# ---------------------------------------------------------------- sessions of AWS

MFA = {"mfa_serial": f"arn:aws:iam::{support_aws.ACCOUNT}:mfa/me", "mfa_token": "012345"}
ROLE = {"role_arn": f"arn:aws:iam::{support_aws.ACCOUNT}:role/reader"}


def aws_child(aws, state, **settings):
    source = aws.source(**settings)
    source.resume_login(state)
    aws.proxy.forget()
    return source


@pytest.mark.parametrize("settings", [MFA, ROLE, MFA | ROLE])
def test_a_role_is_assumed_and_an_mfa_code_used_once_for_all_processes(aws, settings):
    current = aws.put("db", "1")
    first = aws.source(**settings)
    assert first.login_state() == {}
    assert first.versions([aws_ref("db")]) == {aws_ref("db"): current}
    state = first.login_state()
    source = aws_child(aws, state, **settings)
    assert source.versions([aws_ref("db")]) == {aws_ref("db"): current}
    assert aws.operations == ["GetSecretValue"]
    assert source.login_state() == state
    other = aws_child(aws, state, **{**settings, "mfa_token": "543210", **ROLE})
    other.versions([aws_ref("db")])
    assert aws.operations == ["AssumeRole", "GetSecretValue"], "other settings, another login"


def test_credentials_that_botocore_finds_are_not_passed_on(aws):
    source = aws.source()
    aws.put("db", "1")
    source.versions([aws_ref("db")])
    assert source.login_state() == {}
    assert source.renew_login() is None


@pytest.mark.parametrize("left", [30.0, -5.0])
def test_a_session_that_is_about_to_end_is_not_used(aws, left):
    aws.put("db", "1")
    first = aws.source(**ROLE)
    first.versions([aws_ref("db")])
    state = first.login_state()
    *keys, _, due_at = state["session"]
    ended = {**state, "session": (*keys, time.monotonic() + left, due_at)}
    aws_child(aws, ended, **ROLE).versions([aws_ref("db")])
    assert aws.operations == ["AssumeRole", "GetSecretValue"]


def test_an_mfa_session_is_told_once_at_half_of_its_life_and_a_role_never(aws):
    aws.put("db", "1")
    for settings, warned in ((MFA, True), (ROLE, False)):
        first = aws.source(**settings)
        first.versions([aws_ref("db")])
        state = first.login_state()
        ends_at, due_at = state["session"][-2:]
        half = (time.monotonic() + ends_at) / 2
        assert due_at == (pytest.approx(half, abs=10) if warned else float("inf"))
        source = aws_child(aws, state, **settings)
        assert source.renew_login() is None, "it is not due"
        source = aws_child(aws, {**state, "session": (*state["session"][:-1], 0.0)}, **settings)
        warning = source.renew_login()
        assert "needs a new MFA code" in warning.text
        assert source.renew_login() is None
        assert aws.operations == []


def test_sources_that_share_a_login_use_an_mfa_code_once(aws):
    aws.put("db", "1")
    for _ in range(2):
        source = aws.source(**MFA)
        source.share_connection()
        source.versions([aws_ref("db")])
    assert aws.operations.count("GetSessionToken") == 1


# ---------------------------------------------------------------- a watcher


@pytest.fixture
def profile(project, openbao, folder, trusted):
    """Return what writes a profile with one secret in OpenBao, which is looked at in an hour."""

    def write(auth):
        table = ", ".join(f'{key} = "{value}"' for key, value in auth.items())
        project.environ["HOME"] = os.environ["HOME"]
        project.profile(
            "prod.toml",
            f'[sources.vault]\naddress = "{openbao.address}"\nmount = "secret"\n'
            f'prefix = "{folder}"\npoll = "1h"\nauth = {{ {table} }}\n'
            '[variables]\nDB_PASSWORD = "{{ vault:db#password }}"\n',
        )
        return str(project.profiles)

    return write


@pytest.fixture
def watch(profile):
    """Return what starts a watcher of such a profile."""
    started = []

    def start(auth):
        quick = {"debounce_seconds": 0.05, "min_interval_seconds": 0.05}
        watcher = Watcher(WatchRequest(["prod"], profile(auth), **quick))
        started.append(watcher)
        watcher.prepare()
        watcher.first()
        return watcher

    yield start
    for watcher in started:
        watcher.close()


def set_password(project):
    done = project.run("set", "--env", "prod", "DB_PASSWORD", input="new-one")
    assert done.returncode == 0, done.stderr


def test_a_write_through_envkit_reaches_a_watcher_that_would_look_in_an_hour(
    openbao, watch, project
):
    watcher = watch({"method": "token", "token": openbao.root_token})
    set_password(project)
    [event] = turns(watcher, len)
    assert isinstance(event, Changed)
    assert event.environ[b"DB_PASSWORD"] == b"new-one"
    assert event.names == ("DB_PASSWORD",)


def test_a_write_through_envkit_reaches_a_python_app_that_would_look_in_an_hour(
    openbao, profile, project
):
    folder = profile({"method": "token", "token": openbao.root_token})
    with envkit.live("prod", profiles=folder) as live:
        assert live["DB_PASSWORD"].reveal() == CANARY
        set_password(project)
        end = time.monotonic() + 60
        while live["DB_PASSWORD"].reveal() == CANARY:
            assert time.monotonic() < end
            os.sched_yield()
        assert live["DB_PASSWORD"].reveal() == "new-one"


def test_a_watcher_renews_its_token_and_logs_in_once(openbao, approle, watch):
    auth = approle(token_ttl="4s")  # also on a busy machine, it is renewed before it ends
    before = len(openbao.asked())
    watcher = watch(auth)

    def renewed(_):
        return [p for _, p in openbao.asked()[before:] if p == "auth/token/renew-self"]

    events = turns(watcher, lambda events: len(renewed(events)) >= 2)
    asked = [path for _, path in openbao.asked()[before:]]
    assert events == []
    assert sum(path.endswith("/login") for path in asked) == 1

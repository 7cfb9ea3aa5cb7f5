"""`envkit login` and `logout` on OpenBao: passwords, MFA, the browser, a choice of methods."""

import contextlib
import json
import os
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import (
    AuthError,
    InvalidSettingError,
    LinkRefusedError,
    MfaRequiredError,
    ProtocolError,
    SourceError,
    UnavailableError,
    UsageError,
)
from envkit.sources.model import SourceContext
from envkit.sources.registry import set_guard
from envkit.sources.vault.auth import parse_auth
from envkit.sources.vault.client import VaultClient
from envkit.sources.vault.logins.callback import Callback
from envkit.sources.vault.logins.oidc import log_in_with_browser
from envkit.sources.vault.source import VaultSource
from envkit.trust.guard import Guard
from support.fault_proxy import FaultProxy, respond, silent
from support.logins import REDIRECT, Browser, People, Typist, port_of_the_cli
from support.openbao import RefusedError
from support.vault import CANARY, TIMEOUT_SECONDS, assert_clean, fetch_one, value_at

TEXT = "secret/login-tests/db#password"
PASSWORD = "pass-5b1d9c77"


@pytest.fixture(scope="module")
def policy(openbao):
    openbao.put("login-tests/db", {"password": CANARY})
    return openbao.policy({"secret/data/login-tests/*": ["read"]})


@pytest.fixture(scope="module")
def people(openbao):
    return People(openbao)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def build(openbao, home):
    """Build a source with this `auth`, whose user has a HOME."""

    def built(auth, timeout_seconds=TIMEOUT_SECONDS, address=None, **environ):
        context = SourceContext(
            "vault",
            settings={"address": address or openbao.address, "auth": auth},
            environment="prod",
            deadline=Deadline(timeout_seconds),
            environ={"HOME": str(home), "PATH": os.environ["PATH"], **environ},
            root=str(home),
        )
        return VaultSource(context)

    return built


@pytest.fixture
def at_terminal():
    """Put a person at the terminal of this process; without one, there is none."""
    before = set_guard(None)

    def sit_down(person=None):
        guard = Guard(dict(os.environ), person=person)
        set_guard(lambda: guard)
        return person

    yield sit_down
    set_guard(before)


def token_of(home):
    return (home / ".vault-token").read_text()


def lives(openbao, token):
    try:
        openbao.ask("GET", "auth/token/lookup-self", token=token)
    except RefusedError:
        return False
    return True


def refused(source, person, kind=AuthError, *hidden):
    """Return the error of a login that must fail, and check that it shows no credential."""
    with pytest.raises(kind) as caught:
        source.log_in(person)
    assert_clean(caught.value, PASSWORD, *hidden)
    assert caught.value.exit_status == 6 or kind is not AuthError
    return caught.value


# ------------------------------------------------------------------ by password


def test_a_login_by_password_is_stored_for_the_next_command(openbao, people, build, home, policy):
    auth = people.userpass("anna", PASSWORD, policy)
    person = Typist(PASSWORD)
    done = build(auth).log_in(person)
    assert person.asked == ["Password of anna:"]
    assert (done.method, done.notes) == ("userpass", ())
    assert done.who.startswith(f"logged in as {auth['mount']}-anna, policies default, {policy}")
    assert stat.S_IMODE((home / ".vault-token").stat().st_mode) == 0o600
    assert value_at(build(auth), TEXT) == CANARY
    assert value_at(build(None), TEXT) == CANARY, "other tools find the token too"


def test_the_user_name_is_asked_for_if_the_profile_has_none(people, build, policy):
    auth = people.userpass("bert", PASSWORD, policy)
    person = Typist("bert", PASSWORD)
    build({"method": "userpass", "mount": auth["mount"]}).log_in(person)
    assert person.asked[0].startswith("Username for vault at http://127.0.0.1:")


def test_ldap_sends_the_same_request_to_its_own_mount(people, openbao, build, policy):
    # OpenBao's package has no LDAP; both methods have the same requests
    auth = people.userpass("cleo", PASSWORD, policy)
    done = build({**auth, "method": "ldap"}).log_in(Typist(PASSWORD))
    assert done.method == "ldap"


@pytest.mark.parametrize("answers", [("",), ("dora", "")])
def test_a_login_without_an_answer_ends_there(build, answers):
    error = refused(build({"method": "userpass"}), Typist(*answers))
    assert error.message == "nothing was typed, so envkit did not log in"


@pytest.mark.parametrize("answers", [("\udcff", PASSWORD), ("dora", "\udcff")])
def test_what_is_typed_in_another_encoding_is_not_sent(build, answers):
    source = build({"method": "userpass"}, address="http://127.0.0.1:1")
    assert "is not UTF-8" in refused(source, Typist(*answers)).message


def test_a_wrong_password_is_final(people, build, home):
    auth = people.userpass("emil", PASSWORD)
    error = refused(build([auth, "token"]), Typist("another-one"), AuthError, "another-one")
    assert "does not accept the userpass login (400)" in error.message
    assert not (home / ".vault-token").exists()


@pytest.mark.parametrize("method", ["userpass", "ldap", "oidc"])
def test_a_login_by_a_person_fails_at_once_without_a_terminal(build, method):
    error = refused(build({"method": method}, address="http://127.0.0.1:1"), None)
    assert error.message == (
        f"the {method} login to 'vault' needs a person at a terminal, for a password, a browser "
        "or MFA"
    )
    assert error.code == "mfa-required"


@pytest.mark.parametrize("auth", [{"method": "userpass"}, {"method": "oidc"}, ["token", "oidc"]])
def test_a_read_without_a_login_says_how_to_log_in(build, auth):
    with pytest.raises(AuthError) as caught:
        fetch_one(build(auth), TEXT)
    assert caught.value.hint == "run: envkit login --env prod vault"


@pytest.mark.parametrize("auth", [{"method": "oidc"}, ["approle", "token", "oidc"]])
@pytest.mark.parametrize("variable", [None, "VAULT_TOKEN", "BAO_TOKEN"])
def test_an_expired_login_says_how_to_log_in(build, home, auth, variable):
    if variable is None:
        (home / ".vault-token").write_text("s.expired")
    source = build(auth, **({variable: "s.expired"} if variable else {}))
    first = f"unset {variable} && " if variable else ""
    for use in (lambda: fetch_one(source, TEXT), source.probe):
        with pytest.raises(AuthError) as caught:
            use()
        assert "has expired" in caught.value.message
        assert caught.value.hint == f"run: {first}envkit login --env prod vault"


def test_a_login_that_ends_in_mid_command_says_how_to_log_in(build, home, openbao, policy):
    (home / ".vault-token").write_text(openbao.token(policy))
    source = build(["token", "oidc"])
    assert value_at(source, TEXT) == CANARY
    openbao.ask("POST", "auth/token/revoke", {"token": token_of(home)})
    with pytest.raises(AuthError) as caught:
        fetch_one(source, TEXT)
    assert caught.value.hint == "run: envkit login --env prod vault"


def test_a_source_that_uses_only_a_token_has_no_login(build):
    with pytest.raises(UsageError, match="no method to log in with"):
        build(None).log_in(Typist())


# ------------------------------------------------------------------ where the token goes


def test_the_token_helper_stores_and_erases_the_token(people, build, home, openbao):
    auth = people.userpass("fee", PASSWORD)
    helper = home / "helper"
    helper.write_text(
        f'#!/bin/sh\ntest "$VAULT_ADDR" = {openbao.address} || exit 3\ncase "$1" in\n'
        f"store) cat > {home}/kept;;\nget) cat {home}/kept;;\nerase) rm {home}/kept;;\nesac\n"
    )
    helper.chmod(0o700)
    (home / ".vault").write_text(f'token_helper = "{helper}"\n')
    done = build(auth).log_in(Typist(PASSWORD))
    assert done.place == f"the token helper '{helper}'"
    token = (home / "kept").read_text()
    assert lives(openbao, token)
    assert token == token.strip()
    assert not (home / ".vault-token").exists()
    assert "revoked and removed the token" in build(auth).log_out()
    assert not (home / "kept").exists()
    assert not lives(openbao, token)


def test_a_token_that_cannot_be_stored_is_revoked(people, build, home, openbao):
    auth = people.userpass("gabi", PASSWORD)
    (home / "elsewhere").write_text("theirs")
    (home / ".vault-token").symlink_to(home / "elsewhere")
    before = accessors(openbao)
    refused(build(auth), Typist(PASSWORD), LinkRefusedError)
    assert (home / "elsewhere").read_text() == "theirs"
    assert accessors(openbao) == before


@pytest.mark.parametrize("failing", ["lookup-self", "revoke-self"])
def test_a_login_that_fails_at_its_end_leaves_no_file_and_says_why(
    people, build, home, openbao, failing
):
    auth = people.userpass("gert", PASSWORD)
    before = accessors(openbao)
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(respond(418, "{}"), when=lambda request: request.path.endswith(failing))
        if failing == "revoke-self":
            (home / ".vault-token").mkdir()
        error = refused(build(auth, address=proxy.url), Typist(PASSWORD), SourceError)
    if failing == "revoke-self":
        assert "cannot store the token" in error.message
    else:
        assert accessors(openbao) == before
        assert not (home / ".vault-token").exists()


def accessors(openbao):
    return set(openbao.ask("LIST", "auth/token/accessors")["data"]["keys"])


def test_a_variable_that_hides_the_login_is_named(people, build):
    auth = people.userpass("hans", PASSWORD)
    done = build(auth, VAULT_TOKEN="s.other").log_in(Typist(PASSWORD))
    assert done.notes == (
        "VAULT_TOKEN is set and takes precedence over the stored token: unset it",
    )


# ------------------------------------------------------------------ logout


def test_logout_revokes_and_removes_the_token(people, build, home, openbao):
    auth = people.userpass("ida", PASSWORD)
    build(auth).log_in(Typist(PASSWORD))
    token = token_of(home)
    done = build(auth).log_out()
    assert done == f"revoked and removed the token from '{home}/.vault-token'"
    assert not (home / ".vault-token").exists()
    assert not lives(openbao, token)
    assert build(auth).log_out() == "there was no login to remove"


def test_logout_does_not_revoke_a_token_that_no_login_created(build, home, openbao):
    token = openbao.token("default")
    for stored in (token, openbao.root_token):
        (home / ".vault-token").write_text(stored)
        assert "it is not from a login, so it was not revoked" in build(None).log_out()
        assert not (home / ".vault-token").exists()
        assert lives(openbao, stored)


def test_logout_removes_the_token_of_a_login_that_has_ended(people, build, home, openbao):
    auth = people.userpass("ivan", PASSWORD)
    build(auth).log_in(Typist(PASSWORD))
    openbao.ask("POST", "auth/token/revoke-self", token=token_of(home))
    assert "it had expired" in build(auth).log_out()
    assert not (home / ".vault-token").exists()


def test_logout_removes_a_token_that_may_not_look_itself_up(build, home, openbao):
    made = openbao.ask("POST", "auth/token/create", {"no_default_policy": True, "policies": ["x"]})
    (home / ".vault-token").write_text(made["auth"]["client_token"])
    assert "could not look itself up" in build(None).log_out()


def test_logout_without_the_server_removes_only_the_token_of_a_login_to_it(people, build, home):
    auth, down = people.userpass("iris", PASSWORD), "http://127.0.0.1:1"
    with FaultProxy(people.openbao.address) as proxy:
        build(auth, address=proxy.url).log_in(Typist(PASSWORD))
    with pytest.raises(UnavailableError) as caught:
        build(auth, address=down, timeout_seconds=0.2).log_out()
    assert "was left, as it may be that of another server: " in caught.value.message
    assert caught.value.hint.endswith(f"to remove it now: rm {home}/.vault-token")
    assert (home / ".vault-token").exists()
    with pytest.raises(UnavailableError) as caught:
        build(auth, address=proxy.url, timeout_seconds=0.2).log_out()
    assert "was removed from" in caught.value.message
    assert "but not revoked" in caught.value.message
    assert not (home / ".vault-token").exists()


def test_logout_leaves_the_token_of_another_server(people, build, home, openbao):
    build(people.userpass("ines", PASSWORD)).log_in(Typist(PASSWORD))
    with FaultProxy(openbao.address) as other:
        other.fault(respond(403, '{"errors": ["permission denied"]}'))
        done = build(["oidc"], address=other.url).log_out()
    assert done == (
        f"left the token in '{home}/.vault-token': vault at {other.url} does not know it, so it "
        f"has expired or is that of another server; to remove it, run: rm {home}/.vault-token"
    )
    assert lives(openbao, token_of(home))
    (home / ".vault-token").write_text("s.of-another-server")
    assert "does not know it" in build(["oidc"]).log_out(), "OpenBao itself says so"


def test_a_pipe_in_the_place_of_the_token_is_refused_at_once(build, home):
    os.mkfifo(home / ".vault-token")
    for read in (lambda: fetch_one(build(None), TEXT), build(None).log_out):
        with pytest.raises(AuthError, match="not a regular file"):
            read()


def test_a_jwt_may_come_through_a_pipe_but_not_after_the_deadline(build, home):
    os.mkfifo(home / "jwt")
    auth = {"method": "jwt", "role": "x", "jwt_file": "jwt"}
    with pytest.raises(AuthError, match="nothing was written to the pipe within"):
        build(auth, timeout_seconds=0.2).log_in(None)


@pytest.mark.parametrize("name", ["VAULT_TOKEN_PATH", "BAO_TOKEN_PATH"])
def test_a_relative_path_of_the_token_is_refused_before_any_question(build, home, name):
    source = build(["token", "userpass"], **{name: "token"})
    person = Typist()
    tried = (lambda: fetch_one(source, TEXT), lambda: source.log_in(person), source.log_out)
    for attempt in tried:
        with pytest.raises(InvalidSettingError) as caught:
            attempt()
        assert caught.value.message.startswith(f"{name} is not an absolute path")
    assert person.asked == []


# ------------------------------------------------------------------ MFA


@pytest.fixture
def guarded(people, policy):
    """Return the `auth` table of a user who needs TOTP, and the phone."""
    auth = people.userpass("mia", PASSWORD, policy)
    return auth, people.require_totp(auth, PASSWORD)


def test_mfa_asks_for_the_code(guarded, build, at_terminal):
    auth, phone = guarded
    person = at_terminal(Typist(PASSWORD, lambda: f"{phone.code()[:3]} {phone.code()[3:]}"))
    build(auth).log_in(person)
    assert person.asked[1].startswith("MFA code (totp 'phone")
    assert "for vault at http://127.0.0.1:" in person.asked[1]
    assert value_at(build(auth), TEXT) == CANARY


def test_a_wrong_code_and_a_replayed_code_can_be_typed_again(guarded, build, at_terminal):
    auth, phone = guarded
    used = phone.code()
    person = at_terminal(Typist(PASSWORD, "000000", used))
    build(auth).log_in(person)
    assert len(person.told) == 1
    person = at_terminal(Typist(PASSWORD, used, phone.code(ahead=1)))
    build(auth).log_in(person)
    assert person.told == [
        "the code was not accepted: it is wrong, or was used before; wait for the next"
    ]


def test_mfa_gives_up_after_five_wrong_codes(guarded, build, at_terminal):
    auth, _ = guarded
    person = at_terminal(Typist(PASSWORD, *["000000"] * 5))
    error = refused(build(auth), person, MfaRequiredError, "000000")
    assert "does not accept the MFA code" in error.message


def test_the_code_may_come_from_the_environment(guarded, build, at_terminal):
    auth, phone = guarded
    at_terminal()
    source = build({**auth, "password": PASSWORD}, ENVKIT_MFA_CODE=phone.code())
    assert value_at(source, TEXT) == CANARY


def test_one_code_is_enough_for_all_sources_of_a_command_until_the_token_ends(
    guarded, build, openbao, at_terminal
):
    auth, phone = guarded
    at_terminal()

    def source():
        return build({**auth, "password": PASSWORD}, ENVKIT_MFA_CODE=phone.code())

    with ThreadPoolExecutor(3) as pool:
        reads = [pool.submit(value_at, source(), TEXT) for _ in range(3)]
    assert [one.result() for one in reads] == [CANARY] * 3
    last = source()
    assert value_at(last, TEXT) == CANARY
    openbao.ask("POST", "auth/token/revoke", {"token": last.login_state()["token"]})
    with pytest.raises(MfaRequiredError):
        fetch_one(source(), TEXT)
    with pytest.raises(MfaRequiredError):
        fetch_one(build({**auth, "password": PASSWORD}), TEXT)


def test_a_wrong_code_in_the_environment_is_asked_for_at_a_terminal(guarded, build, at_terminal):
    auth, phone = guarded
    wrong = {"ENVKIT_MFA_CODE": "000000"}
    at_terminal()
    with pytest.raises(MfaRequiredError) as caught:
        fetch_one(build({**auth, "password": PASSWORD}, **wrong), TEXT)
    assert_clean(caught.value, "000000", PASSWORD)
    assert caught.value.exit_status == 6
    person = at_terminal(Typist(phone.code))
    assert value_at(build({**auth, "password": PASSWORD}, **wrong), TEXT) == CANARY
    assert len(person.asked) == 1


def test_mfa_without_a_terminal_fails_at_once_and_says_what_to_do(guarded, build, at_terminal):
    auth, _ = guarded
    at_terminal()
    with pytest.raises(MfaRequiredError) as caught:
        fetch_one(build({**auth, "password": PASSWORD}), TEXT)
    assert "requires MFA (totp 'phone" in caught.value.message
    assert "envkit cannot ask for the code here" in caught.value.message
    assert "ENVKIT_MFA_CODE" in caught.value.hint


def test_a_person_who_types_no_code_ends_the_login(guarded, build, at_terminal):
    auth, _ = guarded
    error = refused(build(auth), at_terminal(Typist(PASSWORD, "")), MfaRequiredError)
    assert error.message.endswith("and no code was typed")


def test_a_slow_answer_does_not_use_up_the_time_of_the_command(guarded, build, at_terminal):
    auth, phone = guarded
    source = build({**auth, "password": PASSWORD}, timeout_seconds=2)
    deadline = source._context.deadline

    def slowly():
        deadline.spend(2)  # the two seconds would be over by now
        return phone.code()

    at_terminal(Typist(slowly))
    assert value_at(source, TEXT) == CANARY


def test_a_request_that_the_server_has_forgotten_ends_the_login(
    guarded, build, openbao, at_terminal
):
    auth, _ = guarded
    forgotten = {"any": [{"type": "totp", "id": "x", "uses_passcode": True}]}
    requirement = {"mfa_request_id": "long-ago", "mfa_constraints": {"e": forgotten}}
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(login_needs(requirement), times=1)
        error = refused(build(auth, address=proxy.url), at_terminal(Typist(PASSWORD, "123456")))
    assert "no longer waits for the MFA code (400): invalid request ID" in error.message


def login_needs(requirement):
    return respond(200, json.dumps({"auth": {"client_token": "", "mfa_requirement": requirement}}))


PUSH = {
    "mfa_request_id": "request",
    "mfa_constraints": {"e": {"any": [{"type": "duo", "id": "d", "uses_passcode": False}]}},
}


def is_validation(request):
    return request.path == "/v1/sys/mfa/validate"


def test_a_push_is_waited_for(build, openbao, at_terminal, policy):
    person = at_terminal(Typist(PASSWORD))
    token = openbao.token(policy)
    with FaultProxy(openbao.address) as proxy:
        granted = json.dumps({"auth": {"client_token": token, "lease_duration": 60}})
        proxy.fault(respond(200, granted), when=is_validation)
        proxy.fault(login_needs(PUSH), times=1)
        done = build({"method": "userpass", "username": "nina"}, address=proxy.url).log_in(person)
        [validation] = [one for one in proxy.requests if is_validation(one)]
    assert done.who.startswith("logged in as token, policies default, ")
    assert json.loads(validation.body) == {
        "mfa_request_id": "request",
        "mfa_payload": {"d": [""]},
    }
    assert person.told == ["approve the push notification on your device (120 s)"]


def test_a_push_leaves_a_person_more_time_than_the_command_has(build, openbao, at_terminal, policy):
    granted = {"auth": {"client_token": openbao.token(policy), "lease_duration": 60}}
    auth = {"method": "userpass", "username": "nadia", "password": PASSWORD}
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(respond(200, json.dumps(granted)), when=is_validation)
        proxy.fault(login_needs(PUSH), times=1)
        source = build(auth, address=proxy.url, timeout_seconds=2)
        deadline = source._context.deadline
        # the two seconds would be over by now
        person = at_terminal(Typist(meanwhile=lambda: deadline.spend(2), wait_seconds=30))
        assert value_at(source, TEXT) == CANARY
    assert person.told == ["approve the push notification on your device (30 s)"]
    assert deadline.remaining_seconds() <= 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (respond(403, '{"errors": ["denied"]}'), "was denied, or came too late: denied"),
        (silent(), "was not approved within 1 s"),
    ],
)
def test_a_denied_or_late_push_is_reported_as_such(build, openbao, at_terminal, fault, message):
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(fault, when=is_validation)
        proxy.fault(login_needs(PUSH), times=1)
        auth = {"method": "userpass", "username": "nina"}
        source = build(auth, address=proxy.url, timeout_seconds=1)
        error = refused(source, at_terminal(Typist(PASSWORD, wait_seconds=1)))
        assert proxy.count(is_validation) == 1
    assert message in error.message


def test_a_push_without_a_terminal_is_not_sent(build, openbao, at_terminal):
    at_terminal()
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(login_needs(PUSH), times=1)
        auth = {"method": "userpass", "username": "nina", "password": PASSWORD}
        with pytest.raises(MfaRequiredError) as caught:
            fetch_one(build(auth, address=proxy.url), TEXT)
        assert proxy.count(is_validation) == 0
    assert "the approval by duo for vault at" in caught.value.message
    assert "ENVKIT_MFA_CODE" not in caught.value.hint, "a push has no code"


@pytest.mark.parametrize(
    "requirement",
    [
        {"a": 1},
        {"mfa_request_id": "r", "mfa_constraints": {}},
        {"mfa_request_id": "r", "mfa_constraints": {"e": {"any": []}}},
        {"mfa_request_id": "r", "mfa_constraints": {"e": {"any": [{"id": "x"}]}}},
        {"mfa_request_id": "r", "mfa_constraints": {"e": None}},
        ["x"],
    ],
)
def test_an_odd_mfa_requirement_is_a_protocol_error(build, openbao, at_terminal, requirement):
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(login_needs(requirement), times=1)
        source = build({"method": "userpass", "username": "nina"}, address=proxy.url)
        refused(source, at_terminal(Typist(PASSWORD)), ProtocolError)


# ------------------------------------------------------------------ in the browser


@pytest.fixture(scope="module")
def provider(people, policy):
    """Return the `auth` table of an OIDC mount, and the token of a user of its provider."""
    user = people.userpass("olga", PASSWORD)
    return people.oidc(policy), people.token(user, PASSWORD)["client_token"]


@pytest.fixture
def browse(provider, openbao, home):
    """Log in by OIDC with a browser, on any port; return what the server grants."""
    auth, token = provider

    def run(timeout_seconds=TIMEOUT_SECONDS, browser=None, port=0, address=None, role=None):
        person = Typist(browser=browser or Browser(token))
        context = SourceContext(
            "vault",
            settings={"address": address or openbao.address},
            deadline=Deadline(timeout_seconds),
            environ={"HOME": str(home)},
        )
        table = {**auth, **({"role": role} if role else {})}
        client = VaultClient(context, pool_size=1)
        method = parse_auth("vault", table)
        return log_in_with_browser(client, method, context, person, port=port), person

    return run


def fails(browse, kind=AuthError, **options):
    with pytest.raises(kind) as caught:
        browse(**options)
    assert_clean(caught.value)
    return caught.value


def test_the_browser_logs_in(browse, openbao, provider):
    browser = Browser(provider[1])
    granted, _ = browse(browser=browser)
    assert lives(openbao, granted["client_token"])
    [(status, page)] = browser.pages
    assert status == 200
    assert "Logged in" in page


def test_the_port_of_the_vault_cli_is_the_default(people, build, policy, provider):
    with port_of_the_cli():
        done = build(provider[0]).log_in(Typist(browser=Browser(provider[1])))
    assert done.method == "oidc"


def test_a_browser_that_never_comes_back_ends_the_login_in_time(browse):
    class Closed(Browser):
        def open(self, url):
            pass

    error = fails(browse, browser=Closed(""), timeout_seconds=0.2)
    assert error.message == "the browser did not come back within 0.2 s"
    assert error.exit_status == 6


def test_a_port_in_use_is_named(browse):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        error = fails(browse, port=port)
    assert f"cannot wait for the browser on localhost:{port}" in error.message
    assert f"lsof -i :{port}" in error.hint


def test_a_browser_that_returns_before_envkit_waits_is_not_refused(browse, provider, openbao):
    class Quick(Browser):
        def open(self, url):
            super().open(url)
            assert self.arrived.wait(TIMEOUT_SECONDS)

        arrived = threading.Event()

        def get(self, url, data=None, **headers):
            host, port = url.removeprefix("http://").split("/")[0].split(":")
            with socket.create_connection((host, int(port))) as connection:
                path = url.partition(f":{port}")[2]
                request = f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n"
                connection.sendall(request.encode())
                connection.settimeout(0.2)  # a refusal would arrive by then
                with contextlib.suppress(TimeoutError):
                    self.pages.append(connection.recv(4096))
                self.arrived.set()
                connection.settimeout(TIMEOUT_SECONDS)
                self.pages.append(connection.recv(4096))

    browser = Quick(provider[1])
    granted, _ = browse(browser=browser)
    assert lives(openbao, granted["client_token"])


class Astray(Browser):
    """Opens other pages of this machine first, as a browser does and an attacker might."""

    def get(self, url, data=None, **headers):
        right, query = url.split("?")
        root = right.removesuffix("/oidc/callback")
        super().get(f"{root}/favicon.ico")
        super().get(f"{right}?state=another&code=stolen")
        super().get(right)
        super().get(f"{right}?{query}", Host="evil.example:80")
        super().get(url, data)


def test_another_state_or_host_or_page_does_not_end_the_wait(browse, provider, openbao):
    browser = Astray(provider[1])
    granted, _ = browse(browser=browser)
    assert lives(openbao, granted["client_token"])
    assert [status for status, _ in browser.pages] == [404, 400, 400, 400, 200]


CALLBACK = "/oidc/callback?state=right&code=theirs"


@pytest.mark.parametrize(
    "request_line",
    [
        *(
            f"{method} {CALLBACK} HTTP/1.1"
            for method in ("HEAD", "PUT", "OPTIONS", "<b>theirs</b>")
        ),
        *(f"GET {CALLBACK} {end}" for end in ("HTTP/9.9", "theirs HTTP/1.1", "HTTP/theirs")),
        *("theirs", "GET //[theirs HTTP/1.1", f"GET /{'a' * 70_000} HTTP/1.1"),
    ],
)
def test_a_hostile_request_is_refused_and_not_quoted(request_line):
    with Callback(0) as callback:
        callback.expect("right")
        host = f"localhost:{callback.port}"
        with socket.create_connection(("127.0.0.1", callback.port)) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(f"{request_line}\r\nHost: {host}\r\n\r\n".encode())
            page = b""
            with contextlib.suppress(ConnectionResetError):  # it does not read all of the request
                while chunk := connection.recv(4096):
                    page += chunk
        assert b"theirs" not in page
        assert b"Logged in" not in page
        with pytest.raises(AuthError):
            callback.wait(Deadline(0))


def test_a_connection_without_a_request_does_not_block_the_login(browse, provider, openbao):
    class Eager(Browser):
        def get(self, url, data=None, **headers):
            port = int(url.split(":")[2].split("/")[0])
            self.idle = socket.create_connection(("127.0.0.1", port))
            super().get(url, data, **headers)

    browser = Eager(provider[1])
    granted, _ = browse(browser=browser)
    browser.idle.close()
    assert granted["client_token"]


def test_a_refusal_of_the_provider_is_reported(browse, provider):
    said = {"error": "access_denied", "error_description": "not in the group\x1b[2J"}
    browser = Browser(provider[1], code=None, **said)
    assert fails(browse, browser=browser).message == (
        "the identity provider refused the login: it does not say why"
    )
    browser = Browser(provider[1], code=None, error="access_denied", error_description="no group")
    assert fails(browse, browser=browser).message == (
        "the identity provider refused the login: access_denied: no group"
    )
    assert browser.pages[0][0] == 400


def test_a_code_that_the_server_does_not_accept_is_an_auth_error(browse, provider):
    browser = Browser(provider[1], code=f"code-{CANARY}")
    error = fails(browse, browser=browser)
    assert "does not accept the oidc login (400)" in error.message
    [(status, page)] = browser.pages
    assert status == 400
    assert CANARY not in page


def test_a_provider_that_posts_a_form_is_refused(browse, provider):
    class Poster(Browser):
        def get(self, url, data=None, **headers):
            address, query = url.split("?")
            super().get(address, query.encode())

    assert "with a form" in fails(browse, browser=Poster(provider[1])).message


def test_an_unknown_role_and_a_redirect_that_is_not_allowed_are_refused(browse, openbao, provider):
    error = fails(browse, role="nobody")
    assert 'role "nobody" could not be found' in error.message
    role = {"role_type": "oidc", "user_claim": "sub", "allowed_redirect_uris": ["https://x/y"]}
    openbao.ask("POST", f"auth/{provider[0]['mount']}/role/elsewhere", role)
    error = fails(browse, role="elsewhere")
    assert "the role 'elsewhere'" in error.message
    assert "/oidc/callback to allowed_redirect_uris of the role" in error.hint


def test_a_role_whose_browser_returns_to_the_server_is_refused(browse, openbao, provider):
    path = f"/v1/auth/{provider[0]['mount']}"
    role = {
        "role_type": "oidc",
        "user_claim": "sub",
        "callback_mode": "direct",
        "allowed_redirect_uris": [f"{openbao.address}{path}/oidc/callback", REDIRECT],
    }
    openbao.ask("POST", f"auth/{provider[0]['mount']}/role/direct", role)
    error = fails(browse, role="direct")
    assert "has a callback_mode that envkit does not support" in error.message


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)?state=s", "file:///etc/passwd?state=s", "https://idp/"),
        *("https://[?state=s", "https://idp/?state=", 7, None),
    ],
)
def test_an_odd_login_page_is_not_opened(browse, openbao, url):
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(respond(200, json.dumps({"data": {"auth_url": url}})), times=1)
        fails(browse, ProtocolError, address=proxy.url)


# ------------------------------------------------------------------ a choice of methods


@pytest.fixture
def role(openbao, policy):
    """The role_id and the secret_id of an AppRole, and its mount."""
    mount = openbao.enable_auth("approle")
    openbao.ask("POST", f"auth/{mount}/role/ci", {"token_policies": [policy]})
    role_id = openbao.ask("GET", f"auth/{mount}/role/ci/role-id")["data"]["role_id"]
    secret_id = openbao.ask("POST", f"auth/{mount}/role/ci/secret-id")["data"]["secret_id"]
    return mount, role_id, secret_id


def test_the_first_method_that_has_what_it_needs_is_used(build, openbao, role, policy, home):
    mount, role_id, secret_id = role
    approle = {"method": "approle", "mount": mount, "role_id": role_id, "secret_id": secret_id}
    choices = ["kubernetes", {"method": "jwt", "jwt_file": "none.jwt"}, "token", approle]
    source = build(choices)
    assert source.login_method == ""
    assert value_at(source, TEXT) == CANARY
    assert source.login_method == "approle"
    (home / ".vault-token").write_text(openbao.token(policy))
    source = build(choices)
    assert value_at(source, TEXT) == CANARY
    assert source.login_method == "token"
    assert source.probe()[1].endswith("(method token)")


def test_the_name_approle_takes_its_input_from_the_environment(build, openbao, policy):
    openbao.ask("POST", "sys/auth/approle", {"type": "approle"})
    try:
        openbao.ask("POST", "auth/approle/role/ci", {"token_policies": [policy]})
        role_id = openbao.ask("GET", "auth/approle/role/ci/role-id")["data"]["role_id"]
        secret_id = openbao.ask("POST", "auth/approle/role/ci/secret-id")["data"]["secret_id"]
        given = {"VAULT_ROLE_ID": role_id, "BAO_SECRET_ID": secret_id}
        source = build(["approle", "token"], **given)
        assert value_at(source, TEXT) == CANARY
        assert source.login_method == "approle"
    finally:
        openbao.ask("DELETE", "sys/auth/approle")


def test_a_refused_login_is_final(build, openbao, role, home, policy):
    mount, role_id, _ = role
    (home / ".vault-token").write_text(openbao.token(policy))
    approle = {"method": "approle", "mount": mount, "role_id": role_id, "secret_id": "wrong"}
    with pytest.raises(AuthError, match="does not accept the approle login"):
        fetch_one(build([approle, "token"]), TEXT)


def test_a_list_of_methods_without_input_says_what_each_method_lacks(build):
    with pytest.raises(AuthError) as caught:
        fetch_one(build(["approle", "kubernetes", "token"]), TEXT)
    assert caught.value.message == (
        "no method of auth in [sources.vault] has what it needs: "
        "approle: VAULT_ROLE_ID is not set; kubernetes: VAULT_ROLE is not set; "
        "token: there is no token"
    )


def test_login_prefers_the_method_of_a_person(build, people, role, policy):
    mount, role_id, secret_id = role
    approle = {"method": "approle", "mount": mount, "role_id": role_id, "secret_id": secret_id}
    auth = people.userpass("paul", PASSWORD, policy)
    assert build([approle, "token", auth]).log_in(Typist(PASSWORD)).method == "userpass"
    assert build([approle, "token"]).log_in(None).method == "approle"


def test_a_token_helper_that_fails_is_not_the_same_as_no_token(build, home):
    (home / "helper").write_text("#!/bin/sh\nexit 3\n")
    (home / "helper").chmod(0o700)
    (home / ".vault").write_text(f'token_helper = "{home}/helper"\n')
    with pytest.raises(SourceError, match="token helper"):
        fetch_one(build(["token", "oidc"]), TEXT)

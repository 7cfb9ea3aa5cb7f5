"""Logins of the AWS source: roles, profiles, MFA, SSO, endpoints, regions."""

import hashlib
import json
import os
import re
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from envkit.errors import (
    AuthError,
    DeniedError,
    InvalidSettingError,
    MfaRequiredError,
    UsageError,
)
from envkit.sources.model import Absent
from envkit.sources.registry import set_guard
from envkit.trust.guard import Guard
from support.aws import (
    ACCOUNT,
    CANARY,
    REGION,
    access_key,
    admin_client,
    ask,
    failure,
    parameters,
    ref,
    value,
    xml_error,
)
from support.fault_proxy import silent_server
from support.logins import Typist

ROLE = "arn:aws:iam::222222222222:role/reader"  # of another account
ROLE_HERE = f"arn:aws:iam::{ACCOUNT}:role/reader"
SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/me"


def test_the_aws_source_assumes_a_role(aws, moto_url):
    sts = admin_client(moto_url, service="sts")
    theirs = sts.assume_role(RoleArn=ROLE, RoleSessionName="admin")["Credentials"]
    admin = admin_client(
        moto_url,
        aws_access_key_id=theirs["AccessKeyId"],
        aws_secret_access_key=theirs["SecretAccessKey"],
        aws_session_token=theirs["SessionToken"],
    )
    admin.create_secret(Name=f"{aws.prefix}db", SecretString="in their account")
    assert isinstance(ask(aws.source(), ref("db")), Absent)
    source = aws.source(role_arn=ROLE, external_id="envkit-7", role_session_name="ci")
    assert value(source, ref("db")) == "in their account"
    [assumed] = aws.requests_for("AssumeRole")
    settings = {"RoleArn": ROLE, "ExternalId": "envkit-7", "RoleSessionName": "ci"}
    assert settings.items() <= parameters(assumed).items()
    assert access_key(aws.requests_for("GetSecretValue")[-1]) not in ("test", "")


def test_a_role_that_may_not_be_assumed_is_an_auth_error(aws):
    aws.proxy.fault(xml_error("AccessDenied"))
    error = failure(aws.source(role_arn=ROLE), ref("db"), DeniedError)
    assert error.message == f"cannot assume {ROLE}: access denied (AccessDenied)"
    assert error.hint == "allow sts:AssumeRole in the caller's IAM policy"
    assert aws.operations == ["AssumeRole"]


@pytest.mark.parametrize(
    ("role", "login"), [(None, "GetSessionToken"), ("role/reader", "AssumeRole")]
)
def test_the_aws_source_logs_in_with_mfa(aws, role, login):
    aws.put("db", CANARY)
    settings = {"mfa_serial": SERIAL, "mfa_token": "012345"}
    if role:
        settings["role_arn"] = f"arn:aws:iam::{ACCOUNT}:{role}"
    assert value(aws.source(**settings), ref("db")) == CANARY
    assert aws.operations == [login, "GetSecretValue"]
    asked = parameters(aws.proxy.requests[0])
    assert (asked["SerialNumber"], asked["TokenCode"]) == (SERIAL, "012345")


def test_mfa_without_a_code_and_a_terminal_sends_no_request(aws):
    error = failure(aws.source(mfa_serial=SERIAL), ref("db"), MfaRequiredError)
    assert f"AWS requires MFA ({SERIAL})" in error.message
    assert "ENVKIT_MFA_CODE" in error.hint
    assert error.exit_status == 6
    assert aws.operations == []


@pytest.fixture
def at_terminal():
    """Put a person at the terminal of this process."""
    before = set_guard(None)

    def sit_down(*answers):
        person = Typist(*answers)
        guard = Guard(dict(os.environ), person=person)
        set_guard(lambda: guard)
        return person

    yield sit_down
    set_guard(before)


def sessions():
    """Return the stored sessions of this test's HOME."""
    return sorted(Path(os.environ["HOME"]).rglob("aws-sessions/*.json"))


@pytest.mark.parametrize("role", [None, f"arn:aws:iam::{ACCOUNT}:role/reader"])
def test_the_code_is_asked_for_once_until_the_session_ends(aws, at_terminal, role):
    aws.put("db", CANARY)
    settings = {"mfa_serial": SERIAL, "role_arn": role} if role else {"mfa_serial": SERIAL}
    person = at_terminal("123456")
    for _ in range(3):
        assert value(aws.source(**settings), ref("db")) == CANARY
    assert person.asked == [f"MFA code ({SERIAL}):"]
    login = "AssumeRole" if role else "GetSessionToken"
    assert aws.operations == [login, *["GetSecretValue"] * 3]
    [stored] = sessions()
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert stat.S_IMODE(stored.parent.stat().st_mode) == 0o700
    assert "123456" not in stored.read_text()


def test_the_code_may_come_from_the_environment(aws, monkeypatch):
    monkeypatch.setenv("ENVKIT_MFA_CODE", "654321")
    aws.put("db", CANARY)
    assert value(aws.source(mfa_serial=SERIAL), ref("db")) == CANARY
    assert parameters(aws.proxy.requests[0])["TokenCode"] == "654321"


def test_a_code_of_the_profile_leaves_no_session_on_disk(aws):
    aws.put("db", CANARY)
    assert value(aws.source(mfa_serial=SERIAL, mfa_token="012345"), ref("db")) == CANARY
    assert sessions() == []


@pytest.mark.parametrize("source", ["settings", "config"])
def test_a_person_can_correct_a_code_that_aws_refuses(aws, at_terminal, monkeypatch, source):
    settings = corp() if source == "config" else {"mfa_serial": SERIAL, "role_arn": ROLE}
    monkeypatch.setenv("ENVKIT_MFA_CODE", "000000")
    aws.proxy.fault(xml_error("AccessDenied"), times=2)
    person = at_terminal("000001", "123456")
    assert isinstance(ask(aws.source(**settings), ref("db")), Absent)
    refused = f"cannot assume {ROLE}: access denied (AccessDenied)"
    assert person.told == [f"{refused}; the code may be wrong or used: wait for the next"] * 2
    codes = [parameters(one)["TokenCode"] for one in aws.requests_for("AssumeRole")]
    assert codes == ["000000", "000001", "123456"]
    sessions()[0].unlink()
    aws.proxy.fault(xml_error("AccessDenied"))
    person = at_terminal("000001", "000002")
    assert failure(aws.source(**settings), ref("db"), MfaRequiredError).exit_status == 6
    assert len(person.asked) == 2


NO_CODES = ["12345", "1234567", "12345a", "\uff11" * 6, "\udcff23456"]


@pytest.mark.parametrize("source", ["settings", "config"])
def test_what_is_not_a_code_is_not_sent_to_aws(aws, at_terminal, monkeypatch, source):
    settings = corp() if source == "config" else {"mfa_serial": SERIAL}
    for text in NO_CODES:
        person = at_terminal(text, "123456")
        assert isinstance(ask(aws.source(**settings), ref("db")), Absent)
        assert person.told == ["a code has six digits"]
        [stored] = sessions()
        stored.unlink()
    sent = len(aws.proxy.requests)
    set_guard(None)
    for text in NO_CODES:
        monkeypatch.setenv("ENVKIT_MFA_CODE", text)
        error = failure(aws.source(**settings), ref("db"), MfaRequiredError)
        assert "ENVKIT_MFA_CODE is not a code of six digits" in error.message
        assert text not in error.message
    assert len(aws.proxy.requests) == sent


@pytest.mark.parametrize("source", ["settings", "config"])
def test_a_denied_login_with_a_code_names_mfa(aws, monkeypatch, source):
    settings = corp() if source == "config" else {"mfa_serial": SERIAL, "role_arn": ROLE}
    monkeypatch.setenv("ENVKIT_MFA_CODE", "000000")
    aws.proxy.fault(xml_error("AccessDenied"))
    error = failure(aws.source(**settings), ref("db"), MfaRequiredError)
    assert "the MFA code may be wrong, late, or used before" in error.message
    assert error.hint.endswith("allow sts:AssumeRole in the caller's IAM policy")
    assert "000000" not in error.message


def test_sources_that_log_in_at_the_same_time_ask_once(aws, at_terminal):
    aws.put("db", CANARY)
    both = threading.Barrier(2)

    def read():
        both.wait()
        return value(aws.source(mfa_serial=SERIAL), ref("db"))

    person = at_terminal("123456")
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(read) for _ in range(2)]
    assert [one.result() for one in found] == [CANARY] * 2
    assert len(person.asked) == 1


def corp():
    """Return the settings for a profile of `~/.aws/config` with a role that needs MFA."""
    configure(
        f"[profile corp]\nrole_arn = {ROLE}\nmfa_serial = {SERIAL}\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    return {"profile": "corp"}


def configure(text):
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(text)


def damage_expired(path):
    path.write_text(json.dumps({**json.loads(path.read_text()), "expires": time.time() + 1}))


def damage_text(path):
    path.write_text("{")


def damage_mode(path):
    path.chmod(0o644)


def damage_link(path):
    path.rename(path.with_name("moved"))
    path.symlink_to(path.with_name("moved"))


@pytest.mark.parametrize("damage", [damage_expired, damage_text, damage_mode, damage_link])
def test_a_session_that_cannot_be_trusted_or_has_ended_is_not_used(aws, at_terminal, damage):
    aws.put("db", CANARY)
    person = at_terminal("123456", "234567")
    value(aws.source(mfa_serial=SERIAL), ref("db"))
    damage(sessions()[0])
    assert value(aws.source(mfa_serial=SERIAL), ref("db")) == CANARY
    assert len(person.asked) == 2


def damaged_answers(stored):
    credentials = json.loads(stored)["Credentials"]
    yield from ("[1]", '"x"', '{"Credentials": {}}')
    for end in ("never", "2099-01-01T00:00:00", None):
        yield json.dumps({"Credentials": {**credentials, "Expiration": end}})


def test_a_damaged_session_of_botocore_is_not_used(aws, at_terminal):
    settings, person = corp(), at_terminal(*["123456"] * 9)
    ask(aws.source(**settings), ref("db"))
    [path] = sessions()
    for number, text in enumerate(damaged_answers(path.read_text()), 2):
        path.write_text(text)
        assert isinstance(ask(aws.source(**settings), ref("db")), Absent), text
        assert len(person.asked) == number


@pytest.mark.parametrize("source", ["settings", "config"])
def test_a_session_that_aws_no_longer_accepts_is_forgotten(aws, at_terminal, source):
    settings = corp() if source == "config" else {"mfa_serial": SERIAL}
    at_terminal("123456")
    ask(aws.source(**settings), ref("db"))
    aws.fail("GetSecretValue", "ExpiredTokenException")
    error = failure(aws.source(**settings), ref("db"), AuthError)
    assert "a new code in ENVKIT_MFA_CODE" in error.hint
    assert sessions() == []


def test_a_key_that_aws_does_not_know_yet_does_not_end_the_session(aws, at_terminal):
    at_terminal("123456")
    source = aws.source(mfa_serial=SERIAL)
    ask(source, ref("db"))
    aws.proxy.fault(xml_error("InvalidClientTokenId"), times=1)
    with pytest.raises(AuthError):
        source._manager.ask("sts", "get_caller_identity", "cannot try it", key=("new", "secret"))
    assert len(sessions()) == 1


def test_a_session_that_cannot_be_stored_or_removed_is_an_error(aws, at_terminal, monkeypatch):
    person = at_terminal("123456", "234567")
    with monkeypatch.context() as narrow:
        narrow.setenv("XDG_STATE_HOME", "/proc/none")
        with pytest.raises(AuthError, match="cannot store the session in '/proc/none"):
            aws.source(mfa_serial=SERIAL).log_in(person)
    aws.source(mfa_serial=SERIAL).log_in(person)
    [path] = sessions()
    path.unlink()
    path.mkdir()
    with pytest.raises(AuthError, match="cannot remove") as caught:
        aws.source(mfa_serial=SERIAL).log_out()
    assert str(path) in caught.value.message


def test_another_caller_or_role_does_not_use_the_session(aws, at_terminal, monkeypatch):
    person = at_terminal("123456", "234567", "345678")
    ask(aws.source(mfa_serial=SERIAL), ref("db"))
    ask(aws.source(mfa_serial=SERIAL, role_arn=ROLE_HERE), ref("db"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    ask(aws.source(mfa_serial=SERIAL), ref("db"))
    assert len(person.asked) == 3


def test_login_asks_for_a_new_code_and_logout_removes_the_session(aws, at_terminal):
    person = at_terminal("123456", "234567")
    source = aws.source(mfa_serial=SERIAL, role_arn=ROLE_HERE)
    ask(source, ref("db"))
    done = aws.source(mfa_serial=SERIAL, role_arn=ROLE_HERE).log_in(person)
    assert len(person.asked) == 2
    assert done.method == "mfa"
    assert re.search(r"assumed-role/reader/envkit, for 5\d minutes$", done.who)
    assert done.place == str(sessions()[0])
    assert aws.source(mfa_serial=SERIAL, role_arn=ROLE_HERE).probe()[1] == done.who
    source = aws.source(mfa_serial=SERIAL, role_arn=ROLE_HERE)
    assert source.log_out().startswith("removed the session")
    assert source.log_out() == "there was no login to remove"
    assert sessions() == []


def test_a_login_that_fails_keeps_the_stored_session(aws, at_terminal):
    person = at_terminal("123456", "")
    ask(aws.source(mfa_serial=SERIAL), ref("db"))
    with pytest.raises(MfaRequiredError):
        aws.source(mfa_serial=SERIAL).log_in(person)
    assert isinstance(ask(aws.source(mfa_serial=SERIAL), ref("db")), Absent)
    assert len(person.asked) == 2


def test_login_to_aws_without_mfa_says_to_use_the_aws_cli(aws):
    with pytest.raises(UsageError) as caught:
        aws.source().log_in(None)
    assert "has no MFA login" in caught.value.message
    assert "aws sso login" in caught.value.hint


def test_the_aws_source_uses_a_profile(aws, monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    configure(
        "[profile corp]\nregion = eu-west-1\naws_access_key_id = corp-key\n"
        "aws_secret_access_key = x\n"
    )
    aws.put("db", "by profile")
    assert value(aws.source(profile="corp"), ref("db")) == "by profile"
    assert access_key(aws.proxy.requests[0]) == "corp-key"


def test_a_role_of_a_profile_with_mfa_does_not_prompt(aws):
    error = failure(aws.source(**corp()), ref("db"), AuthError)
    assert "MFA" in error.message
    outcome = ask(aws.source(**corp(), mfa_token="012345"), ref("db"))
    assert isinstance(outcome, Absent)
    assert parameters(aws.requests_for("AssumeRole")[0])["TokenCode"] == "012345"


def test_a_role_of_a_profile_with_mfa_asks_once_until_its_session_ends(aws, at_terminal):
    settings = corp()
    person = at_terminal("123456")
    for _ in range(2):
        assert isinstance(ask(aws.source(**settings), ref("db")), Absent)
    assert person.asked == [f"MFA code ({SERIAL}):"]
    assert len(aws.requests_for("AssumeRole")) == 1
    [stored] = sessions()
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    told = aws.source(**settings).probe()[1]
    assert re.search(r"^logged in as .*:assumed-role/reader/.*, for 5\d minutes$", told)
    assert aws.source(profile="corp").log_out().startswith("removed the session")
    done = aws.source(**settings).log_in(at_terminal("123456"))
    assert re.search(r", for 5\d minutes$", done.who)


def test_an_unknown_aws_profile_is_named(aws):
    assert "'prdo'" in failure(aws.source(profile="prdo"), ref("db"), AuthError).message


def test_an_sso_profile_without_a_session_gets_a_hint_to_log_in(aws):
    configure(
        "[profile corp]\nsso_session = corp\nsso_account_id = 123456789012\n"
        "sso_role_name = reader\n[sso-session corp]\nsso_region = eu-west-1\n"
        "sso_start_url = https://envkit-test.invalid/start\n"
    )
    error = failure(aws.source(profile="corp"), ref("db"), AuthError)
    assert error.hint == "run: aws sso login --profile corp"


def test_an_sso_session_that_has_expired_gets_a_hint_to_log_in(aws):
    start = "https://envkit-test.invalid/start"
    configure(
        f"[profile corp]\nsso_start_url = {start}\nsso_region = eu-west-1\n"
        "sso_account_id = 123456789012\nsso_role_name = reader\n"
    )
    cache = Path(os.environ["HOME"], ".aws", "sso", "cache")
    cache.mkdir(parents=True)
    token = {"startUrl": start, "region": "eu-west-1", "accessToken": CANARY}
    token["expiresAt"] = "2020-01-01T00:00:00Z"
    (cache / f"{hashlib.sha1(start.encode()).hexdigest()}.json").write_text(json.dumps(token))
    error = failure(aws.source(profile="corp"), ref("db"), AuthError)
    assert "the SSO session is not valid" in error.message
    assert error.hint == "run: aws sso login --profile corp"


def test_an_unreadable_aws_configuration_is_an_error(aws):
    configure(f"[profile corp\n{CANARY}")
    failure(aws.source(profile="corp"), ref("db"), AuthError)


def test_the_endpoint_url_setting_overrides_the_environment(aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws.put("db", CANARY)
    assert value(aws.source(endpoint_url=aws.proxy.url), ref("db")) == CANARY


MALFORMED = {
    "endpoint_url": [
        *("not a url", "localhost:4566", "http//x", "https://", "ftp://h", "https://h\n"),
        *("https://h:x", "https://h:99999", "", "\u00a0https://h", "https:// h"),
    ],
    "region": ["eu west", "eu-west-1\n", "../x", "eu_west_1", "x.y", "-eu-west-1", "a" * 64, "é"],
    "role_arn": [
        *("role/reader", "arn:aws:iam::12:role/x", "arn:aws:iam::123456789012:user/x"),
        *(f"{ROLE}\n", f" {ROLE}", "arn:aws:sts::123456789012:assumed-role/x/y", "arn:aws:iam"),
        "arn:aws:iam::123456789012:role/",
    ],
    "role_session_name": ["x", "a b", "a" * 65, "ci\n"],
    "external_id": ["x", "a b", "id\n"],
    "mfa_serial": ["x", "arn:aws:iam::123456789012:mfa/me\n"],
    "mfa_token": ["12345", "1234567", "12345a", "123456\n", "\uff11\uff12"],
}


@pytest.mark.parametrize(
    ("key", "text"), [(key, text) for key, texts in MALFORMED.items() for text in texts]
)
def test_a_meaningless_setting_is_refused_before_any_request(aws, key, text):
    error = failure(aws.source(**{key: text}), ref("db"), InvalidSettingError)
    assert error.exit_status == 3
    assert f"{key} of [sources.aws] " in error.message
    assert ("contains" in error.message) is any(c in text for c in " \n\u00a0é\uff11")
    assert error.hint == f"correct [sources.aws] {key}"
    assert not aws.proxy.requests


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("AWS_REGION", text) for text in MALFORMED["region"]),
        *(("AWS_ENDPOINT_URL", text) for text in MALFORMED["endpoint_url"] if text),
        *(("AWS_ENDPOINT_URL_SECRETS_MANAGER", text) for text in ("x", "ftp://h", "https://h\n")),
    ],
)
def test_a_meaningless_variable_is_refused_before_any_request(aws, monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    error = failure(aws.source(), ref("db"), InvalidSettingError)
    assert error.exit_status == 3
    assert name.removesuffix("_SECRETS_MANAGER") in error.hint
    assert not aws.proxy.requests


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        *(("\n", "a newline"), ("\r\n", "a carriage return"), (" ", "a space"), ("\t", "a tab")),
        *(("\x1b", "a control character"), ("é", "a character that is not ASCII")),
        *(("\ufeff", "a byte order mark"), ("\u00a0", "a no-break space"), ("\x7f", "a delete")),
    ],
)
@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
)
def test_a_credential_that_no_request_can_contain_is_reported_as_such(
    aws, monkeypatch, name, odd, told
):
    monkeypatch.setenv(name, f"{CANARY}{odd}")
    error = failure(aws.source(), ref("db"), AuthError)
    assert error.message.startswith(f"cannot use aws: {name} contains {told}")
    assert error.hint.endswith(f"from {name}")
    assert not aws.proxy.requests


def test_a_credential_in_a_file_that_no_request_can_contain_is_reported_with_the_file(
    aws, monkeypatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    text = "[default]\naws_access_key_id = A KEY\naws_secret_access_key = secret\n"
    Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text(text)
    error = failure(aws.source(), ref("db"), AuthError)
    told = "aws_access_key_id (shared-credentials-file) contains a space"
    assert error.message == f"cannot use aws: {told}"


def test_a_missing_region_gets_a_hint_to_set_it(aws, monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    error = failure(aws.source(), ref("db"), AuthError)
    assert error.hint == "set AWS_REGION or [sources.aws] region"


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_aws_source_uses_the_region_of_the_environment(aws, monkeypatch, name):
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv(name, "ap-south-1")
    ask(aws.source(), ref("db"))
    ask(aws.source(region=REGION), ref("db"))
    regions = [r.headers["authorization"].split("/")[2] for r in aws.proxy.requests]
    assert list(dict.fromkeys(regions)) == ["ap-south-1", REGION]


@pytest.fixture
def _no_keys(aws, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.mark.usefixtures("_no_keys")
def test_missing_credentials_get_a_hint_to_set_a_profile(aws):
    error = failure(aws.source(), ref("db"), AuthError)
    assert error.hint.startswith("set AWS_PROFILE")
    assert aws.operations == []


@pytest.mark.usefixtures("_no_keys")
def test_a_silent_metadata_service_leaves_time_for_the_request(aws, monkeypatch):
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with silent_server() as address:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://{address}")
        error = failure(aws.source(timeout_seconds=15), ref("db"))
    assert isinstance(error, AuthError), "the deadline passed first"

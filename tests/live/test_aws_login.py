"""Who asks AWS Secrets Manager, and where: roles, profiles, MFA, SSO, endpoints, regions."""

import os
from pathlib import Path

import pytest

from envkit.errors import AuthError, DeniedError
from envkit.sources.model import Absent
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

ROLE = "arn:aws:iam::222222222222:role/reader"  # of another account
SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/me"


def test_a_role_is_assumed(aws, moto_url):
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


def test_a_role_that_may_not_be_assumed(aws):
    aws.proxy.fault(xml_error("AccessDenied"))
    error = failure(aws.source(role_arn=ROLE), ref("db"), DeniedError)
    assert error.message == f"cannot assume {ROLE}: access denied (AccessDenied)"
    assert error.hint == "allow sts:AssumeRole in the caller's IAM policy"
    assert aws.operations == ["AssumeRole"]


@pytest.mark.parametrize(
    ("role", "login"), [(None, "GetSessionToken"), ("role/reader", "AssumeRole")]
)
def test_a_login_with_mfa(aws, role, login):
    aws.put("db", CANARY)
    settings = {"mfa_serial": SERIAL, "mfa_token": "012345"}
    if role:
        settings["role_arn"] = f"arn:aws:iam::{ACCOUNT}:{role}"
    assert value(aws.source(**settings), ref("db")) == CANARY
    assert aws.operations == [login, "GetSecretValue"]
    asked = parameters(aws.proxy.requests[0])
    assert (asked["SerialNumber"], asked["TokenCode"]) == (SERIAL, "012345")


def test_mfa_without_a_code_asks_nobody(aws):
    error = failure(aws.source(mfa_serial=SERIAL), ref("db"), AuthError)
    assert error.hint == 'set [sources.aws] mfa_token = "{{ env:AWS_MFA_TOKEN }}"'
    assert aws.operations == []


def configure(text):
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(text)


def test_a_profile(aws, monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    configure(
        "[profile corp]\nregion = eu-west-1\naws_access_key_id = corp-key\n"
        "aws_secret_access_key = x\n"
    )
    aws.put("db", "by profile")
    assert value(aws.source(profile="corp"), ref("db")) == "by profile"
    assert access_key(aws.proxy.requests[0]) == "corp-key"


def test_a_role_of_a_profile_with_mfa_does_not_prompt(aws):
    configure(
        f"[profile corp]\nrole_arn = {ROLE}\nmfa_serial = {SERIAL}\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    error = failure(aws.source(profile="corp"), ref("db"), AuthError)
    assert "MFA" in error.message
    outcome = ask(aws.source(profile="corp", mfa_token="012345"), ref("db"))
    assert isinstance(outcome, Absent)
    assert parameters(aws.requests_for("AssumeRole")[0])["TokenCode"] == "012345"


def test_an_unknown_profile(aws):
    assert "'prdo'" in failure(aws.source(profile="prdo"), ref("db"), AuthError).message


def test_an_sso_profile_without_a_session(aws):
    configure(
        "[profile corp]\nsso_session = corp\nsso_account_id = 123456789012\n"
        "sso_role_name = reader\n[sso-session corp]\nsso_region = eu-west-1\n"
        "sso_start_url = https://envkit-test.invalid/start\n"
    )
    error = failure(aws.source(profile="corp"), ref("db"), AuthError)
    assert error.hint == "run 'aws sso login --profile corp'"


def test_a_configuration_that_cannot_be_read(aws):
    configure(f"[profile corp\n{CANARY}")
    failure(aws.source(profile="corp"), ref("db"), AuthError)


def test_endpoint_url_comes_before_the_environment(aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws.put("db", CANARY)
    assert value(aws.source(endpoint_url=aws.proxy.url), ref("db")) == CANARY


@pytest.mark.parametrize(
    "settings", [{"endpoint_url": "not a url"}, {"region": "eu west"}], ids=["endpoint", "region"]
)
def test_settings_that_are_not_valid(aws, settings):
    error = failure(aws.source(**settings), ref("db"))
    assert error.message == "cannot use aws: the region or the endpoint is not valid"


def test_no_region(aws, monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    error = failure(aws.source(), ref("db"), AuthError)
    assert error.hint == "set AWS_REGION or [sources.aws] region"


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_of_the_environment(aws, monkeypatch, name):
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
def test_no_credentials(aws):
    error = failure(aws.source(), ref("db"), AuthError)
    assert error.hint.startswith("set AWS_PROFILE")
    assert aws.operations == []


@pytest.mark.usefixtures("_no_keys")
def test_a_metadata_service_that_never_answers_leaves_time(aws, monkeypatch):
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with silent_server() as address:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://{address}")
        error = failure(aws.source(timeout_seconds=15), ref("db"))
    assert isinstance(error, AuthError), "the deadline passed first"

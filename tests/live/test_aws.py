"""AWS Secrets Manager against moto over HTTP, with the failures that moto has not.

What moto 5.2.5 does differently from AWS is mended in `support.moto_server`, or said at
the test that meets it.
"""

import json
import logging
import os
import subprocess
import sys
import threading

import pytest
import trustme

from envkit.errors import (
    AuthError,
    ConflictError,
    DeniedError,
    InvalidReferenceError,
    ProtocolError,
    SourceError,
    UnavailableError,
)
from envkit.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.aws_write import STAGED
from envkit.sources.base import WHOLE, Absent, Reading
from support.aws import ACCOUNT, REGION, admin_client, operation, parameters
from support.fault_proxy import (
    FaultProxy,
    not_json,
    reset,
    reset_in_body,
    respond,
    server_tls,
    silent_server,
    truncate,
)

CANARY = "canary-7d1e"


def ref(path, field=None, *, version=None, stage=None):
    return Reference("aws", path, field, version, stage)


def ask(source, reference):
    return source.fetch([reference])[reference]


def value(source, reference):
    outcome = ask(source, reference)
    assert isinstance(outcome, Reading), outcome
    return outcome.value.reveal()


def failure(source, reference):
    """Return the error of a fetch, whether it is of the store or of the reference."""
    try:
        outcome = ask(source, reference)
    except SourceError as error:
        outcome = error
    assert isinstance(outcome, (SourceError, InvalidReferenceError)), outcome
    assert CANARY not in f"{outcome.message} {outcome.hint}"
    return outcome


def write(source, reference, text):
    """Write over what is there now."""
    return source.write(reference, Secret(text), expected=ask(source, reference).version)


def requests_for(aws, name):
    return [request for request in aws.proxy.requests if operation(request) == name]


def access_key(request):
    return request.headers["authorization"].partition("Credential=")[2].partition("/")[0]


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("text", ["plain\n", " [1, 2] ", '"quoted"', "{not json", "{}x", "é\u2028"])
def test_a_string_that_is_no_object_is_the_value(aws, text):
    aws.put("db", text)
    assert value(aws.source(), ref("db")) == text


def test_star_is_the_string_as_it_is_stored(aws):
    text = '{ "b": 1.50,\n "a": "\\u00e9" }'
    aws.put("db", text)
    assert value(aws.source(), ref("db", WHOLE)) == text
    aws.put("note", "plain")
    assert value(aws.source(), ref("note", WHOLE)) == "plain"


def test_a_reading_has_version_and_location(aws):
    version = aws.put("redis", '{"url": "redis://x"}')
    reading = ask(aws.source(), ref("redis", "url"))
    assert reading.version == version
    assert reading.location == f"aws:{aws.prefix}redis#url"


def test_a_binary_secret_is_its_bytes(aws):
    raw = bytes(range(1, 256))
    aws.put("key", raw)
    assert ask(aws.source(), ref("key")).value.to_bytes() == raw
    error = failure(aws.source(), ref("key", "url"))
    assert isinstance(error, InvalidReferenceError)
    assert error.hint == "drop '#url'"


def test_a_field_of_a_string_that_is_no_object(aws):
    aws.put("db", CANARY)
    error = failure(aws.source(), ref("db", "url"))
    assert isinstance(error, InvalidReferenceError)
    assert error.message.endswith("is not a JSON object")
    assert error.hint == "drop '#url'"


def test_a_lone_surrogate_is_not_a_value(aws):
    aws.put("db", '{"a": "\\ud800"}')
    assert isinstance(failure(aws.source(), ref("db", "a")), InvalidReferenceError)


# ---------------------------------------------------------------- names


def test_what_ignores_the_prefix(aws):
    aws.put("db", CANARY)
    arn = aws.arn("db")
    partial = arn[: -len("-AbCdEf")]
    source = aws.source(prefix="elsewhere/")
    for path in (f"/{aws.prefix}db", arn, partial):
        assert value(source, ref(path)) == CANARY, path
    assert ask(source, ref(arn)).location == f"aws:{arn}"


def test_a_name_that_begins_with_a_slash(aws):
    aws.admin.create_secret(Name=f"/{aws.prefix}db", SecretString=CANARY)
    reading = ask(aws.source(), ref(f"//{aws.prefix}db"))
    assert reading.value.reveal() == CANARY
    assert reading.location == f"aws://{aws.prefix}db"


def test_a_bare_name_is_a_key_of_the_secret_called_prefix(aws):
    aws.admin.create_secret(
        Name=aws.prefix.removesuffix("/"), SecretString=json.dumps({"PORT": 8080})
    )
    assert value(aws.source(), ref("", "PORT")) == "8080"
    assert isinstance(ask(aws.source(), ref("", "HOST")), Absent)


def test_one_secret_by_name_arn_and_partial_arn_and_another_case(aws):
    aws.put("db", "lower")
    aws.put("DB", "upper")
    arn = aws.arn("db")
    wanted = {ref("db"): "lower", ref("DB"): "upper", ref(arn): "lower", ref(arn[:-7]): "lower"}
    outcomes = aws.source().fetch(wanted)
    assert {r: outcomes[r].value.reveal() for r in wanted} == wanted
    assert aws.operations.count("BatchGetSecretValue") == 1
    assert aws.operations.count("GetSecretValue") == 2


def test_arns_in_a_batch(aws):
    wanted = {}
    for number in range(3):
        aws.put(f"s{number}", str(number))
        arn = aws.arn(f"s{number}")
        wanted[ref(arn if number else arn[:-7])] = str(number)
    outcomes = aws.source().fetch(wanted)
    assert {r: outcomes[r].value.reveal() for r in wanted} == wanted
    assert aws.operations == ["BatchGetSecretValue"]


def test_an_arn_of_another_region_is_not_taken_for_absent(aws):
    elsewhere = ref(f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:db-AbCdEf")
    error = failure(aws.source(), elsewhere)
    assert isinstance(error, InvalidReferenceError)
    assert error.message.endswith("is not in eu-west-1, the region of aws")


# ---------------------------------------------------------------- versions


def test_pinned_versions_beside_the_current_one(aws):
    first = aws.put("db", '{"p": "one"}')
    aws.put("db", '{"p": "two"}')
    third = aws.put("db", '{"p": "three"}')
    wanted = {
        ref("db", "p"): "three",
        ref("db", "p", version=first): "one",
        ref("db", "p", version=third): "three",
        ref("db", "p", stage="AWSPREVIOUS"): "two",
    }
    outcomes = aws.source().fetch(wanted)
    assert {r: outcomes[r].value.reveal() for r in wanted} == wanted
    assert outcomes[ref("db", "p", version=first)].version == first
    location = outcomes[ref("db", "p", stage="AWSPREVIOUS")].location
    assert location == f"aws:{aws.prefix}db?stage=AWSPREVIOUS#p"


def test_a_version_or_stage_that_is_not_there_is_absent(aws):
    aws.put("db", "x")
    for pinned in (ref("db", version="0" * 36), ref("db", stage="AWSPENDING")):
        outcome = ask(aws.source(), pinned)
        assert isinstance(outcome, Absent), pinned
        assert outcome.reason == "no such secret or version"


# ---------------------------------------------------------------- batches


def test_fifty_secrets_are_three_requests(aws):
    wanted = {}
    for number in range(50):
        aws.put(f"s{number}", json.dumps({"a": f"a{number}", "b": f"b{number}"}))
        wanted |= {ref(f"s{number}", field): f"{field}{number}" for field in "ab"}
    outcomes = aws.source().fetch(wanted)
    assert {r: outcomes[r].value.reveal() for r in wanted} == wanted
    assert aws.operations == ["BatchGetSecretValue"] * 3
    assert max(len(parameters(r)["SecretIdList"]) for r in aws.proxy.requests) == 20


def test_batches_go_out_together(aws):
    refs = [ref(f"s{number}") for number in range(60)]
    all_here = threading.Barrier(3)

    def wait_for_the_others(exchange):
        all_here.wait(30)
        exchange.send(exchange.ask_upstream())

    aws.proxy.fault(wait_for_the_others)
    outcomes = aws.source().fetch(refs)
    assert all(isinstance(outcome, Absent) for outcome in outcomes.values()), outcomes


def test_no_more_at_once_than_concurrency_says(aws):
    lock = threading.Lock()
    now, most = 0, 0

    def count(exchange):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        answer = exchange.ask_upstream()
        with lock:
            now -= 1
        exchange.send(answer)

    aws.proxy.fault(count)
    pins = [ref("db", version=f"{number:036}") for number in range(12)]
    aws.source(concurrency=2).fetch(pins)
    assert len(aws.operations) == 12
    assert most <= 2


def test_pages_of_a_batch_are_put_together(aws):
    wanted = {}
    for number in range(8):
        aws.put(f"s{number}", str(number))
        wanted[ref(f"s{number}")] = str(number)

    def three_at_a_time(exchange):
        start = int(parameters(exchange.received).get("NextToken", 0))
        answer = exchange.ask_upstream()  # from NextToken on, to the end
        page = json.loads(answer.body)
        if len(page["SecretValues"]) > 3:
            page["NextToken"] = str(start + 3)
        page["SecretValues"] = page["SecretValues"][:3]
        respond(200, json.dumps(page))(exchange)

    aws.proxy.fault(three_at_a_time)
    outcomes = aws.source().fetch(wanted)
    assert {r: outcomes[r].value.reveal() for r in wanted} == wanted
    assert aws.operations == ["BatchGetSecretValue"] * 3


def test_what_a_batch_may_not_read_is_read_alone(aws):
    aws.put("one", "1")
    aws.put("two", "2")
    aws.refuse_in_batch("two")
    outcomes = aws.source().fetch([ref("one"), ref("two")])
    assert [o.value.reveal() for o in outcomes.values()] == ["1", "2"]
    assert aws.operations == ["BatchGetSecretValue", "GetSecretValue"]


def test_what_is_denied_alone_too_is_reported_alone(aws):
    aws.put("one", "1")
    aws.put("two", "2")
    aws.deny("two", message=f"User {CANARY} is not authorized")
    outcomes = aws.source().fetch([ref("one"), ref("two"), ref("three")])
    assert outcomes[ref("one")].value.reveal() == "1"
    assert isinstance(outcomes[ref("three")], Absent)
    error = outcomes[ref("two")]
    assert isinstance(error, DeniedError)
    assert error.message == (
        f"cannot read aws:{aws.prefix}two: access denied (AccessDeniedException)"
    )
    assert error.hint == "allow secretsmanager:GetSecretValue in the caller's IAM policy"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "AccessDeniedException"),
        (400, "UnknownOperationException"),
        (400, "InvalidParameterException"),
        (501, "NotImplemented"),
    ],
)
def test_a_batch_that_is_refused_as_a_whole(aws, status, code):
    wanted = {}
    for number in range(25):
        aws.put(f"s{number}", str(number))
        wanted[ref(f"s{number}")] = str(number)
    aws.fail("BatchGetSecretValue", code, status=status)
    outcomes = aws.source().fetch(wanted)
    assert {r: outcomes[r].value.reveal() for r in wanted} == wanted
    assert aws.operations.count("BatchGetSecretValue") == 2
    assert aws.operations.count("GetSecretValue") == 25


def test_a_batch_that_fails_is_the_failure_of_its_secrets(aws):
    aws.fail("BatchGetSecretValue", "InternalServiceError", status=500)
    outcomes = aws.source(timeout_seconds=0.5).fetch([ref("one"), ref("two")])
    for outcome in outcomes.values():
        assert isinstance(outcome, UnavailableError)
    assert "GetSecretValue" not in aws.operations


# ---------------------------------------------------------------- absent


def test_absent_costs_no_second_request(aws):
    aws.put("one", "1")
    outcomes = aws.source().fetch([ref("one"), ref("two")])
    assert outcomes[ref("two")] == Absent("no such secret")
    assert aws.operations == ["BatchGetSecretValue"]


def test_a_secret_without_a_value_is_absent(aws):
    # in a batch moto fails as a whole here, where AWS lists an error
    aws.admin.create_secret(Name=f"{aws.prefix}shell")
    aws.put("one", "1")
    outcomes = aws.source().fetch([ref("one"), ref("shell")])
    assert outcomes[ref("one")].value.reveal() == "1"
    assert isinstance(outcomes[ref("shell")], Absent)


def test_a_secret_scheduled_for_deletion_is_absent(aws):
    for name in ("one", "gone"):
        aws.put(name, name)
    aws.admin.delete_secret(SecretId=f"{aws.prefix}gone", RecoveryWindowInDays=7)
    alone = ask(aws.source(), ref("gone"))
    assert alone == Absent("the secret is scheduled for deletion")
    assert aws.source().fetch([ref("one"), ref("gone")])[ref("gone")] == alone


# ---------------------------------------------------------------- who asks, and where


def test_a_role_is_assumed(aws, moto_url):
    role = "arn:aws:iam::222222222222:role/reader"
    sts = admin_client(moto_url, service="sts")
    theirs = sts.assume_role(RoleArn=role, RoleSessionName="admin")["Credentials"]
    admin = admin_client(
        moto_url,
        aws_access_key_id=theirs["AccessKeyId"],
        aws_secret_access_key=theirs["SecretAccessKey"],
        aws_session_token=theirs["SessionToken"],
    )
    admin.create_secret(Name=f"{aws.prefix}db", SecretString="in their account")
    assert isinstance(ask(aws.source(), ref("db")), Absent)
    source = aws.source(role_arn=role, external_id="envkit-7", role_session_name="ci")
    assert value(source, ref("db")) == "in their account"
    [assumed] = requests_for(aws, "AssumeRole")
    asked = parameters(assumed)
    assert (asked["RoleArn"], asked["ExternalId"], asked["RoleSessionName"]) == (
        role,
        "envkit-7",
        "ci",
    )
    assert access_key(requests_for(aws, "GetSecretValue")[-1]) not in ("test", "")


def test_a_role_that_may_not_be_assumed(aws):
    body = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
        f"<Message>{CANARY}</Message></Error></ErrorResponse>"
    )
    aws.proxy.fault(respond(403, body, {"Content-Type": "text/xml"}))
    role = "arn:aws:iam::222222222222:role/reader"
    error = failure(aws.source(role_arn=role), ref("db"))
    assert isinstance(error, DeniedError)
    assert error.message == f"cannot assume {role}: access denied (AccessDenied)"
    assert error.hint == "allow sts:AssumeRole in the caller's IAM policy"
    assert aws.operations == ["AssumeRole"]


SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/me"


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
    error = failure(aws.source(mfa_serial=SERIAL), ref("db"))
    assert isinstance(error, AuthError)
    assert error.hint == 'set [sources.aws] mfa_token = "{{ env:AWS_MFA_TOKEN }}"'
    assert aws.operations == []


def configure(text):
    with open(os.environ["AWS_CONFIG_FILE"], "w", encoding="utf-8") as file:
        file.write(text)


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
        "[profile corp]\nrole_arn = arn:aws:iam::222222222222:role/reader\n"
        f"mfa_serial = {SERIAL}\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    error = failure(aws.source(profile="corp"), ref("db"))
    assert isinstance(error, AuthError)
    assert "MFA" in error.message
    outcome = ask(aws.source(profile="corp", mfa_token="012345"), ref("db"))
    assert isinstance(outcome, Absent)
    assert parameters(requests_for(aws, "AssumeRole")[0])["TokenCode"] == "012345"


def test_an_unknown_profile(aws):
    error = failure(aws.source(profile="prdo"), ref("db"))
    assert isinstance(error, AuthError)
    assert "'prdo'" in error.message


def test_an_sso_profile_without_a_session(aws):
    configure(
        "[profile corp]\nsso_session = corp\nsso_account_id = 123456789012\n"
        "sso_role_name = reader\n[sso-session corp]\nsso_region = eu-west-1\n"
        "sso_start_url = https://envkit-test.invalid/start\n"
    )
    error = failure(aws.source(profile="corp"), ref("db"))
    assert isinstance(error, AuthError)
    assert error.hint == "run 'aws sso login --profile corp'"


def test_a_configuration_that_cannot_be_read(aws):
    configure(f"[profile corp\n{CANARY}")
    assert isinstance(failure(aws.source(profile="corp"), ref("db")), AuthError)


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
    error = failure(aws.source(), ref("db"))
    assert isinstance(error, AuthError)
    assert error.hint == "set AWS_REGION or [sources.aws] region"


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_of_the_environment(aws, monkeypatch, name):
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv(name, "ap-south-1")
    ask(aws.source(), ref("db"))
    ask(aws.source(region=REGION), ref("db"))
    regions = [r.headers["authorization"].split("/")[2] for r in aws.proxy.requests]
    assert regions == ["ap-south-1", REGION]


def test_no_credentials(aws, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = failure(aws.source(), ref("db"))
    assert isinstance(error, AuthError)
    assert error.hint.startswith("set AWS_PROFILE")
    assert aws.operations == []


def test_a_metadata_service_that_never_answers_leaves_time(aws, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with silent_server() as address:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://{address}")
        error = failure(aws.source(timeout_seconds=15), ref("db"))
    assert isinstance(error, AuthError), "the deadline passed first"


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
def test_a_transient_failure_is_retried(aws, code):
    aws.put("db", CANARY)
    aws.fail("GetSecretValue", code, times=2)
    assert value(aws.source(), ref("db")) == CANARY
    assert aws.operations == ["GetSecretValue"] * 3


ANSWERS = {
    "ThrottlingException": (UnavailableError, None),
    "RequestLimitExceeded": (UnavailableError, None),
    "InternalServiceError": (UnavailableError, None),
    "AccessDeniedException": (DeniedError, "secretsmanager:GetSecretValue"),
    "DecryptionFailure": (DeniedError, "kms:Decrypt"),
    "ExpiredTokenException": (AuthError, "aws sso login"),
    "UnrecognizedClientException": (AuthError, "AWS_ACCESS_KEY_ID"),
    "InvalidSignatureException": (AuthError, "clock"),
    "InvalidParameterException": (SourceError, None),
}


@pytest.mark.parametrize("code", ANSWERS)
def test_what_an_answer_of_aws_means(aws, code):
    aws.fail("GetSecretValue", code, message=f"the value '{CANARY}' is bad")
    error = failure(aws.source(timeout_seconds=0.5), ref("db"))
    kind, hint = ANSWERS[code]
    assert isinstance(error, kind)
    assert error.retryable is (kind is UnavailableError)
    assert code in error.message
    assert (hint or "") in (error.hint or "")


def test_a_key_that_denies_is_told_from_a_secret_that_denies(aws):
    aws.fail("GetSecretValue", "AccessDeniedException", message="Access to KMS is not allowed")
    error = failure(aws.source(), ref("db"))
    assert isinstance(error, DeniedError)
    assert "kms:Decrypt" in error.hint


FAULTS = {
    "not-json": (not_json(), ProtocolError),
    "empty-object": (respond(200, "{}"), ProtocolError),
    "page-403": (respond(403, f"<html>{CANARY}</html>"), ProtocolError),
    "not-text": (respond(200, '{"VersionId": "x", "SecretString": {"a": 1}}'), ProtocolError),
    "no-version": (respond(200, f'{{"SecretString": "{CANARY}"}}'), ProtocolError),
    "bad-base64": (respond(200, '{"VersionId": "x", "SecretBinary": "abcde"}'), ProtocolError),
    "page-503": (respond(503, f"<html>{CANARY}</html>"), UnavailableError),
    "429": (respond(429), UnavailableError),
    "reset": (reset(), UnavailableError),
    "reset-in-body": (reset_in_body(), UnavailableError),
    "truncated": (truncate(), UnavailableError),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_a_broken_answer_means(aws, name):
    aws.put("db", CANARY)
    fault, kind = FAULTS[name]
    aws.proxy.fault(fault)
    error = failure(aws.source(timeout_seconds=0.5), ref("db"))
    assert isinstance(error, kind), error.message


def test_a_name_that_does_not_resolve(aws):
    source = aws.source(timeout_seconds=0.5, endpoint_url="http://envkit-test.invalid")
    assert isinstance(failure(source, ref("db")), UnavailableError)


def test_tls_is_verified(aws, moto_url, monkeypatch, tmp_path):
    ca = trustme.CA()
    aws.put("db", CANARY)
    with FaultProxy(moto_url, tls=server_tls(ca)) as proxy:
        error = failure(aws.source(endpoint_url=proxy.url), ref("db"))
        assert isinstance(error, UnavailableError)
        assert not error.retryable
        assert "AWS_CA_BUNDLE" in error.hint
        ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert value(aws.source(endpoint_url=proxy.url), ref("db")) == CANARY


# ---------------------------------------------------------------- writing


def test_a_write_changes_one_value_and_no_other_character(aws):
    aws.put("db", '{ "port": 5432.0,\n  "password": "old", "é": "\\u00e9" }\n')
    version = write(aws.source(), ref("db", "password"), 'n"ew')
    assert aws.stored("db") == '{ "port": 5432.0,\n  "password": "n\\"ew", "é": "\\u00e9" }\n'
    labels = aws.labels("db")
    assert labels.pop(version) == {"AWSCURRENT"}
    assert list(labels.values()) == [{"AWSPREVIOUS"}], "our own label was left behind"


def test_a_write_without_a_field(aws):
    source = aws.source()
    for name, held, written, after in [
        ("text", "old", "new", "new"),
        ("object", '{"only": "old"}', "new", '{"only": "new"}'),
    ]:
        aws.put(name, held)
        write(source, ref(name), written)
        assert aws.stored(name) == after


def test_a_write_keeps_a_binary_secret_binary(aws):
    aws.put("key", b"\xff old")
    write(aws.source(), ref("key"), "new")
    reading = ask(aws.source(), ref("key"))
    assert reading.value.to_bytes() == b"new"
    assert "SecretString" not in aws.admin.get_secret_value(SecretId=f"{aws.prefix}key")


def test_what_is_created(aws):
    source = aws.source()
    versions = [
        source.write(ref("object", "password"), Secret("é"), expected=None),
        source.write(ref("text"), Secret("plain"), expected=None),
        source.write(ref("key"), Secret.from_bytes(b"\xff\x00"), expected=None),
    ]
    assert aws.stored("object") == '{"password": "é"}'
    assert aws.stored("text") == "plain"
    assert ask(source, ref("key")).value.to_bytes() == b"\xff\x00"
    assert [ask(source, ref(name)).version for name in ("object", "text", "key")] == versions


def test_a_secret_without_a_value_is_given_its_first(aws):
    # as Terraform leaves one
    aws.admin.create_secret(Name=f"{aws.prefix}shell")
    version = aws.source().write(ref("shell", "a"), Secret("1"), expected=None)
    assert aws.stored("shell") == '{"a": "1"}'
    assert aws.labels("shell") == {version: {"AWSCURRENT"}}
    with pytest.raises(ConflictError):
        aws.source().write(ref("shell", "a"), Secret("2"), expected=None)


def test_a_change_between_reading_and_promoting_is_a_conflict(aws):
    aws.put("db", '{"p": "old"}')
    theirs = []

    def change_it_first(exchange):
        theirs.append(aws.put("db", '{"p": "theirs"}'))
        exchange.send(exchange.ask_upstream())

    aws.proxy.fault(change_it_first, when=lambda r: operation(r) == "PutSecretValue")
    with pytest.raises(ConflictError) as caught:
        write(aws.source(), ref("db", "p"), "ours")
    assert caught.value.hint == "read it again, and repeat the change"
    assert aws.stored("db") == '{"p": "theirs"}'
    assert STAGED not in set().union(*aws.labels("db").values())


def test_a_promotion_whose_answer_is_lost_is_not_a_conflict(aws):
    aws.put("db", '{"p": "old"}')

    def lose_the_answer(exchange):
        exchange.ask_upstream()
        exchange.reset()

    aws.proxy.fault(
        lose_the_answer,
        when=lambda r: parameters(r).get("VersionStage") == "AWSCURRENT" and "Move" in str(r.body),
        times=1,
    )
    version = write(aws.source(), ref("db", "p"), "new")
    assert requests_for(aws, "UpdateSecretVersionStage")[1:], "it was not tried again"
    assert aws.labels("db")[version] == {"AWSCURRENT"}


def test_a_creation_whose_answer_is_lost_is_not_a_conflict(aws):
    def lose_the_answer(exchange):
        exchange.ask_upstream()
        exchange.reset()

    aws.proxy.fault(lose_the_answer, when=lambda r: operation(r) == "CreateSecret", times=1)
    version = aws.source().write(ref("db", "p"), Secret("new"), expected=None)
    assert aws.labels("db") == {version: {"AWSCURRENT"}}


def test_a_refused_promotion_of_which_nothing_is_known_after(aws):
    aws.put("db", '{"p": "old"}')
    refused = respond(400, '{"__type": "InvalidParameterException"}')
    aws.proxy.fault(refused, when=lambda r: "MoveToVersionId" in parameters(r))
    aws.proxy.fault(not_json(), when=lambda r: parameters(r).get("VersionStage") == "AWSCURRENT")
    with pytest.raises(ProtocolError):
        write(aws.source(), ref("db", "p"), "new")
    assert aws.stored("db") == '{"p": "old"}'


def test_a_promotion_that_is_denied_changes_nothing(aws):
    before = aws.put("db", '{"p": "old"}')
    denied = respond(400, '{"__type": "AccessDeniedException"}')
    aws.proxy.fault(denied, when=lambda r: "MoveToVersionId" in parameters(r))
    with pytest.raises(DeniedError) as caught:
        write(aws.source(), ref("db", "p"), "new")
    assert "secretsmanager:UpdateSecretVersionStage" in caught.value.hint
    assert aws.stored("db") == '{"p": "old"}'
    labels = aws.labels("db")
    assert labels.pop(before) == {"AWSCURRENT"}
    assert list(labels.values()) == [set()]


def test_a_stale_version_is_a_conflict_before_anything_is_put(aws):
    version = aws.put("db", '{"p": "old"}')
    aws.put("db", '{"p": "theirs"}')
    with pytest.raises(ConflictError):
        aws.source().write(ref("db", "p"), Secret("ours"), expected=version)
    aws.admin.delete_secret(SecretId=f"{aws.prefix}db", RecoveryWindowInDays=7)
    with pytest.raises(ConflictError) as caught:
        aws.source().write(ref("db", "p"), Secret("ours"), expected=version)
    assert caught.value.message.endswith("the secret is scheduled for deletion")
    assert aws.operations == ["GetSecretValue"] * 2


def test_creating_what_is_scheduled_for_deletion(aws):
    aws.put("db", "x")
    aws.admin.delete_secret(SecretId=f"{aws.prefix}db", RecoveryWindowInDays=7)
    with pytest.raises(ConflictError) as caught:
        aws.source().write(ref("db"), Secret("y"), expected=None)
    assert "restore-secret" in caught.value.hint


@pytest.mark.parametrize(
    ("held", "field", "written"),
    [
        ("plain", "url", "x"),
        ('{"a": "1", "b": "2"}', None, "x"),
        (b"\xff", "url", "x"),
        ('{"a": "1"}', "a", "\udcff"),
        ("plain", None, ""),
    ],
    ids=["field-of-text", "no-field-of-two", "field-of-binary", "field-not-utf-8", "empty"],
)
def test_what_a_secret_cannot_hold(aws, held, field, written):
    version = aws.put("db", held)
    with pytest.raises(InvalidReferenceError):
        aws.source().write(ref("db", field), Secret(written), expected=version)
    assert aws.labels("db") == {version: {"AWSCURRENT"}}


def test_a_secret_is_not_created_by_an_arn(aws):
    arn = ref(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-AbCdEf")
    with pytest.raises(InvalidReferenceError):
        aws.source().write(arn, Secret("x"), expected=None)
    assert aws.operations == []


def test_a_write_by_arn(aws):
    aws.put("db", '{"p": "old"}')
    write(aws.source(), ref(aws.arn("db"), "p"), "new")
    assert aws.stored("db") == '{"p": "new"}'


# ---------------------------------------------------------------- discretion, start-up


def test_no_logger_shows_a_value_or_a_credential(aws, monkeypatch, caplog):
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{CANARY}-token")
    aws.put("db", '{"p": "old"}')
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    write(aws.source(mfa_serial=SERIAL, mfa_token="012345"), ref("db", "p"), CANARY)
    assert CANARY not in caplog.text
    assert "012345" not in caplog.text
    session_keys = {access_key(r) for r in aws.proxy.requests} - {"test"}
    assert session_keys
    assert not any(key in caplog.text for key in session_keys)
    aws.admin.describe_secret(SecretId=f"{aws.prefix}db")
    assert "Response body" in caplog.text, "botocore of others was silenced too"


def test_nothing_of_aws_is_imported_before_the_first_read():
    code = (
        "import sys\n"
        "from envkit._internal.clock import Deadline\n"
        "from envkit.placeholder import Reference\n"
        "from envkit.sources.aws import AwsSecretsManagerSource\n"
        "from envkit.sources.base import SourceContext\n"
        "source = AwsSecretsManagerSource(SourceContext('aws', deadline=Deadline(1)))\n"
        "source.check(Reference('aws', 'db')), source.locate(Reference('aws', 'db'))\n"
        "heavy = {'boto3', 'botocore', 'urllib3', 'json', 'logging', 'dataclasses'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

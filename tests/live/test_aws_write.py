"""Writing to AWS Secrets Manager: compare-and-set, and nothing but the one value."""

import logging

import pytest

from envkit.errors import (
    ConflictError,
    DeniedError,
    InvalidReferenceError,
    ProtocolError,
)
from envkit.secret import Secret
from envkit.sources.aws.write import STAGED
from support.aws import (
    ACCOUNT,
    CANARY,
    REGION,
    access_key,
    ask,
    operation,
    parameters,
    ref,
    write,
)
from support.fault_proxy import (
    not_json,
    respond,
)


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
    assert aws.requests_for("UpdateSecretVersionStage")[1:], "it was not tried again"
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


def test_no_logger_shows_a_value_or_a_credential(aws, monkeypatch, caplog):
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{CANARY}-token")
    aws.put("db", '{"p": "old"}')
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    write(
        aws.source(mfa_serial=f"arn:aws:iam::{ACCOUNT}:mfa/me", mfa_token="012345"),
        ref("db", "p"),
        CANARY,
    )
    assert CANARY not in caplog.text
    assert "012345" not in caplog.text
    session_keys = {access_key(r) for r in aws.proxy.requests} - {"test"}
    assert session_keys
    assert not any(key in caplog.text for key in session_keys)
    aws.admin.describe_secret(SecretId=f"{aws.prefix}db")
    assert "Response body" in caplog.text, "botocore of others was silenced too"

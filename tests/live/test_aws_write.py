"""Writes to AWS Secrets Manager compare and set, and change only the one value."""

import logging

import pytest

from envkit.errors import ConflictError, DeniedError, InvalidReferenceError, ProtocolError
from envkit.secret import Secret
from envkit.sources.aws.write import STAGED
from support.aws import ACCOUNT, CANARY, REGION, access_key, ask, operation, parameters, ref, write
from support.fault_proxy import after, lost, not_json, respond

OLD = '{"p": "old"}'
P = ref("db", "p")


def create(aws, reference, text, *, expected=None):
    """Write where nothing has been read."""
    return aws.source().write(reference, Secret(text), expected=expected)


def conflict(call, *args, **options):
    with pytest.raises(ConflictError) as caught:
        call(*args, **options)
    return caught.value


def schedule_deletion(aws):
    aws.admin.delete_secret(SecretId=f"{aws.prefix}db", RecoveryWindowInDays=7)


def is_promotion(request):
    return "MoveToVersionId" in parameters(request)


def test_an_aws_write_changes_one_value_and_no_other_character(aws):
    aws.put("db", '{ "port": 5432.0,\n  "password": "old", "é": "\\u00e9" }\n')
    version = write(aws.source(), ref("db", "password"), 'n"ew')
    assert aws.stored("db") == '{ "port": 5432.0,\n  "password": "n\\"ew", "é": "\\u00e9" }\n'
    labels = aws.labels("db")
    assert labels.pop(version) == {"AWSCURRENT"}
    assert list(labels.values()) == [{"AWSPREVIOUS"}], "our own label was left behind"


def test_an_aws_write_without_a_field_replaces_the_secret(aws):
    source = aws.source()
    for name, held, written, then in [
        ("text", "old", "new", "new"),
        ("object", '{"only": "old"}', "new", '{"only": "new"}'),
    ]:
        aws.put(name, held)
        write(source, ref(name), written)
        assert aws.stored(name) == then


def test_an_aws_write_keeps_a_binary_secret_binary(aws):
    aws.put("key", b"\xff old")
    write(aws.source(), ref("key"), "new")
    reading = ask(aws.source(), ref("key"))
    assert reading.value.to_bytes() == b"new"
    assert "SecretString" not in aws.admin.get_secret_value(SecretId=f"{aws.prefix}key")


def test_an_aws_write_creates_an_object_a_text_or_bytes(aws):
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


def test_an_aws_write_gives_a_secret_without_a_value_its_first(aws):
    # as Terraform leaves one
    aws.admin.create_secret(Name=f"{aws.prefix}shell")
    version = create(aws, ref("shell", "a"), "1")
    assert aws.stored("shell") == '{"a": "1"}'
    assert aws.labels("shell") == {version: {"AWSCURRENT"}}
    conflict(create, aws, ref("shell", "a"), "2")


def test_a_change_between_read_and_promotion_is_a_conflict(aws):
    aws.put("db", OLD)
    change_it_first = after(lambda: aws.put("db", '{"p": "theirs"}'))
    aws.proxy.fault(change_it_first, when=lambda r: operation(r) == "PutSecretValue")
    error = conflict(write, aws.source(), P, "ours")
    assert error.hint == "check the change, then run the command again"
    assert aws.stored("db") == '{"p": "theirs"}'
    assert STAGED not in set().union(*aws.labels("db").values())


def test_a_promotion_whose_answer_was_lost_is_not_a_conflict(aws):
    aws.put("db", OLD)
    aws.proxy.fault(
        lost(),
        when=lambda r: parameters(r).get("VersionStage") == "AWSCURRENT" and is_promotion(r),
        times=1,
    )
    version = write(aws.source(), P, "new")
    assert aws.requests_for("UpdateSecretVersionStage")[1:], "it was not tried again"
    assert aws.labels("db")[version] == {"AWSCURRENT"}


def test_a_creation_whose_answer_was_lost_is_not_a_conflict(aws):
    aws.proxy.fault(lost(), when=lambda r: operation(r) == "CreateSecret", times=1)
    version = create(aws, P, "new")
    assert aws.labels("db") == {version: {"AWSCURRENT"}}


def test_a_refused_promotion_whose_result_cannot_be_read_is_an_error(aws):
    aws.put("db", OLD)
    aws.proxy.fault(respond(400, '{"__type": "InvalidParameterException"}'), when=is_promotion)
    aws.proxy.fault(not_json(), when=lambda r: parameters(r).get("VersionStage") == "AWSCURRENT")
    with pytest.raises(ProtocolError):
        write(aws.source(), P, "new")
    assert aws.stored("db") == OLD


def test_a_denied_promotion_changes_nothing(aws):
    before = aws.put("db", OLD)
    aws.proxy.fault(respond(400, '{"__type": "AccessDeniedException"}'), when=is_promotion)
    with pytest.raises(DeniedError) as caught:
        write(aws.source(), P, "new")
    assert "secretsmanager:UpdateSecretVersionStage" in caught.value.hint
    assert aws.stored("db") == OLD
    labels = aws.labels("db")
    assert labels.pop(before) == {"AWSCURRENT"}
    assert list(labels.values()) == [set()]


def test_a_stale_version_is_a_conflict_before_any_write(aws):
    version = aws.put("db", OLD)
    aws.put("db", '{"p": "theirs"}')
    conflict(create, aws, P, "ours", expected=version)
    schedule_deletion(aws)
    error = conflict(create, aws, P, "ours", expected=version)
    assert error.message.endswith("the secret is scheduled for deletion")
    assert aws.operations == ["GetSecretValue"] * 2


def test_creation_of_a_secret_scheduled_for_deletion_is_refused(aws):
    aws.put("db", "x")
    schedule_deletion(aws)
    assert "restore-secret" in conflict(create, aws, ref("db"), "y").hint


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
def test_a_value_that_the_secret_cannot_contain_is_refused(aws, held, field, written):
    version = aws.put("db", held)
    with pytest.raises(InvalidReferenceError):
        create(aws, ref("db", field), written, expected=version)
    assert aws.labels("db") == {version: {"AWSCURRENT"}}


def test_a_secret_cannot_be_created_by_arn(aws):
    arn = ref(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-AbCdEf")
    with pytest.raises(InvalidReferenceError):
        create(aws, arn, "x")
    assert aws.operations == []


def test_a_secret_can_be_written_by_arn(aws):
    aws.put("db", OLD)
    write(aws.source(), ref(aws.arn("db"), "p"), "new")
    assert aws.stored("db") == '{"p": "new"}'


def test_no_logger_records_a_value_or_a_credential(aws, monkeypatch, caplog):
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{CANARY}-token")
    aws.put("db", OLD)
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    mfa = {"mfa_serial": f"arn:aws:iam::{ACCOUNT}:mfa/me", "mfa_token": "012345"}
    write(aws.source(**mfa), P, CANARY)
    assert CANARY not in caplog.text
    assert "012345" not in caplog.text
    session_keys = {access_key(r) for r in aws.proxy.requests} - {"test"}
    assert session_keys
    assert not any(key in caplog.text for key in session_keys)
    aws.admin.describe_secret(SecretId=f"{aws.prefix}db")
    assert "Response body" in caplog.text, "botocore of others was silenced too"

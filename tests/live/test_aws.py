"""The AWS source against moto over HTTP: values, names, versions, batches.

`support.moto_server` patches what moto 5.2.5 does differently from AWS; other differences are
noted at the test that meets them.
"""

import json
import threading

import pytest

from envkit.errors import DeniedError, InvalidReferenceError, UnavailableError
from envkit.secret import Secret
from envkit.sources.model import WHOLE, Absent
from support.aws import ACCOUNT, CANARY, ask, failure, parameters, read, ref, value
from support.fault_proxy import Crowd, after, respond
from support.process import run_python

# ---------------------------------------------------------------- values


@pytest.mark.parametrize("text", ["plain\n", " [1, 2] ", '"quoted"', "{not json", "{}x", "é\u2028"])
def test_a_string_that_is_not_an_object_is_the_value(aws, text):
    aws.put("db", text)
    assert value(aws.source(), ref("db")) == text


def test_star_is_the_string_exactly_as_stored(aws):
    text = '{ "b": 1.50,\n "a": "\\u00e9" }'
    aws.put("db", text)
    aws.put("note", "plain")
    read(aws.source(), {ref("db", WHOLE): text, ref("note", WHOLE): "plain"})


def test_a_reading_has_its_version_and_location(aws):
    version = aws.put("redis", '{"url": "redis://x"}')
    reading = ask(aws.source(), ref("redis", "url"))
    assert reading.version == version
    assert reading.location == f"aws:{aws.prefix}redis#url"


def test_a_binary_secret_is_read_as_its_bytes(aws):
    raw = bytes(range(1, 256))
    aws.put("key", raw)
    assert ask(aws.source(), ref("key")).value.to_bytes() == raw
    error = failure(aws.source(), ref("key", "url"), InvalidReferenceError)
    assert error.hint == "drop '#url'"


def test_a_field_of_a_string_that_is_not_an_object_is_an_error(aws):
    aws.put("db", CANARY)
    error = failure(aws.source(), ref("db", "url"), InvalidReferenceError)
    assert error.message.endswith("is not a JSON object")
    assert error.hint == "drop '#url'"


def test_a_lone_surrogate_is_refused_as_a_value(aws):
    aws.put("db", '{"a": "\\ud800"}')
    failure(aws.source(), ref("db", "a"), InvalidReferenceError)


# ---------------------------------------------------------------- names


def test_a_leading_slash_and_an_arn_ignore_the_prefix(aws):
    aws.put("db", CANARY)
    arn = aws.arn("db")
    partial = arn[: -len("-AbCdEf")]
    source = aws.source(prefix="elsewhere/")
    for path in (f"/{aws.prefix}db", arn, partial):
        assert value(source, ref(path)) == CANARY, path
    assert ask(source, ref(arn)).location == f"aws:{arn}"


def test_a_name_may_begin_with_a_slash(aws):
    aws.admin.create_secret(Name=f"/{aws.prefix}db", SecretString=CANARY)
    reading = ask(aws.source(), ref(f"//{aws.prefix}db"))
    assert reading.value.reveal() == CANARY
    assert reading.location == f"aws://{aws.prefix}db"


def test_a_bare_name_is_a_key_of_the_secret_named_by_the_prefix(aws):
    aws.admin.create_secret(
        Name=aws.prefix.removesuffix("/"), SecretString=json.dumps({"PORT": 8080})
    )
    assert value(aws.source(), ref("", "PORT")) == "8080"
    assert isinstance(ask(aws.source(), ref("", "HOST")), Absent)


def test_a_secret_is_read_by_name_arn_and_partial_arn_but_not_in_another_case(aws):
    aws.put("db", "lower")
    aws.put("DB", "upper")
    arn = aws.arn("db")
    lower = dict.fromkeys([ref("db"), ref(arn), ref(arn[:-7])], "lower")
    read(aws.source(), {**lower, ref("DB"): "upper"})
    assert aws.operations.count("BatchGetSecretValue") == 1
    assert aws.operations.count("GetSecretValue") == 2


def test_arns_are_read_in_a_batch(aws):
    wanted = {}
    for text in aws.put_many(3).values():
        arn = aws.arn(f"s{text}")
        wanted[ref(arn if wanted else arn[:-7])] = text
    read(aws.source(), wanted)
    assert aws.operations == ["BatchGetSecretValue"]


def test_a_missing_secret_of_an_arn_in_another_region_is_not_certain(aws):
    elsewhere = ref(f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:db-AbCdEf")
    error = failure(aws.source(), elsewhere, InvalidReferenceError)
    assert error.message.endswith("is not in eu-west-1, the region of aws")


# ---------------------------------------------------------------- versions


def test_pinned_versions_are_read_beside_the_current_one(aws):
    first = aws.put("db", '{"p": "one"}')
    aws.put("db", '{"p": "two"}')
    third = aws.put("db", '{"p": "three"}')
    wanted = {
        ref("db", "p"): "three",
        ref("db", "p", version=first): "one",
        ref("db", "p", version=third): "three",
        ref("db", "p", stage="AWSPREVIOUS"): "two",
    }
    outcomes = read(aws.source(), wanted)
    assert outcomes[ref("db", "p", version=first)].version == first
    location = outcomes[ref("db", "p", stage="AWSPREVIOUS")].location
    assert location == f"aws:{aws.prefix}db?stage=AWSPREVIOUS#p"


def test_a_version_or_stage_that_does_not_exist_is_missing(aws):
    aws.put("db", "x")
    for pinned in (ref("db", version="0" * 36), ref("db", stage="AWSPENDING")):
        outcome = ask(aws.source(), pinned)
        assert isinstance(outcome, Absent), pinned
        assert outcome.reason == "no such secret or version"


# ---------------------------------------------------------------- batches


def test_fifty_secrets_take_three_requests(aws):
    wanted = {}
    for number in range(50):
        aws.put(f"s{number}", json.dumps({"a": f"a{number}", "b": f"b{number}"}))
        wanted |= {ref(f"s{number}", field): f"{field}{number}" for field in "ab"}
    read(aws.source(), wanted)
    assert aws.operations == ["BatchGetSecretValue"] * 3
    assert max(len(parameters(r)["SecretIdList"]) for r in aws.proxy.requests) == 20


def test_batches_are_requested_in_parallel(aws):
    refs = [ref(f"s{number}") for number in range(60)]
    batch = "BatchGetSecretValue"
    barrier = threading.Barrier(3, timeout=30)
    aws.proxy.fault(after(barrier.wait), when=lambda request: request.target.endswith(batch))
    outcomes = aws.source().fetch(refs)
    assert all(isinstance(outcome, Absent) for outcome in outcomes.values()), outcomes


def test_concurrency_limits_the_parallel_requests(aws):
    crowd = Crowd()
    aws.proxy.fault(crowd)
    pins = [ref("db", version=f"{number:036}") for number in range(12)]
    aws.source(concurrency=2).fetch(pins)
    assert aws.operations.count("GetSecretValue") == 12
    assert crowd.most <= 2


def test_pages_of_a_batch_are_joined(aws):
    wanted = aws.put_many(8)

    def three_at_a_time(exchange):
        start = int(parameters(exchange.received).get("NextToken", 0))
        answer = exchange.ask_upstream()  # from NextToken on, to the end
        page = json.loads(answer.body)
        if len(page["SecretValues"]) > 3:
            page["NextToken"] = str(start + 3)
        page["SecretValues"] = page["SecretValues"][:3]
        respond(200, json.dumps(page))(exchange)

    aws.proxy.fault(three_at_a_time)
    read(aws.source(), wanted)
    assert aws.operations == ["BatchGetSecretValue"] * 3


def test_a_secret_that_a_batch_may_not_read_is_read_alone(aws):
    wanted = aws.put_many(2)
    aws.refuse_in_batch("s1")
    read(aws.source(), wanted)
    assert aws.operations == ["BatchGetSecretValue", "GetSecretValue"]


def test_a_secret_denied_alone_too_is_reported_alone(aws):
    aws.put_many(2)
    aws.deny("s1", message=f"User {CANARY} is not authorized")
    outcomes = aws.source().fetch([ref("s0"), ref("s1"), ref("s2")])
    assert outcomes[ref("s0")].value.reveal() == "0"
    assert isinstance(outcomes[ref("s2")], Absent)
    error = outcomes[ref("s1")]
    assert isinstance(error, DeniedError)
    assert error.message == f"cannot read aws:{aws.prefix}s1: access denied (AccessDeniedException)"
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
def test_secrets_of_a_denied_batch_are_read_one_by_one(aws, status, code):
    wanted = aws.put_many(25)
    aws.fail("BatchGetSecretValue", code, status=status)
    read(aws.source(), wanted)
    assert aws.operations.count("BatchGetSecretValue") == 2
    assert aws.operations.count("GetSecretValue") == 25


def test_a_failed_batch_is_the_failure_of_all_its_secrets(aws):
    aws.fail("BatchGetSecretValue", "InternalServiceError", status=500)
    outcomes = aws.source(timeout_seconds=5).fetch([ref("one"), ref("two")])
    for outcome in outcomes.values():
        assert isinstance(outcome, UnavailableError)
    assert "GetSecretValue" not in aws.operations


# ---------------------------------------------------------------- absent


def test_a_missing_secret_takes_no_second_request(aws):
    aws.put("one", "1")
    outcomes = aws.source().fetch([ref("one"), ref("two")])
    assert outcomes[ref("two")] == Absent("no such secret")
    assert aws.operations == ["BatchGetSecretValue"]


@pytest.mark.parametrize(
    "wanted", [("db", "p"), ("db",), ("arn",)], ids=["field", "whole", "arn-of-none"]
)
def test_a_missing_secret_in_a_region_without_secrets_is_in_doubt(aws, wanted):
    """A secret of eu-west-1 is not found in sa-east-1, and a default must not replace it."""
    aws.put("db", '{"p": "x"}')
    reference = ref(*wanted)
    if wanted == ("arn",):
        reference = ref(f"arn:aws:secretsmanager:sa-east-1:{ACCOUNT}:secret:db-AbCdEf")
    source = aws.source(region="sa-east-1")
    for _ in range(2):
        outcome = ask(source, reference)
        assert outcome.doubt == "sa-east-1 has no secrets in this account"
    assert "ListSecrets" in aws.operations


def test_a_missing_secret_is_certain_when_the_region_has_secrets_or_denies_the_list(aws):
    aws.put("one", "1")
    assert ask(aws.source(), ref("two")) == Absent("no such secret")
    aws.fail("ListSecrets", "AccessDeniedException")
    assert ask(aws.source(region="sa-east-1"), ref("two")) == Absent("no such secret")


def test_a_failed_list_of_secrets_is_a_failure(aws):
    aws.fail("ListSecrets", "InternalServiceError")
    failure(aws.source(region="sa-east-1", timeout_seconds=1), ref("two"), UnavailableError)


def test_the_first_secret_of_a_region_can_be_created(aws):
    region = "af-south-1"
    source = aws.source(region=region)
    assert ask(source, ref("db")).doubt
    version = source.write(ref("db"), Secret("x"), expected=None)
    assert ask(source, ref("db")).version == version
    assert ask(source, ref("other")) == Absent("no such secret")


def test_a_secret_without_a_value_is_missing(aws):
    # in a batch moto fails as a whole here, where AWS lists an error
    aws.admin.create_secret(Name=f"{aws.prefix}shell")
    aws.put("one", "1")
    outcomes = aws.source().fetch([ref("one"), ref("shell")])
    assert outcomes[ref("one")].value.reveal() == "1"
    assert isinstance(outcomes[ref("shell")], Absent)


def test_a_secret_scheduled_for_deletion_is_missing(aws):
    for name in ("one", "gone"):
        aws.put(name, name)
    aws.admin.delete_secret(SecretId=f"{aws.prefix}gone", RecoveryWindowInDays=7)
    alone = ask(aws.source(), ref("gone"))
    assert alone == Absent("the secret is scheduled for deletion")
    assert aws.source().fetch([ref("one"), ref("gone")])[ref("gone")] == alone


# ---------------------------------------------------------------- start-up


def test_the_aws_source_imports_no_client_before_the_first_read():
    code = """
import sys
from envkit._internal.clock import Deadline
from envkit.profile.placeholder import Reference
from envkit.sources.aws.source import AwsSecretsManagerSource
from envkit.sources.base import SourceContext
source = AwsSecretsManagerSource(SourceContext('aws', deadline=Deadline(1)))
source.check(Reference('aws', 'db')), source.locate(Reference('aws', 'db'))
heavy = {'boto3', 'botocore', 'urllib3', 'json', 'logging', 'dataclasses'}
print(sorted(heavy & set(sys.modules)))
"""
    assert run_python(code, options=["-I"]).stdout == "[]\n"

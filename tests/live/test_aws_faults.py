"""Each failure of AWS Secrets Manager becomes its own error."""

import pytest
import trustme

from envkit.errors import AuthError, DeniedError, ProtocolError, SourceError, UnavailableError
from envkit.sources import retry as retry_module
from support.aws import CANARY, failure, ref, value
from support.fault_proxy import (
    FaultProxy,
    not_json,
    reset,
    reset_in_body,
    respond,
    server_tls,
    truncate,
)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
def test_a_transient_failure_is_retried(aws, code):
    aws.put("db", CANARY)
    aws.fail("GetSecretValue", code, times=2)
    assert value(aws.source(), ref("db")) == CANARY
    assert aws.operations == ["GetSecretValue"] * 3


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "Throttling", "TooManyRequestsException", "SlowDown"]
)
def test_a_throttled_request_is_repeated_until_aws_serves_it(aws, monkeypatch, code):
    monkeypatch.setattr(retry_module, "BASE_DELAY_SECONDS", 0.0)
    aws.put("db", CANARY)
    aws.fail("GetSecretValue", code, times=7)  # more than an outage is given
    assert value(aws.source(timeout_seconds=60), ref("db")) == CANARY
    assert aws.operations == ["GetSecretValue"] * 8


ANSWERS = {
    "ThrottlingException": (UnavailableError, ""),
    "RequestLimitExceeded": (UnavailableError, ""),
    "InternalServiceError": (UnavailableError, ""),
    "AccessDeniedException": (DeniedError, "secretsmanager:GetSecretValue"),
    "DecryptionFailure": (DeniedError, "kms:Decrypt"),
    "ExpiredTokenException": (AuthError, "aws sso login"),
    "UnrecognizedClientException": (AuthError, "AWS_ACCESS_KEY_ID"),
    "InvalidSignatureException": (AuthError, "clock"),
    "InvalidParameterException": (SourceError, ""),
}


def failing(aws, kind):
    """Return the error of a read, after retries until the deadline."""
    seconds = 2 if kind is UnavailableError else 10
    return failure(aws.source(timeout_seconds=seconds), ref("db"), kind)


@pytest.mark.parametrize("code", ANSWERS)
def test_each_aws_error_code_maps_to_its_error(aws, code):
    aws.fail("GetSecretValue", code, message=f"the value '{CANARY}' is bad")
    kind, hint = ANSWERS[code]
    error = failing(aws, kind)
    assert error.retryable is (kind is UnavailableError)
    assert code in error.message
    assert hint in (error.hint or "")


def test_a_denied_kms_key_is_distinguished_from_a_denied_secret(aws):
    aws.fail("GetSecretValue", "AccessDeniedException", message="Access to KMS is not allowed")
    error = failure(aws.source(), ref("db"), DeniedError)
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


@pytest.mark.parametrize(("fault", "kind"), FAULTS.values(), ids=FAULTS)
def test_each_broken_answer_maps_to_its_error(aws, fault, kind):
    aws.put("db", CANARY)
    aws.proxy.fault(fault)
    failing(aws, kind)


def test_an_unresolvable_host_name_is_unavailable(aws):
    source = aws.source(timeout_seconds=0.5, endpoint_url="http://envkit-test.invalid")
    failure(source, ref("db"), UnavailableError)


def test_an_endpoint_without_https_is_reported_as_such(aws, moto_url):
    source = aws.source(endpoint_url=moto_url.replace("http:", "https:"))
    error = failure(source, ref("db"), UnavailableError)
    assert "does not speak https" in error.message
    assert not error.retryable


@pytest.mark.parametrize(
    "body",
    [
        "Client sent an HTTP request to an HTTPS server.\n",
        "<html>The plain HTTP request was sent to HTTPS port</html>",
        "You're speaking plain HTTP to an SSL-enabled server port.",
    ],
)
def test_an_endpoint_with_https_only_is_reported_as_such(aws, body):
    aws.proxy.fault(respond(400, body))
    error = failure(aws.source(), ref("db"), UnavailableError)
    assert "the endpoint speaks https, but its address is http" in error.message
    assert not error.retryable


def test_an_untrusted_certificate_is_refused(aws, moto_url, monkeypatch, tmp_path):
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

"""Map the errors of AWS and botocore to envkit's errors.

A message contains the AWS error code but never the message of the response, which may quote a
parameter and therefore a value. Exceptions are not chained, for the same reason.

Reference: https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import (
    AuthError,
    DeniedError,
    InvalidSettingError,
    ProtocolError,
    SourceError,
    UnavailableError,
)
from envkit.sources.retry import retry_after

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from botocore.exceptions import BotoCoreError, ClientError

# codes of a RefusedError
NOT_FOUND = "ResourceNotFoundException"  # also for a secret without a value
EXISTS = "ResourceExistsException"
DELETED = "InvalidRequestException"  # for a read: always means scheduled for deletion

MORE_TIME = "run the command again in a moment, or set a longer --timeout"
WHERE = "check AWS_REGION and AWS_ENDPOINT_URL, and any proxy on the way"
# requests that use the source's settings or ~/.aws/config
LOGINS = ("AssumeRole", "AssumeRoleWithWebIdentity", "GetSessionToken")
_ROLE = "check role_arn and the related keys, in the source's settings or in ~/.aws/config"
_HTTPS = "the endpoint speaks https, but its address is http"
_WRITE_HTTPS = "write https:// in AWS_ENDPOINT_URL or endpoint_url"
_HTTP = "the endpoint does not speak https: it answers without TLS"
_CORRECT_PORT = (
    "correct the port of AWS_ENDPOINT_URL or endpoint_url, or write http:// there if you "
    "trust the network"
)
_LOG_IN = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run 'aws sso login'"


class RefusedError(SourceError):
    """AWS rejected one request.

    Args:
        aws_code: the AWS error code: `ResourceNotFoundException`.
    """

    def __init__(self, message: str, *, aws_code: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.aws_code = aws_code


class SpeaksTlsError(Exception):
    """The endpoint reported, in plain text, that its port expects TLS."""


def refuse_damaged(response_dict: Mapping[str, Any], **_: object) -> None:
    """Raise if the connection ended early; botocore would parse the incomplete response."""
    _refuse_plain(response_dict)
    expected = int(response_dict["headers"].get("content-length", 0))
    actual = len(response_dict["body"])
    if actual < expected:
        from botocore.exceptions import IncompleteReadError

        raise IncompleteReadError(actual_bytes=actual, expected_bytes=expected)


def _refuse_plain(response_dict: Mapping[str, Any]) -> None:
    """Raise if the response says that the port expects TLS; botocore's error would be obscure."""
    if response_dict["status_code"] < 400 or response_dict["body"].startswith((b"{", b"<?xml")):
        return
    from envkit.sources.tls_mismatch import asks_for_tls

    if asks_for_tls(response_dict["status_code"], response_dict["body"]):
        raise SpeaksTlsError


class _Meaning(NamedTuple):
    kind: type[SourceError]
    reason: str
    hint: str | None = None  # `{action}` is the IAM action


_BUSY = _Meaning(UnavailableError, "AWS asks envkit to slow down", MORE_TIME)
_FAILING = _Meaning(UnavailableError, "AWS is temporarily unavailable", MORE_TIME)
_FOREIGN = _Meaning(ProtocolError, "the answer is not from AWS", WHERE)
_UNSUPPORTED = _Meaning(ProtocolError, "the service has no {action}", WHERE)
_DENIED = _Meaning(DeniedError, "access denied", "allow {action} in the caller's IAM policy")
_KEY_DENIED = _Meaning(
    DeniedError,
    "its KMS key cannot be used",
    "allow kms:Decrypt (and kms:GenerateDataKey to write) on the secret's KMS key",
)
_EXPIRED = _Meaning(
    AuthError,
    "the AWS credentials have expired",
    "run 'aws sso login', or renew AWS_SESSION_TOKEN",
)
_UNKNOWN = _Meaning(AuthError, "AWS does not know the access key", _LOG_IN)
_UNSIGNED = _Meaning(
    AuthError,
    "AWS does not accept the signature",
    "check AWS_SECRET_ACCESS_KEY, and this machine's clock",
)

_BY_CODE = {
    "BandwidthLimitExceeded": _BUSY,
    "PriorRequestNotComplete": _BUSY,
    "RequestLimitExceeded": _BUSY,
    "RequestThrottled": _BUSY,
    "RequestThrottledException": _BUSY,
    "SlowDown": _BUSY,
    "ThrottledException": _BUSY,
    "Throttling": _BUSY,
    "ThrottlingException": _BUSY,
    "TooManyRequestsException": _BUSY,
    "InternalFailure": _FAILING,
    "InternalServiceError": _FAILING,
    "InternalServiceErrorException": _FAILING,
    "RequestTimeout": _FAILING,
    "RequestTimeoutException": _FAILING,
    "ServiceUnavailable": _FAILING,
    "ServiceUnavailableException": _FAILING,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "NotAuthorized": _DENIED,
    "UnauthorizedOperation": _DENIED,
    "DecryptionFailure": _KEY_DENIED,
    "EncryptionFailure": _KEY_DENIED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "AuthFailure": _UNKNOWN,
    "InvalidAccessKeyId": _UNKNOWN,
    "InvalidClientTokenId": _UNKNOWN,
    "InvalidToken": _UNKNOWN,
    "MissingAuthenticationToken": _UNKNOWN,
    "MissingAuthenticationTokenException": _UNKNOWN,
    "UnrecognizedClientException": _UNKNOWN,
    "IncompleteSignature": _UNSIGNED,
    "IncompleteSignatureException": _UNSIGNED,
    "InvalidSignatureException": _UNSIGNED,
    "SignatureDoesNotMatch": _UNSIGNED,
}


def source_error(error: Exception, doing: str, *, action: str, profile: str | None) -> SourceError:
    """Convert an exception of botocore to envkit's error.

    Args:
        error: the exception from a call or from creating a client.
        doing: the start of the message: `cannot read aws:myapp/db`.
        action: the IAM action: `secretsmanager:GetSecretValue`.
        profile: the AWS profile in use, for the hint.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, SpeaksTlsError):
        return _final(UnavailableError(f"{doing}: {_HTTPS}", hint=_WRITE_HTTPS))
    if isinstance(error, ClientError):
        return _from_answer(error, doing, action)
    if isinstance(error, BotoCoreError):
        return _from_client(error, doing, action, profile)
    # for a body that it cannot parse, botocore raises the error of its parser
    return ProtocolError(f"{doing}: {_FOREIGN.reason} ({type(error).__name__})", hint=WHERE)


def _from_answer(error: ClientError, doing: str, action: str) -> SourceError:
    if error.operation_name in LOGINS:  # botocore logs in at the first request for a secret
        action = f"sts:{error.operation_name}"
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(details.get("Code") or status)
    if code == "ValidationError" and error.operation_name in LOGINS:
        return InvalidSettingError(f"{doing}: AWS rejects its settings as malformed", hint=_ROLE)
    meaning = _BY_CODE.get(code)
    if meaning is _DENIED and "KMS" in str(details.get("Message")):
        meaning = _KEY_DENIED  # only the message distinguishes the two
    elif meaning is None:
        meaning = _by_status(code, status)
    if meaning is None:
        return RefusedError(f"{doing}: AWS refused the request ({code})", aws_code=code)
    reason = meaning.reason.format(action=action)
    hint = meaning.hint and meaning.hint.format(action=action)
    mapped = meaning.kind(f"{doing}: {reason} ({code})", hint=hint)
    if isinstance(mapped, UnavailableError):
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        mapped.retry_after_seconds = retry_after(headers.get("retry-after"), headers.get("date"))
        mapped.slow_down = meaning is _BUSY or mapped.retry_after_seconds is not None
    return mapped


def _by_status(code: str, status: int) -> _Meaning | None:
    if status == 429:
        return _BUSY
    if status == 501:
        return _UNSUPPORTED
    if status >= 500:
        return _FAILING
    return _FOREIGN if code.isdigit() else None  # botocore's placeholder for a missing code


def _final(error: UnavailableError) -> UnavailableError:
    """Return `error` marked as one that a retry cannot fix."""
    error.retryable = False
    return error


def _from_client(error: BotoCoreError, doing: str, action: str, profile: str | None) -> SourceError:
    from botocore import exceptions as aws

    from envkit.sources.tls_mismatch import answers_with_tls, answers_without_tls, causes_of

    if isinstance(error, aws.ParamValidationError) and action.startswith("sts:"):
        return InvalidSettingError(f"{doing}: its settings are malformed", hint=_ROLE)
    causes = tuple(causes_of(error))
    if answers_with_tls(causes):
        return _final(UnavailableError(f"{doing}: {_HTTPS}", hint=_WRITE_HTTPS))
    if answers_without_tls(causes):
        return _final(UnavailableError(f"{doing}: {_HTTP}", hint=_CORRECT_PORT))

    option = f" --profile {profile}" if profile else ""
    meanings = {
        (aws.SSLError,): _Meaning(
            UnavailableError,
            "the TLS certificate is not accepted",
            "set AWS_CA_BUNDLE to the file of the CA that issued it",
        ),
        (aws.ConnectTimeoutError, aws.ReadTimeoutError): _Meaning(
            UnavailableError, "timed out", MORE_TIME
        ),
        (aws.ConnectionError, aws.HTTPClientError, aws.IncompleteReadError): _Meaning(
            UnavailableError, "the endpoint cannot be reached", WHERE
        ),
        (aws.ProfileNotFound,): _Meaning(
            AuthError,
            f"the AWS profile '{profile}' is not configured",
            "set AWS_PROFILE to one that 'aws configure list-profiles' shows",
        ),
        (aws.SSOError, aws.TokenRetrievalError): _Meaning(
            AuthError, "the SSO session is not valid", f"run: aws sso login{option}"
        ),
        # raised for 'aws login'; missing in the oldest supported botocore
        (getattr(aws, "LoginError", ()),): _Meaning(
            AuthError, "the login session is not valid", f"run: aws login{option}"
        ),
        (aws.InvalidRegionError, aws.InvalidEndpointConfigurationError): _Meaning(
            InvalidSettingError, "the region or the endpoint is not valid", WHERE
        ),
        (aws.ConfigNotFound, aws.ConfigParseError, aws.InvalidConfigError): _Meaning(
            AuthError,
            "the AWS configuration cannot be used",
            "correct ~/.aws/config, or the file that AWS_CONFIG_FILE names",
        ),
        (
            aws.CredentialRetrievalError,
            aws.MetadataRetrievalError,
            aws.NoAuthTokenError,
            aws.NoCredentialsError,
            aws.PartialCredentialsError,
        ): _Meaning(AuthError, "no AWS credentials", _LOG_IN),
        (aws.BotoCoreError,): _Meaning(SourceError, "botocore failed"),
    }
    kind, reason, hint = next(
        meaning for kinds, meaning in meanings.items() if isinstance(error, kinds)
    )
    mapped = kind(f"{doing}: {reason} ({type(error).__name__})", hint=hint)
    if isinstance(error, aws.SSLError) and isinstance(mapped, UnavailableError):
        return _final(mapped)
    return mapped

"""`envkit login` and `envkit logout` for AWS: a session with MFA. SSO logins belong to the AWS CLI.

Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html
"""

from __future__ import annotations

from shlex import quote

from envkit.errors import AuthError, UsageError
from envkit.sources.model import LoggedIn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.aws.client import SecretsManager


def log_in(name: str, manager: SecretsManager) -> LoggedIn:
    """Log in with a new MFA code, and store the session.

    Raises:
        UsageError: the settings of the source have no MFA device.
        MfaRequiredError: there is no terminal to ask for the code on.
        AuthError: the session cannot be stored.
        SourceError: the login failed.
    """
    manager.mfa.renewing = True
    arn, _ = manager.identity()
    if not manager.mfa.asked:
        raise UsageError(
            f"[sources.{name}] has no MFA login: it uses the AWS credentials of {arn}",
            hint=f'write: mfa_serial = "arn:aws:iam::ACCOUNT:mfa/NAME" in [sources.{name}], or '
            "run: aws sso login",
        )
    if manager.mfa.not_stored:
        folder = manager.mfa.folder
        raise AuthError(
            f"cannot store the session in '{folder}': {manager.mfa.not_stored}",
            hint=f"run: ls -ld {quote(folder)}",
        )
    left = manager.minutes_left()
    lasting = "" if left is None else f", for {left} minutes"
    return LoggedIn("mfa", f"logged in as {arn}{lasting}", manager.mfa.place)


def log_out(manager: SecretsManager) -> str:
    """Remove the stored session.

    Raises:
        AuthError: it cannot be removed.
    """
    if not manager.mfa.forget():
        return "there was no login to remove"
    if place := manager.mfa.place:
        raise AuthError(f"cannot remove '{place}'", hint=f"run: rm {quote(place)}")
    return "removed the session; AWS itself cannot end it before it expires"

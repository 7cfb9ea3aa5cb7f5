"""`envkit login` and `envkit logout` for AWS: a session with MFA. SSO logins belong to the AWS CLI.

Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html
"""

from __future__ import annotations

from envkit.errors import UsageError
from envkit.sources.model import LoggedIn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.sources.aws.client import SecretsManager


def log_in(name: str, manager: SecretsManager) -> LoggedIn:
    """Log in with a new MFA code, and store the session.

    Raises:
        UsageError: the settings of the source have no MFA device.
        MfaRequiredError: there is no terminal to ask for the code on.
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
    left = manager.login.minutes_left()
    lasting = "" if left is None else f", for {left} minutes"
    return LoggedIn("mfa", f"logged in as {arn}{lasting}", manager.mfa.place)


def log_out(manager: SecretsManager) -> str:
    """Remove the stored session."""
    if not manager.mfa.forget():
        return "there was no login to remove"
    return "removed the session; AWS itself cannot end it before it expires"

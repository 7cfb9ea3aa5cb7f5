"""Decide by the name of a variable whether it is secret, public, or undecided. Pure.

    is_secret_name("STRIPE_API_KEY")  ->  True        is_secret_name("API_KEY_ID")  ->  False

The last words count: `PASSWORD_MIN_LENGTH` is a length, `TOKEN_URL` is a URL.
"""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"(?:.*_)?(?:PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|PW)")
_SECRET = re.compile(
    r"(?:.*_)?(?:APIKEY|CREDENTIALS?|PAT|SECRETS?|SIG|SIGNATURE|TOKEN"
    r"|(?:ACCESS|ACCOUNT|API|AUTH|COOKIE|ENCRYPTION|HMAC|MASTER|PRIVATE|SECRET|SERVICE|SESSION"
    r"|SIGNING|WEBHOOK)_KEY)"
)
# endings that do not affect the meaning
_SUFFIX = re.compile(r"_(?:BASE|DEV|LIVE|NEW|OLD|PREVIOUS|PROD|PRODUCTION|STAGING|TEST|\d+)$")
_PUBLIC = re.compile(
    r"(?:.*_)?(?:ANON|ARN|BUCKET|CA|CERT|CERTIFICATE|CHECKSUM|COMMIT|DIGEST|DSN|FINGERPRINT|HASH"
    r"|HOST|IDS?|IMAGE|INTEGRITY|NAME|PUBLIC|PUBLISHABLE|RECIPIENT|REVISION|SHA|SITE|THUMBPRINT"
    r"|URI|URL|VERSION)(?:_KEY)?"
)
# words in the names of variables that are built into web pages
_BROWSER = re.compile(r"(?:^|_)(?:ANON|GATSBY|PUBLIC|PUBLISHABLE|REACT_APP|VITE|VUE_APP)(?:_|$)")


def normal(name: str) -> str:
    """Return a name in capitals without endings: `CLIENT_SECRET` for `clientSecret2`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    words = re.sub(r"[^A-Za-z0-9]+", "_", spaced).strip("_").upper()
    while (short := _SUFFIX.sub("", words)) != words:
        words = short
    return words


def is_password_name(name: str) -> bool:
    """Return whether a normal name is that of a password."""
    return _PASSWORD.fullmatch(name) is not None


def is_secret_name(name: str) -> bool:
    """Return whether a normal name is that of a token or a secret key."""
    return _SECRET.fullmatch(name) is not None and not is_browser_name(name)


def is_public_name(name: str) -> bool:
    """Return whether a normal name is that of a public value, whatever the value looks like."""
    return _PUBLIC.fullmatch(name) is not None


def is_browser_name(name: str) -> bool:
    """Return whether a normal name is that of a value that browsers receive."""
    return _BROWSER.search(name) is not None

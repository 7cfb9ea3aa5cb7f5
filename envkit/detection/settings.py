"""Decide whether a variable is a setting, whose value may be committed and shown. Pure.

    is_setting("LOG_LEVEL", "info")  ->  True         is_setting("LICENSE", "a8f3k2")  ->  False

`secret_literal` reports what is certainly or probably a secret. Here, everything is a secret
unless its name or the form of its value is that of a setting, and nothing speaks against it: a
setting that is treated as a secret is only masked, but a secret that is treated as a setting may
be committed.
"""

from __future__ import annotations

import itertools
import re

from envkit.detection.logins import has_login
from envkit.detection.secret_literal import suspect
from envkit.detection.secret_names import is_browser_name, normal
from envkit.detection.value_parts import ValueKind, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_CHARACTERS = 200
_MAX_DIGITS = 6  # a longer number may be a PIN, an account or a phone number
# the last word of the names of settings: `NODE_ENV`, `TOKEN_URL`, `PASSWORD_MIN_LENGTH`
_SETTING_WORDS = """
    ADDR ADDRESS AGE ALGORITHM BACKEND BRANCH BROKERS BUCKET CACHE CHANNEL CLASS COLOR CONCURRENCY
    CONNECTION COUNT CURRENCY DATABASE DATE DAYS DB DEBUG DELAY DEPTH DIR DIRECTORY DISABLED DOMAIN
    DRIVER EMAIL ENABLED ENCODING ENDPOINT ENGINE ENV ENVIRONMENT EXPIRY FEATURE FILE FILES FLAG
    FLAGS FOLDER FORMAT FROM HOST HOSTNAME HOSTS HOURS INTERVAL LANG LANGUAGE LENGTH LEVEL LIMIT
    LOCALE LOG MAILER MAX MIN MINUTES MODE MODULE MODULES NAME NAMESPACE ORIGIN ORIGINS PAGE PATH
    PERIOD PGDATABASE PGHOST PGPORT PGUSER PORT PREFIX PROTOCOL PROVIDER QUEUE RATE REGION RETRIES
    ROOT SCHEMA SCHEME SECONDS SENDER SERVER SIZE SSL STAGE STORE SUFFIX TAG THREADS TIMEOUT
    TIMEZONE TLS TOPIC TTL TYPE TZ URI URL URLS USER USERNAME VERBOSITY VERSION WORKERS ZONE
"""
# words of names whose values are secrets, or could be
_DOUBTFUL_WORDS = """
    ACCESS API APIKEY AUTH CERT CERTIFICATE CODE COOKIE CREDENTIAL CREDENTIALS CREDS CSRF DSN
    ENCRYPTION HASH HMAC JWT KEY KEYS LICENCE LICENSE LOGIN MASTER OTP PASS PASSPHRASE PASSWD
    PASSWORD PASSWORDS PAT PEM PEPPER PIN PRIVATE PWD PW SALT SECRET SECRETS SEED SESSION SIG
    SIGNATURE SIGNING TOKEN TOKENS TOTP WEBHOOK WEBHOOKS
"""
_SETTINGS, _DOUBTFUL = frozenset(_SETTING_WORDS.split()), frozenset(_DOUBTFUL_WORDS.split())
_DOUBTFUL_PARTS = re.compile("PASS|SECRET|TOKEN|APIKEY|CREDENTIAL|PRIVATE")  # `PGPASSWORD`
# words in the names of URLs that anyone who knows them can use
_CAPABILITIES = frozenset(("WEBHOOK", "WEBHOOKS", "HOOK", "HOOKS", "INVITE", "PRESIGNED", "SIGNED"))
# names of values that the vendor publishes, or that are built into web pages: random, not secret
_PUBLISHED = re.compile(
    r"(?:(?:EXPO|NEXT|NUXT)_PUBLIC|GATSBY|PUBLIC|REACT_APP|VITE|VUE_APP)_.*"
    r"|(?:.*_)?(?:(?:PUBLISHABLE|PUBLIC|ANON|SITE)_KEY|SENTRY_DSN|BUCKET"
    r"|(?:ACCOUNT|APP|APPLICATION|CLIENT|MEASUREMENT|ORG|ORGANIZATION|PROJECT|TEAM|TENANT)_ID)"
)
_ALSO_PUBLISHED = frozenset(("API", "DSN", "KEY"))  # doubtful words that are usual in them
_PUBLISHED_TEXT = re.compile(r"[\w.:=-]+", re.ASCII)
# Reference: https://docs.sentry.io/concepts/key-terms/dsn-explainer/
_SENTRY_DSN = re.compile(r"https?://\w+@[\w.:-]+/\d+", re.ASCII)
_USERS = frozenset(("PGUSER", "USER", "USERNAME"))
# words in names of addresses that usually have a password
_SERVICES = re.compile(
    r"AMQP|BROKER|CACHE|CELERY|CLICKHOUSE|CONNECTION|DATABASE|DB|ELASTIC|KAFKA|MAILER|MONGO|MYSQL"
    r"|POSTGRES|PROXY|RABBIT|REDIS|SMTP"
)
_ADDRESSES = frozenset(("CONNECTION", "SERVER", "URI", "URL", "URLS"))
_OPEN_SCHEMES = ("http", "https", "ws", "wss", "file")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DURATION = re.compile(r"\d{1,6}\s?(?:ms|s|m|min|h|d|w|y|KB|MB|GB|KiB|MiB|GiB|k|M|G|%)")
_CHUNK = re.compile(r"[A-Za-z0-9]+")
_MIN_OPAQUE, _MIN_LONG = 10, 24  # lengths of a run of letters and digits, and of letters alone


def is_setting(name: str, text: str) -> bool:
    """Return whether a variable is a setting and not a secret; in doubt, it is a secret.

    Args:
        name: the variable.
        text: its value; empty if only the name can decide.
    """
    if suspect(name, text) is not None or has_login(text) or not _is_short_line(text):
        return False
    words = normal(name).split("_")
    if _is_published(words, text):
        return True
    if _is_opaque(text) or ("://" in text and not _is_open_url(text, words)):
        return False
    if is_browser_name(normal(name)):
        return not is_doubtful(words[-1:])
    if words[-1] in _SETTINGS and (text or not _is_of_service(words)):
        return _CAPABILITIES.isdisjoint(words) and not _is_user_with_password(words[-1], text)
    doubtful = words[-1:] if _DURATION.fullmatch(text) else words  # `JWT_EXPIRES_IN`
    return bool(text) and not is_doubtful(doubtful) and _has_form_of_a_setting(text)


def is_setting_everywhere(name: str, texts: Iterable[str]) -> bool:
    """Return whether a variable is a setting with each of its values in several files."""
    given = [text for text in texts if text]
    return all(is_setting(name, text) for text in given or [""])


def is_connection(text: str) -> bool:
    """Return whether a text is a URL that usually has a password: `redis://localhost`.

    It may have none on a developer's machine, and one elsewhere.
    """
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.lower() not in _OPEN_SCHEMES


def _is_of_service(words: list[str]) -> bool:
    """Return whether a name is that of an address with a password, such as `DATABASE_URL`."""
    return words[-1] in _ADDRESSES and any(map(_SERVICES.search, words))


def _is_published(words: list[str], text: str) -> bool:
    """Return whether a value is public by its name, although it may look random."""
    name = "_".join(words)
    if _PUBLISHED.fullmatch(name) is None or not _CAPABILITIES.isdisjoint(words):
        return False
    others = [word for word in words if word not in _ALSO_PUBLISHED]
    if is_doubtful(others) or "SERVICE" in others:  # Supabase's SERVICE_ROLE_KEY
        return False
    form = _SENTRY_DSN if name.endswith("SENTRY_DSN") else _PUBLISHED_TEXT
    return form.fullmatch(text) is not None


def is_doubtful(words: Iterable[str]) -> bool:
    """Return whether one of the words may be in the name of a secret."""
    return any(word in _DOUBTFUL or _DOUBTFUL_PARTS.search(word) for word in words)


def _is_short_line(text: str) -> bool:
    """Return whether a text is one short line, and neither JSON nor `Name=value;Name=value`."""
    return (
        len(text) <= _MAX_CHARACTERS
        and text.isprintable()
        and text[:1] not in ("{", "[")
        and not (";" in text and "=" in text)
    )


def _is_open_url(url: str, words: list[str]) -> bool:
    """Return whether a URL has no user, and neither it nor its name says that it is private."""
    parts = {part.upper() for part in _CHUNK.findall(url)}
    return "@" not in url and _CAPABILITIES.isdisjoint(words) and _CAPABILITIES.isdisjoint(parts)


def _is_user_with_password(word: str, text: str) -> bool:
    """Return whether a password may follow the name of a user: `root:...`, `scott/...`."""
    return word in _USERS and any(separator in text for separator in ":/%")


def _is_opaque(text: str) -> bool:
    """Return whether a part of a text may be random: digits among letters, or very long."""
    return any(
        (len(chunk) >= _MIN_OPAQUE and not chunk.isalpha() and not chunk.isdecimal())
        or (len(chunk) >= _MIN_OPAQUE and chunk.isdecimal())
        or (len(chunk) >= _MIN_LONG)
        or (len(chunk) >= _MIN_OPAQUE and _changes_case(chunk))
        for chunk in _CHUNK.findall(text)
    )


def _changes_case(chunk: str) -> bool:
    """Return whether capitals follow small letters more often than in `camelCaseWords`."""
    changes = sum(one.islower() != two.islower() for one, two in itertools.pairwise(chunk))
    return changes > len(chunk) // 3


def _has_form_of_a_setting(text: str) -> bool:
    kind = kind_of(text)
    if kind in (ValueKind.INT, ValueKind.FLOAT):
        return sum(map(str.isdigit, text)) <= _MAX_DIGITS
    return (
        kind in (ValueKind.BOOL, ValueKind.URL)
        or _EMAIL.fullmatch(text) is not None
        or _DURATION.fullmatch(text) is not None
    )

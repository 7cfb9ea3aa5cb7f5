"""Decide whether a text that is written into a profile looks like a secret. Pure.

    suspect("API_TOKEN", "9f8b1c7e52d04a6b")  ->  Suspicion("a secret, by its name", certain=True)

Four signs count, the strongest first: the form of a vendor's token; a password in a URL or
connection string; the name of the variable; and whether the text looks random. Values of a
developer's machine (`postgresql://app:app@localhost`, `change-me`) are harmless. So are public
values (a UUID, a digest, a public key).

The result names the kind of secret and quotes nothing of the text. See docs/adr/0006.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from typing import NamedTuple

from envkit.detection.secret_names import (
    is_browser_name,
    is_password_name,
    is_public_name,
    is_secret_name,
    normal,
)
from envkit.detection.token_shapes import PUBLISHED, find_tokens
from envkit.detection.value_parts import credentials_of, host_of

PLACEHOLDER = "\0"  # replaces a placeholder in a text that is partly read from a store

_PUBLIC_FORM = re.compile(
    r"""[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}            # a UUID
    | sha\d{3}[:-]                                             # a digest
    | MI[IGHM] | LS0tLS1CRUdJTi(?:BQVUJMSUM|BDRVJU) | -----BEGIN\ (?:PUBLIC|CERT)  # DER, PEM
    | (?:ssh|ecdsa)-\S+\s | AAAA[BC]3 | age1                   # other public keys
    | (?:pk|price|prod|acct|cus|plan|tmpl|app|org|proj|team|ws|client)_   # what APIs count by
    | (?:vpc|subnet|sg|ami|eni|vol|i|rtb|igw|nat|fs|lt|snap)-[0-9a-f]{8}  # and clouds
    | (?:G|GTM|UA|AW)-                                         # what pages are measured by
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_HEX = re.compile(r"[0-9a-fA-F]+")
# text that a person writes in place of a secret, or if there is none
_STUB = re.compile(
    r"<.*>|\[.*\]|%.*%|\$.*|[^A-Za-z0-9]*|(.)\1*"
    r"|[\"'(]?(?:null|none|nil|undefined|n/?a|nan|unset|not[-_ ]?set|empty|blank|missing|void"
    r"|disabled|unused|true|false)[\"')]?"  # there is no secret
    r"|.*(?:example|change.?me|replace|your[-_ ]|dummy|fake|placeholder|redacted|todo|sample).*",
    re.IGNORECASE | re.DOTALL,
)
_PLACE = re.compile(r"\.{0,2}/|~/|arn:|.*://")  # the place of a secret, not the secret
# the words of well-known made-up passwords, and words that mark a password as one
_DEVELOPERS_WORDS = re.compile(
    r"(?:(?:admin|app|dev|development|demo|guest|insecure|local|localhost|minio|mongo|mysql|only"
    r"|pass|password|passwd|pg|postgres|postgresql|rabbitmq|redis|root|secret|test|testing|unsafe"
    r"|user)[^a-z]*)*"
)
_MARKER = re.compile(r"(?:^|[^a-z])(?:dev|development|demo|insecure|local|not|test|unsafe)[^a-z]")
_LOCAL_HOST = re.compile(
    r"localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[?::1\]?|host\.docker\.internal"
    r"|.*\.(?:localhost|local|test|example|invalid)|(?:.*\.)?example\.(?:com|org|net)",
    re.IGNORECASE,
)
_HOST_SETTING = re.compile(  # in a connection string: `Server=tcp:db.internal,1433;`
    r"(?:^|;)\s*(?:server|host|data source|endpoint)\s*=\s*(?:\w+:)?([^;,:]+)", re.IGNORECASE
)
# minimum lengths of a password, a secret with letters and digits, any other secret, and a random
# text, which also needs a run of the last length without punctuation
_MIN_PASSWORD, _MIN_MIXED, _MIN_SECRET, _MIN_RANDOM, _MIN_RUN = 4, 8, 16, 16, 12


class Suspicion(NamedTuple):
    """The kind of secret that a text looks like; not `certain` if the text only looks random."""

    what: str
    certain: bool


def suspect(name: str, text: str) -> Suspicion | None:
    """Return which kind of secret a literal looks like; None if it is harmless.

    Args:
        name: the name of the variable or key.
        text: its value, with PLACEHOLDER in place of each placeholder.
    """
    name = normal(name)
    for what, _ in find_tokens(text):
        if what not in PUBLISHED or not is_browser_name(name):
            return Suspicion(what, certain=True)
    inside = _inside(text)
    if inside is not None or PLACEHOLDER in text:
        return inside
    if _named(name, text):
        return Suspicion("a secret, by its name", certain=True)
    if is_public_name(name) or is_browser_name(name) or _PUBLIC_FORM.match(text):
        return None
    number = _HEX.fullmatch(text) and not name.endswith("KEY")
    if _TOKEN.fullmatch(text) and not number and random_looking(text):
        return Suspicion("a text that looks random", certain=False)
    return None


def random_looking(text: str) -> bool:
    """Return whether letters and digits in a text are mixed as in random text.

    In words and names, however long, small letters, capitals and digits seldom follow each
    other; in random text they change at every second or third character.
    """
    core = "".join(char for char in text if char.isalnum())
    kinds = ["digit" if c.isdigit() else "capital" if c.isupper() else "small" for c in core]
    if len(core) < _MIN_RANDOM or "digit" not in kinds or len(set(kinds)) == 1:
        return False
    if max(map(len, re.split(r"[-_.]", text))) < _MIN_RUN:  # `argon2id-v19-m65536-t3-p4`
        return False
    changes = sum(one != other for one, other in itertools.pairwise(kinds))
    return changes >= 0.25 * len(core) and _entropy_bits(core) >= 3.0


def _entropy_bits(text: str) -> float:
    """Return Shannon's entropy per character, in bits."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


def _inside(text: str) -> Suspicion | None:
    """Judge the credentials inside a URL, a connection string or JSON."""
    found = credentials_of(text)
    setting = _HOST_SETTING.search(text)
    host = setting[1] if setting else host_of(text)
    if not found or _LOCAL_HOST.fullmatch(host):
        return None
    for name, secret in found.items():
        if PLACEHOLDER in secret or _STUB.fullmatch(secret):
            continue
        if name == "password" and "://" in text:
            # a host without a dot is a container of a developer's machine or of a cluster
            if "." in host or not is_made_up(secret):
                return Suspicion("a URL with a password", certain=True)
        elif _named(normal(name.rpartition("/")[2]), secret):
            return Suspicion("a text with a secret in it", certain=True)
    return None


def _named(name: str, text: str) -> bool:
    """Return whether a normal name is that of a secret, and the value could be one."""
    if is_password_name(name):
        least = _MIN_PASSWORD
    elif is_secret_name(name):
        mixed = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
        least = _MIN_MIXED if mixed else _MIN_SECRET
    else:
        return False
    return (
        len(text) >= least
        and not text.isdecimal()
        and not any(map(str.isspace, text))
        and not _STUB.fullmatch(text)
        and not _PLACE.match(text)
        and not is_made_up(text)
    )


def is_made_up(text: str) -> bool:
    """Return whether a text is a typical made-up value: `postgres`, `dev-only`, `secret123`."""
    lower = text.lower()
    if _DEVELOPERS_WORDS.fullmatch(lower.lstrip("0123456789-_.")):
        return True
    return _MARKER.search(lower + " ") is not None and not any(
        random_looking(chunk) or (len(chunk) >= 12 and not chunk.isalnum())
        for chunk in re.split(r"[-_.:]+", text)
    )

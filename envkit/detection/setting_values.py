"""Tell the settings of an environment from its secrets, by name and value. Pure.

Stores and `.env` files contain both, and no profile has to say which is which. Searching for
`production` or `db.internal` in other files would find them everywhere.

    is_setting("NODE_ENV", "production")   ->  True
    is_setting("API_TOKEN", "production")  ->  False
"""

from __future__ import annotations

import re

from envkit.detection.logins import has_login
from envkit.detection.secret_literal import is_made_up, random_looking
from envkit.detection.secret_names import (
    is_browser_name,
    is_password_name,
    is_public_name,
    is_secret_name,
    normal,
)
from envkit.detection.token_shapes import find_tokens
from envkit.detection.value_parts import is_given_name

# words in names of secrets that `secret_names` is not sure about
_DOUBTFUL = re.compile(
    r"CREDENTIAL|PASS|PWD|SECRET|TOKEN|(?:^|_)(?:APIKEY|AUTH|CODE|CREDS?|HASH|JWT|KEYS?|LICEN[CS]E|LOGIN|OTP|PIN|PRIVATE|SALT|SEED"
    r"|SIGNING|WEBHOOK)(?:_|$)"
)
_PLACE = re.compile(  # a URL, a path, an e-mail address or a host
    r"[\w+.-]+://\S* | (?:\.{0,2}|~)/\S* | (?:[^<@]*<)?[^\s@]+@[\w-]+(?:\.[\w-]+)+>?"
    r"| [\w-]+(?:\.[\w-]+)+(?::\d+)? | [\w-]+:\d+",
    re.VERBOSE | re.ASCII,
)
_NUMBER = re.compile(r"[\d\s.,:/TZ+_-]+(?:[a-zA-Z]{1,3})?", re.ASCII)  # also a date or a duration
_SEGMENT = re.compile(r"[/?#&=:@.,;\s]+")
_WORD = re.compile(r"[A-Za-z][a-z]{0,13}|[A-Z]{1,14}")  # longer ones may be random letters
_UNSET = re.compile(
    r"(.)\1*|[^A-Za-z0-9]*|.*(?:change.?me|replace.?me|your[-_ ]|placeholder).*",
    re.IGNORECASE | re.DOTALL,
)


def is_setting(name: str, text: str) -> bool:
    """Return whether a value is a setting that anyone may read.

    Args:
        name: the name of the variable.
        text: its value, or a part of it that is a value by itself.
    """
    name = normal(name)
    if is_password_name(name) or is_secret_name(name):
        return False
    if any(find_tokens(text)) or has_login(text):
        return False
    if _PLACE.fullmatch(text):
        segments = _SEGMENT.split(text)
        return name.endswith("DSN") or not any(map(random_looking, segments))
    if is_public_name(name) or is_browser_name(name) or _NUMBER.fullmatch(text):
        return True
    words = text.replace(",", " ").split()
    return _DOUBTFUL.search(name) is None and all(map(is_given_name, words))


def is_common(text: str) -> bool:
    """Return whether finding a value says nothing: `postgres`, `changeme`, or any single word."""
    word = _WORD.fullmatch(text) or _UNSET.fullmatch(text)
    return word is not None or is_made_up(text)

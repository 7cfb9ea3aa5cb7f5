"""Decide whether a value is ordinary, so that a copy of it in another file is no leak. Pure.

A search for `production` or `db.internal` would find them everywhere. Every setting is ordinary,
and so is a value that is made of words, or is a place: `settings` is stricter, because what it
lets through may be committed.

    is_ordinary("NODE_ENV", "production")   ->  True
    is_ordinary("API_TOKEN", "production")  ->  False
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
from envkit.detection.settings import is_doubtful, is_setting
from envkit.detection.token_shapes import find_tokens
from envkit.detection.value_parts import is_given_name

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


def is_ordinary(name: str, text: str) -> bool:
    """Return whether finding a value in another file is no leak.

    Args:
        name: the name of the variable.
        text: its value, or a part of it that is a value by itself.
    """
    if is_setting(name, text):
        return True
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
    return not is_doubtful(name.split("_")) and all(map(is_given_name, words))


def is_common(text: str) -> bool:
    """Return whether finding a value says nothing: `postgres`, `changeme`, or any single word."""
    word = _WORD.fullmatch(text) or _UNSET.fullmatch(text)
    return word is not None or is_made_up(text)

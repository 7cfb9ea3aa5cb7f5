"""Recognize texts that contain a login or another credential, in any notation. Pure.

    has_login("app:hunter2@tcp(db:3306)/app")  ->  True
    has_login("https://example.com")           ->  False

`credentials_of` splits the notations that envkit understands. This module is for the question
whether a text may be shown: it only recognizes them, so it can know many more.
"""

from __future__ import annotations

import re

from envkit.detection.value_parts import credentials_of

_LOGIN = re.compile(
    r"""
    (?:^|[\s/:=,;"'])[^\s:/@]+:(?!//)[^\s@]+@  # app:hunter2@db, jdbc:oracle:thin:scott/tiger@db
    | (?:passw?|pwd|secret|token|credential|signature|(?:access|account|api).?key)\w*\s*=\s*[^\s&;,]
    | [?&\#](?:auth|code|hash|jwt|key|otp|sig)=[^&]     # in the query or fragment of a URL
    | \b(?:basic|bearer)\s+\S                    # in the header of a request
    """,
    re.VERBOSE | re.IGNORECASE,
)


def has_login(text: str) -> bool:
    """Return whether a text contains a password, a key or a token beside other things."""
    return bool(credentials_of(text)) or _LOGIN.search(text) is not None

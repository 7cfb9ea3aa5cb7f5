r"""The forms in which files contain a value: as it is, as base64, in a URL, in quotes. Pure.

    forms_of('pa"ss/word')  ->  {b'pa"ss/word': Form.PLAIN, b'pa\\"ss/word': Form.ESCAPED, ...}

A form is what stands between the delimiters, so it is found inside longer texts too. In base64, a
value may begin at any byte of the encoded text: each of the three alignments has its own form,
without the characters that also encode its neighbours.
"""

from __future__ import annotations

import base64
import html
import json
from enum import StrEnum
from urllib.parse import quote, quote_plus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SAFE_IN_URLS = ("", "/", "!'()*~", "!'()*~/")  # to strict encoders, lax ones, and JavaScript's


class Form(StrEnum):
    """How a value is written."""

    PLAIN = "plain"
    BASE64 = "base64"
    URL = "url-encoded"
    ESCAPED = "escaped"


def forms_of(text: str) -> dict[bytes, Form]:
    """Return every form of a value -> the name of the form.

    Args:
        text: the value; bytes that are not UTF-8 are surrogates, as in a `Secret`.
    """
    found: dict[bytes, Form] = {}
    for form, variants in (
        (Form.PLAIN, _plain(text)),
        (Form.ESCAPED, _escaped(text)),
        (Form.URL, _in_urls(text)),
    ):
        for variant in variants:
            found.setdefault(_encoded(variant), form)
    for variant in dict.fromkeys(_plain(text)):
        for encoded in _in_base64(_encoded(variant)):
            found.setdefault(encoded, Form.BASE64)
    return found


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a character, which JSON allows
        return text.encode("utf-8", "surrogatepass")


def _plain(text: str) -> Iterator[str]:
    yield text
    if "\n" in text:  # a checkout may change line ends
        unix = text.replace("\r\n", "\n")
        yield unix
        yield unix.replace("\n", "\r\n")


def _escaped(text: str) -> Iterator[str]:
    """Yield a value as quoted texts of JSON, YAML, shells, `.env` files and XML contain it."""
    for ascii_only in (True, False):
        quoted = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield quoted
        yield quoted.replace("/", "\\/")  # PHP
        yield _without_markup(quoted)
        yield quoted.replace("'", "\\'")  # JavaScript in single quotes
    backslashes = text.replace("\\", "\\\\")
    double = backslashes.replace('"', '\\"')
    dollars = double.replace("$", "\\$")
    for quoted in (
        double,
        double.replace("${", "\\${"),
        dollars,
        dollars.replace("`", "\\`"),
        backslashes.replace("'", "\\'"),
    ):
        one_line = quoted.replace("\r", "\\r")
        yield from (quoted, one_line, one_line.replace("\n", "\\n"))
    yield text.replace("$", "\\$")
    yield text.replace("$", "$$")  # Compose and Make
    yield text.replace("'", "'\\''")
    yield text.replace("'", "''")  # YAML and SQL
    for quote_marks in (True, False):
        yield html.escape(text, quote=quote_marks)
    yield html.escape(text, quote=False).replace('"', "&quot;").replace("'", "&apos;")


def _without_markup(quoted: str) -> str:
    """Return a JSON text as Go writes it."""
    for char in "<>&":
        quoted = quoted.replace(char, f"\\u{ord(char):04x}")
    return quoted


def _in_urls(text: str) -> Iterator[str]:
    raw = _encoded(text)
    for safe in _SAFE_IN_URLS:
        encoded = quote(raw, safe=safe)
        yield encoded
        yield _lower_hex(encoded)
    yield quote_plus(raw)
    yield _lower_hex(quote_plus(raw))


def _lower_hex(encoded: str) -> str:
    first, *others = encoded.split("%")
    return "%".join((first, *(part[:2].lower() + part[2:] for part in others)))


def _in_base64(raw: bytes) -> Iterator[bytes]:
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        # 8 bits of a neighbour reach into the second character, 16 bits into the third
        start = (0, 2, 3)[before]
        end = (before + len(raw)) * 8 // 6
        inner = encoded[start:end]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))

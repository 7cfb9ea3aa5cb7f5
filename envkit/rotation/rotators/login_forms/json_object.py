"""A login in a JSON object with a member `password`, as AWS and many teams store it."""

from __future__ import annotations

import json
import re

from envkit.rotation.rotators.login_forms.hosts import Host, hosts_of
from envkit.rotation.rotators.login_forms.parts import Found, Part, not_understood

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BLANK = re.compile(r"[ \t\n\r]*")
_HOST = ("host", "hostname", "server", "address", "endpoint")
_PORT = re.compile("[0-9]*")


def is_json(text: str) -> bool:
    """Return whether a text begins like a JSON object."""
    return text.lstrip().startswith("{")


def read_json(text: str) -> Found:
    """Find the login in a JSON object.

    Raises:
        RotationError: the text is not an object, or has no member `password`.
    """
    try:
        members = list(_members(text))
    except (ValueError, RecursionError):  # the message of `json` quotes the text
        raise not_understood("starts like a JSON object, but is not valid JSON") from None
    texts = [(name, part) for name, part, value in members if isinstance(value, str)]
    values = {name: value for name, _, value in members}
    passwords = tuple(part for name, part in texts if name == "password")
    users = tuple(part for name, part in texts if name in ("username", "user") and part.text)
    if not passwords:
        raise not_understood("is a JSON object without a 'password' string")
    others = tuple(
        part.text for name, part in texts if name not in ("password", "username", "user")
    )
    return Found(users, passwords, _hosts(values), json.dumps, len(members), others)


def _hosts(values: dict[str, object]) -> tuple[Host, ...]:
    found = [values.get(name) for name in _HOST]
    named = [text for text in found if isinstance(text, str) and text]
    port = str(values.get("port") or "")
    if not named:
        return ()
    if not _PORT.fullmatch(port):
        raise not_understood("is a JSON object whose port is not a number")
    try:
        hosts = hosts_of(named[0])
    except ValueError:
        hosts = (Host(named[0]),)  # of another kind: a path, an IPv6 address
    return tuple(one if one.port or not port else Host(one.name, int(port)) for one in hosts)


def _members(text: str) -> Iterator[tuple[str, Part, object]]:
    """Yield the members of an object: name, place, value.

    Raises:
        ValueError: the text is not an object.
    """
    decoder = json.JSONDecoder()
    place = _expect(text, _skip(text, 0), "{")
    if text[place : place + 1] == "}":
        _end(text, place + 1)
        return
    while True:
        name, place = decoder.raw_decode(text, place)
        if not isinstance(name, str):
            raise ValueError("not a name")  # noqa: TRY004 - like json
        start = _expect(text, _skip(text, place), ":")
        value, end = decoder.raw_decode(text, start)
        yield name, Part(start, end, value if isinstance(value, str) else ""), value
        place = _skip(text, end)
        if text[place : place + 1] == "}":
            return _end(text, place + 1)
        place = _expect(text, place, ",")


def _skip(text: str, place: int) -> int:
    match = _BLANK.match(text, place)
    return place if match is None else match.end()


def _expect(text: str, place: int, sign: str) -> int:
    if text[place : place + 1] != sign:
        raise ValueError("not an object")
    return _skip(text, place + 1)


def _end(text: str, place: int) -> None:
    if _skip(text, place) != len(text):
        raise ValueError("more than an object")

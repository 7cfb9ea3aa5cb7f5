"""Workflow commands that make GitHub's runner hide secrets in its log. Pure.

    >>> from envkit.secret import Secret
    >>> url = Secret("redis://:p%40ssw0rd@cache/0")
    >>> masks = github_masks({"URL": [url], "DEBUG": [Secret("1")]})
    >>> print(masks.commands, end="")
    ::add-mask::redis://:p%2540ssw0rd@cache/0
    ::add-mask::p%2540ssw0rd
    ::add-mask::p@ssw0rd
    >>> masks.unmasked
    ['DEBUG']

The runner replaces each mask wherever it appears in the log. So every text that is a secret by
itself is masked: the value from a store, the result of a filter, the whole value, and the password
in a URL, as it is written and as a program decodes it. Texts that are too short or too common to
be secret are not masked: `{`, `1` or `true` would black out the whole log.

Reference: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from envkit.detection.secret_literal import random_looking
from envkit.detection.token_shapes import find_tokens
from envkit.detection.value_parts import credentials_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envkit.secret import Secret

SHORTEST = 5  # characters
SHORTEST_NUMBER = 6  # digits; a port has at most five
FEWEST_DIFFERENT = 3  # characters; `-----` and `00000000` contain no secret
# true, null, none, yes and no are below SHORTEST
_WORDS = ("false", "undefined", "unset", "disabled", "enabled", "missing", "empty")
_ARMOUR = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")  # every key has the same lines
_PASSWORD_IN_URL = re.compile(r"://[^/?#\s:@]*:([^/?#\s]+)@")
_USER_IN_URL = re.compile(r"://([^/?#\s:@]+):?@")
# in an HTTP header: `Bearer TOKEN`
_SCHEME = re.compile(r"\s*(?:Basic|Bearer|Token|ApiKey|GenieKey|Bot)\s+(\S+)\s*", re.IGNORECASE)
# in a connection string: `host=db password='it\\'s'`, `Password="a;b";`, `AccountKey=...;`
_SETTING = re.compile(
    r"""(?:passw|pwd|secret|token|(?:account|access|private|api|shared)[_ ]?key|credential)
    \w*\s*=\s* (?:'((?:[^'\\]|\\.|'')+)' | "((?:[^"\\]|\\.|"")+)" | ([^\s;,&'"]+) )""",
    re.IGNORECASE | re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)|''|\"\"", re.DOTALL)
_AROUND_A_WORD = " \t\"',;:[]{}()"


class Masks(NamedTuple):
    """The commands, and the names of variables with a text that is too short to be masked."""

    commands: str
    unmasked: list[str]


def github_masks(secrets: Mapping[str, Iterable[Secret]]) -> Masks:
    """Return the workflow commands that make the runner mask secrets in its logs.

    Args:
        secrets: by variable, its value and the texts from which the value was built.

    Returns:
        one `::add-mask::` for each line of each text, because the runner masks line by line.
    """
    masks: dict[str, None] = {}
    unmasked = []
    for name, texts in secrets.items():
        for secret in texts:
            text = secret.to_bytes().decode("utf-8", "surrogateescape")
            found = dict.fromkeys(line for each in _texts_of(text) for line in _lines_of(each))
            masks |= found
            if text and not found and name not in unmasked:
                unmasked.append(name)
    # there are no line breaks, so '%' is the only character that must be escaped
    commands = [f"::add-mask::{mask.replace('%', '%25')}\n" for mask in masks]
    return Masks("".join(commands), unmasked)


def _texts_of(text: str) -> Iterator[str]:
    """Yield a text and the credentials in it."""
    yield text
    yield from _PASSWORD_IN_URL.findall(text)
    header = _SCHEME.fullmatch(text)
    if header is not None:
        yield header[1]
    for user in map(unquote, _USER_IN_URL.findall(text)):  # the user name may be a token
        if any(find_tokens(user)) or random_looking(user):
            yield user
    for setting in _SETTING.finditer(text):
        quoted = setting[1] or setting[2]
        yield quoted or setting[3]
        if quoted:
            yield _ESCAPED.sub(lambda found: found[1] or found[0][0], quoted)
    for found in (*_PASSWORD_IN_URL.findall(text), *credentials_of(text).values()):
        yield unquote(found, errors="surrogateescape")
        yield found
        try:
            yield json.loads(f'"{found}"', strict=False)
        except ValueError:
            continue


def _lines_of(text: str) -> Iterator[str]:
    for line in text.replace("\r", "\n").split("\n"):
        stripped = line.strip()
        if _may_be_secret(stripped):
            yield stripped


def _may_be_secret(line: str) -> bool:
    """Return whether a line has enough characters to be a secret."""
    word = line.strip(_AROUND_A_WORD)
    if len(word) < SHORTEST or len(set(word)) < FEWEST_DIFFERENT or word.lower() in _WORDS:
        return False
    if _ARMOUR.fullmatch(word):
        return False
    return len(word) >= SHORTEST_NUMBER or not word.isdigit()

"""Guess what an invalid line of TOML was meant to be. Pure; shows names, never a value."""

from __future__ import annotations

import re

from envkit.profile.placeholder import OPEN

# up to the value of the last key on the line that is not quoted
_ASSIGNMENT = re.compile(r"""^\s*(?P<export>export\s+)?(?P<key>[\w.-]+)\s*(?P<sign>[=:])\s*""")
_INNER = re.compile(r"""(?P<key>[\w-]+)\s*=\s*(?=[^\s"'{\[]|\{\{)""")
_PLACEHOLDER = re.compile(r"""\{\{ [^{}"'\n]* \}\}""", re.VERBOSE)  # without a string in it
_TRUTH = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false"}
_TRUTH["off"] = "false"


def hint_for(  # noqa: PLR0911 - one return per case
    text: str, line: int, column: int, reason: str
) -> str | None:
    """Return a hint on how to write a line of a profile that the TOML reader refused.

    Args:
        text: the text of the file.
        line: the 1-based line where the reader stopped.
        column: the 1-based column in that line.
        reason: the reader's message.

    Returns:
        the hint, or None if there is none: a line inside a multi-line string may look like a key.
    """
    lines = text.split("\n")
    before = "\n".join(lines[: line - 1])
    found = _ASSIGNMENT.match(lines[line - 1])
    if found is None or any(before.count(mark) % 2 for mark in ('"' * 3, "'" * 3)):
        return None
    if column <= found.end("export" if found["export"] else "key"):
        return None
    key, value = found["key"], found.string[found.end() :]
    if value.startswith("=") or not (value or key.isupper()):
        return None  # possibly the end of a base64 string
    if "overwrite" in reason:
        return f"'{key}' is written twice: keep one of the two"
    if "llegal" in reason and value.startswith(('"', "'")):
        return f'close the quotes on the same line: {key} = "..."'
    if value.startswith('"') and "\\" in value:
        return f"put a text with '\\' in single quotes: {key} = '...'"
    if value.startswith("{") and not value.startswith(OPEN):
        inner = _unquoted_in_table(value)
        return None if inner is None else _quoted(*inner)
    return _quoted(key, value)


def _unquoted_in_table(table: str) -> tuple[str, str] | None:
    """Return the first key of an inline table whose value is not quoted, and that value."""
    without_texts = re.sub(r"""(=\s*)("[^"]*"|'[^']*')""", r"\1''", table[1:])
    for inner in _INNER.finditer(without_texts):
        value = without_texts[inner.end() :]
        plain = re.match(r"[\w.+-]*", value)
        if value.startswith(OPEN) or (plain and not _is_toml(plain[0])):
            return inner["key"], value
    return None


def _is_toml(word: str) -> bool:
    return word in ("true", "false") or bool(re.fullmatch(r"[+-]?\d[\d._]*", word))


def _quoted(key: str, value: str) -> str:
    truth = _TRUTH.get(value.partition("#")[0].strip().casefold())
    if truth is not None:
        return f"write {key} = {truth}"
    placeholder = _PLACEHOLDER.match(value)
    rest = "" if placeholder is None else value[placeholder.end() :].lstrip()
    if placeholder is not None and (not rest or rest[0] in "#,}"):
        return f'put the value in quotes: {key} = "{placeholder[0]}"'
    if OPEN in value:
        mark = "'" if '"' in value else '"'
        return f"put the whole value in quotes: {key} = {mark}...{{{{ NAME }}}}...{mark}"
    if value[:1] in ('"', "'"):
        return f'write {key} = "...", alone on its line'
    return f'put the value in quotes: {key} = "..."'

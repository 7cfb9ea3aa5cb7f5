"""Validate names of environment variables. Pure."""

from __future__ import annotations

LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
WORD = LETTERS | frozenset("0123456789")


def is_name(text: str) -> bool:
    """Return whether `text` can be the name of a variable: `[A-Za-z_][A-Za-z0-9_]*`."""
    return text.isascii() and text.isidentifier()


_CHARACTERS = {
    "\n": "a newline",
    "\r": "a carriage return",
    "\t": "a tab",
    "\0": "a NUL",
    " ": "a space",
    "\x7f": "a delete character",
    "\ufeff": "a byte order mark",
    "\u00a0": "a no-break space",
}


def odd_character(text: str) -> str:
    """Return the name of a character that no token, key or address contains, or an empty text.

    Text from a clipboard or a file often ends with one, and `docker --env-file` includes the
    quotes around it. The rest of the text is not shown.
    """
    if len(text) > 1 and text[0] in "'\"" and text[0] == text[-1]:
        return "quotes"
    for character in text:
        if "!" <= character <= "~":
            continue
        if character in _CHARACTERS:
            return _CHARACTERS[character]
        return "a control character" if ord(character) < 32 else "a character that is not ASCII"
    return ""


def reserved_for(name: str) -> str:
    """Return for what a name is reserved, so that no app should get it; empty if it is not."""
    if name.startswith("DOTENV_PRIVATE_KEY"):
        return "is the key of an encrypted file, which belongs into .env.keys"
    return "configures envkit and not the app" if name.startswith("ENVKIT_") else ""

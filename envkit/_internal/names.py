"""Which names an environment variable can have. Pure."""

from __future__ import annotations

LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
WORD = LETTERS | frozenset("0123456789")


def is_name(text: str) -> bool:
    """Return whether `text` can be the name of a variable: `[A-Za-z_][A-Za-z0-9_]*`."""
    return text.isascii() and text.isidentifier()

"""`envkit env rotate-key`: replace the key pair of an encrypted file."""

from __future__ import annotations

EXAMPLE = "envkit env rotate-key --env prod"


def rotate_key() -> int:
    """Replace the key pair of a file, and encrypt its values anew."""
    raise NotImplementedError

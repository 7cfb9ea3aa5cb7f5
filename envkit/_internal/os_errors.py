"""Word the reason of an `OSError` for envkit's messages."""

from __future__ import annotations


def reason_of(error: BaseException, otherwise: str = "input or output failed") -> str:
    """Return why a call failed, in lower case: `permission denied`.

    Args:
        error: an `OSError`, or another error that the call raised.
        otherwise: the reason if the system gives none.
    """
    return (getattr(error, "strerror", None) or otherwise).lower()

"""Ask a person on the terminal; what they type never goes to stdout."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def somebody_is_there() -> bool:
    """Return whether a person can see a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """Return the line that a person types, empty at the end of input.

    Raises:
        KeyboardInterrupt: they pressed Ctrl-C.
    """
    print(question, end=" ", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().rstrip("\n")
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the shell's prompt has a line of its own
        raise


def ask_reason(protected: Sequence[str]) -> str:
    """Return why somebody uses protected profiles; nothing where nobody is there to ask."""
    if not somebody_is_there():
        return ""
    verb = "is" if len(protected) == 1 else "are"
    return ask(f"{' and '.join(protected)} {verb} protected. Reason:")

"""An error as text on stderr: what failed, each variable that it concerns, and what to do.

What an error quotes from a profile cannot control the terminal. A traceback is shown only
with `ENVKIT_DEBUG=1`: frames and types, and messages only of envkit's own errors, because
anything else might quote a value.
"""

from __future__ import annotations

import os
import sys

from envkit._internal.suggestions import Meant
from envkit.errors import (
    CommandNotFoundError,
    EnvkitError,
    ProfileNotFoundError,
    ResolutionError,
    UsageError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


# what a command line may be the reason of
_OF_COMMAND_LINES = (UsageError, ProfileNotFoundError, CommandNotFoundError)


def print_error(error: EnvkitError, arguments: Sequence[str] = ()) -> None:
    """Write an error and its hints to stderr.

    Args:
        error: what went wrong.
        arguments: of the command line, as in `sys.argv[1:]`, where that may be the reason.
    """
    summary, *details = error.lines()
    print_labelled("error", summary)
    for line in details:
        _print_line(line)
    for hint in _corrections(error, arguments) or error.hints():
        print_labelled("hint", hint)


def _corrections(error: EnvkitError, arguments: Sequence[str]) -> list[str]:
    """Return the hint that is the right command line; empty where there is none."""
    meant = isinstance(error.hint, Meant) and not isinstance(error, ResolutionError)
    if not (meant or isinstance(error, _OF_COMMAND_LINES)):
        return []
    try:
        from envkit.cli.corrections.command_line import corrected

        line = corrected(error, arguments, os.environ)
    except Exception:  # noqa: BLE001 - the error matters more than a better hint
        line = ""
    if not line:
        return []
    told = isinstance(error.hint, Meant) and error.hint.right in line
    return [f"{error.hint} run: {line}" if told else f"run: {line}"]


def print_labelled(kind: str, text: str) -> None:
    """Write one labelled line to stderr.

    Args:
        kind: `error`, `hint` or `warning`.
        text: what stands behind it.
    """
    label = f"envkit: {kind}:"
    if _coloured():
        label = f"\x1b[{'31' if kind == 'error' else '36'}m{label}\x1b[0m"
    _print_line(text, label=f"{label} ")


def _print_line(text: str, *, label: str = "") -> None:
    if not text.isprintable():
        from envkit.cli.output import printable

        text = printable(text)
    print(label + text, file=sys.stderr)


def _coloured() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def print_trace(error: BaseException) -> None:
    """Write where an error came from, if `ENVKIT_DEBUG` asks for it."""
    if os.environ.get("ENVKIT_DEBUG") not in ("1", "true", "yes"):
        return
    import traceback

    link: BaseException | None = error
    while link is not None:
        for frame in traceback.extract_tb(link.__traceback__):
            print(f"  {frame.filename}:{frame.lineno} in {frame.name}", file=sys.stderr)
        said = f": {link.lines()[0]}" if isinstance(link, EnvkitError) else ""
        print(f"{type(link).__name__}{said}", file=sys.stderr)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def place_of(error: BaseException) -> str:
    """Return the file and line that raised an error: `fetch.py:12`."""
    link = error.__traceback__
    while link is not None and link.tb_next is not None:
        link = link.tb_next
    if link is None:
        return "unknown"
    return f"{os.path.basename(link.tb_frame.f_code.co_filename)}:{link.tb_lineno}"

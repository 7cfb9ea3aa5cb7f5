"""Render an error on stderr: the message with its code, the variables, the hints.

Text from a profile cannot control the terminal. `ENVKIT_DEBUG=1` adds a traceback with frames and
types. It has only the messages of envkit's own errors, because others might quote a value.
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


# errors that a corrected command line may fix
_OF_COMMAND_LINES = (UsageError, ProfileNotFoundError, CommandNotFoundError)


def print_error(
    error: EnvkitError, arguments: Sequence[str] = (), *, message: str | None = None
) -> None:
    """Write an error with its code, and its hints, to stderr.

    Args:
        error: the error.
        arguments: the command line as in `sys.argv[1:]`, if it may be the cause.
        message: one line to write in place of the error's own lines.
    """
    summary, *details = _coded(error)
    if message is not None:
        summary, details = f"{message} [{_code(error)}]", []
    print_labelled("error", summary)
    for line in details:
        _print_line(line)
    for hint in _corrections(error, arguments) or error.hints():
        print_labelled("hint", hint)


def _code(error: EnvkitError) -> str:
    """Return the code that all failures of an error share, or else the error's own code."""
    failures = error.failures if isinstance(error, ResolutionError) else ()
    codes = {failure.error.code for failure in failures}
    return codes.pop() if len(codes) == 1 else error.code


def _coded(error: EnvkitError) -> list[str]:
    """Return the lines of an error with its code, or with the code of each failure if they vary."""
    summary, *details = error.lines()
    code = _code(error)
    if isinstance(error, ResolutionError) and code == error.code:
        ends = {}
        for failure in error.failures:
            end = f"[{failure.error.code}]"
            ends[f"  {failure}"] = f"  {failure} {end}"
            ends[f"  {failure.error.message}:"] = f"  {failure.error.message} {end}:"
        details = [ends.get(line, line) for line in details]
    return [f"{summary} [{code}]", *details]


def _corrections(error: EnvkitError, arguments: Sequence[str]) -> list[str]:
    """Return the corrected command line as a hint; empty if there is none."""
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
    has_word = isinstance(error.hint, Meant) and error.hint.right in line
    return [f"{error.hint} run: {line}" if has_word else f"run: {line}"]


def print_labelled(kind: str, text: str) -> None:
    """Write one labelled line to stderr.

    Args:
        kind: `error`, `hint` or `warning`.
        text: the text after the label.
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
    """Write a traceback without values if `ENVKIT_DEBUG` is set."""
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

"""The one place where an error becomes text on stderr and an exit status.

A traceback is shown only with `ENVKIT_DEBUG=1`: frames and types, and messages
only of envkit's own errors, because anything else might quote a value. Control characters in what
an error quotes from a profile are escaped.
"""

from __future__ import annotations

import os
import sys
from errno import EBADF, EDQUOT, EFBIG, EIO, ENOSPC

from envkit._internal.files import set_leaving
from envkit.errors import EnvkitError, ResolutionError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.errors import VariableFailure

INTERRUPTED = 130
BROKEN_PIPE = 141
# what a write to stdout fails with; errors of files are mapped where they are written
_WRITE_FAILURES = (EBADF, EDQUOT, EFBIG, EIO, ENOSPC)


def guarded(command: Callable[[], int]) -> int:
    """Return the exit status of `command`, telling its error where it raises one."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _replace_closed_streams()
    before = set_leaving(None)
    try:
        status = command()
        sys.stdout.flush()
    except EnvkitError as error:
        print_error(error)
        _trace(error)
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()  # its reader has gone
        return BROKEN_PIPE
    except Exception as bug:  # noqa: BLE001 - its message might quote a value
        if isinstance(bug, OSError) and bug.errno in _WRITE_FAILURES and bug.filename is None:
            print_error(UsageError(f"cannot write to stdout: {os.strerror(bug.errno).lower()}"))
            _trace(bug)
            _silence_stdout()
            return UsageError.exit_status
        _print_labelled("error", f"internal error: {type(bug).__name__} at {_place(bug)}")
        _print_labelled("hint", "run again with ENVKIT_DEBUG=1 and report what it shows")
        _trace(bug)
        return EnvkitError.exit_status
    finally:
        set_leaving(before)
    return status


def _replace_closed_streams() -> None:
    """Put a stream in the place of each that the caller has closed, where Python has none.

    It fails as the closed one would, but for stderr, which is silent. A program that is
    started does not inherit it.
    """
    for name, mode, flags in (
        ("stdin", "r", os.O_WRONLY),
        ("stdout", "w", os.O_RDONLY),
        ("stderr", "w", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            stream = open(os.open(os.devnull, flags), mode, errors="backslashreplace")  # noqa: SIM115
            setattr(sys, name, stream)


def _silence_stdout() -> None:
    """Keep the interpreter from complaining at exit about what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(error: EnvkitError) -> None:
    """Write an error and its hint to stderr."""
    _print_labelled("error", error.message)
    hints = [error.hint] if error.hint else []
    if isinstance(error, ResolutionError):
        hints = _print_failures(error)
    for hint in hints:
        _print_labelled("hint", hint)


def _print_failures(error: ResolutionError) -> list[str]:
    """Write each failed variable under its cause; return the distinct hints."""
    by_cause: dict[str, list[VariableFailure]] = {}
    for failure in error.failures:
        by_cause.setdefault(failure.error.message, []).append(failure)
    for message, failures in by_cause.items():
        if len(failures) == 1:
            _print_line(f"  {failures[0].name} ({failures[0].location}): {message}")
            continue
        _print_line(f"  {message}:")
        for failure in failures:
            _print_line(f"    {failure.name} ({failure.location})")
    hints = [failure.error.hint for failure in error.failures if failure.error.hint]
    return list(dict.fromkeys(hints))


def _print_labelled(kind: str, text: str) -> None:
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


def _trace(error: BaseException) -> None:
    if os.environ.get("ENVKIT_DEBUG") not in ("1", "true", "yes"):
        return
    import traceback

    link: BaseException | None = error
    while link is not None:
        for frame in traceback.extract_tb(link.__traceback__):
            print(f"  {frame.filename}:{frame.lineno} in {frame.name}", file=sys.stderr)
        text = f": {link.message}" if isinstance(link, EnvkitError) else ""
        print(f"{type(link).__name__}{text}", file=sys.stderr)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"

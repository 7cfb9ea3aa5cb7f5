"""The one place where an error becomes text on stderr and an exit status.

A traceback is shown only with `ENVKIT_DEBUG=1`: frames and types, and messages
only of envkit's own errors, because anything else might quote a value.
"""

from __future__ import annotations

import os
import sys

from envkit.errors import EnvkitError, ResolutionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.errors import VariableFailure

INTERRUPTED = 130
BROKEN_PIPE = 141


def guarded(command: Callable[[], int]) -> int:
    """Return the exit status of `command`, telling its error where it raises one."""
    try:
        status = command()
        sys.stdout.flush()
    except EnvkitError as error:
        tell(error)
        _trace(error)
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # the reader has gone; keep the interpreter from complaining about it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as bug:  # noqa: BLE001 - its message might quote a value
        _complain("error", f"internal error: {type(bug).__name__} at {_place(bug)}")
        _complain("hint", "run again with ENVKIT_DEBUG=1 and report what it shows")
        _trace(bug)
        return EnvkitError.exit_status
    return status


def tell(error: EnvkitError) -> None:
    """Write an error and its hint to stderr."""
    _complain("error", error.message)
    hints = [error.hint] if error.hint else []
    if isinstance(error, ResolutionError):
        hints = _tell_failures(error)
    for hint in hints:
        _complain("hint", hint)


def _tell_failures(error: ResolutionError) -> list[str]:
    """Write each failed variable under its cause; return the distinct hints."""
    by_cause: dict[str, list[VariableFailure]] = {}
    for failure in error.failures:
        by_cause.setdefault(failure.error.message, []).append(failure)
    for message, failures in by_cause.items():
        if len(failures) == 1:
            print(f"  {failures[0].name} ({failures[0].location}): {message}", file=sys.stderr)
            continue
        print(f"  {message}:", file=sys.stderr)
        for failure in failures:
            print(f"    {failure.name} ({failure.location})", file=sys.stderr)
    hints = [failure.error.hint for failure in error.failures if failure.error.hint]
    return list(dict.fromkeys(hints))


def _complain(kind: str, text: str) -> None:
    label = f"envkit: {kind}:"
    if _coloured():
        label = f"\x1b[{'31' if kind == 'error' else '36'}m{label}\x1b[0m"
    print(f"{label} {text}", file=sys.stderr)


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
        said = f": {link.message}" if isinstance(link, EnvkitError) else ""
        print(f"{type(link).__name__}{said}", file=sys.stderr)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"

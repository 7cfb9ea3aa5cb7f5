"""The one place where an error becomes text on stderr and an exit status.

A traceback is shown only with `ENVKIT_DEBUG=1`: frames and types, and messages
only of envkit's own errors, because anything else might quote a value. What an error quotes
from a profile cannot control the terminal.
"""

from __future__ import annotations

import os
import sys
from errno import EBADF, EDQUOT, EFBIG, EIO, ENOSPC

from envkit._internal.files import set_leaving
from envkit.errors import EnvkitError, ResolutionError, UsageError
from envkit.sources.registry import set_guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.errors import VariableFailure
    from envkit.trust.guard import Guard

INTERRUPTED = 130
BROKEN_PIPE = 141
# what a write to stdout fails with; errors of files are mapped where they are written
_NOT_WRITABLE = (EBADF, EDQUOT, EFBIG, EIO, ENOSPC)


def guarded(command: Callable[[], int]) -> int:
    """Return the exit status of `command`, telling its error where it raises one."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _stand_in_for_closed()
    guard = _guard_of_one_run()
    guard_before = set_guard(guard)
    leaving_before = set_leaving(lambda root, target: guard().may_leave(root, target))
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
        _silence_stdout()  # its reader has gone
        return BROKEN_PIPE
    except Exception as bug:  # noqa: BLE001 - its message might quote a value
        if isinstance(bug, OSError) and bug.errno in _NOT_WRITABLE and bug.filename is None:
            tell(UsageError(f"cannot write to stdout: {os.strerror(bug.errno).lower()}"))
            _trace(bug)
            _silence_stdout()
            return UsageError.exit_status
        _complain("error", f"internal error: {type(bug).__name__} at {_place(bug)}")
        _complain("hint", "run again with ENVKIT_DEBUG=1 and report what it shows")
        _trace(bug)
        return EnvkitError.exit_status
    finally:
        set_guard(guard_before)
        set_leaving(leaving_before)
    return status


def _guard_of_one_run() -> Callable[[], Guard]:
    """Return what makes the guard when it is first needed: most profiles need no trust."""
    made: list[Guard] = []

    def guard() -> Guard:
        if not made:
            from envkit.cli.trusting import new_guard

            made.append(new_guard(os.environ))
        return made[0]

    return guard


def _stand_in_for_closed() -> None:
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
            _say(f"  {failures[0].name} ({failures[0].location}): {message}")
            continue
        _say(f"  {message}:")
        for failure in failures:
            _say(f"    {failure.name} ({failure.location})")
    hints = [failure.error.hint for failure in error.failures if failure.error.hint]
    return list(dict.fromkeys(hints))


def _complain(kind: str, text: str) -> None:
    label = f"envkit: {kind}:"
    if _coloured():
        label = f"\x1b[{'31' if kind == 'error' else '36'}m{label}\x1b[0m"
    _say(text, label=f"{label} ")


def _say(text: str, *, label: str = "") -> None:
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

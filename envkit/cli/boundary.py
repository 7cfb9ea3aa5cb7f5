"""The one place where an error becomes text on stderr and an exit status.

`error_text` renders the text. It is imported only after an error.
"""

from __future__ import annotations

import os
import sys
from errno import EBADF, EDQUOT, EFBIG, EIO, ENOSPC
from io import TextIOWrapper

from envkit._internal.files import set_leaving
from envkit.errors import EnvkitError, UsageError
from envkit.sources.registry import set_guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envkit.trust.guard import Guard

INTERRUPTED = 130
BROKEN_PIPE = 141
# the errors of a write to stdout; errors of files are mapped at the write
_WRITE_FAILURES = (EBADF, EDQUOT, EFBIG, EIO, ENOSPC)


def guarded(command: Callable[[], int], arguments: Sequence[str] = ()) -> int:
    """Run `command`, print the error that it raises, and return the exit status.

    Args:
        command: the function to run.
        arguments: as in `sys.argv[1:]`, so that a hint can correct them.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _replace_closed_streams()
    encode_streams()
    guard = _guard_of_one_run()
    guard_before = set_guard(guard)
    leaving_before = set_leaving(lambda root, target: guard().may_leave(root, target))
    try:
        status = command()
        sys.stdout.flush()
    except EnvkitError as error:
        from envkit.cli.error_text import print_error, print_trace

        print_error(error, arguments)
        print_trace(error)
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()  # the reader of the pipe has ended
        return BROKEN_PIPE
    except Exception as bug:  # noqa: BLE001 - its message might quote a value
        from envkit.cli.error_text import place_of, print_error, print_labelled, print_trace

        if isinstance(bug, OSError) and bug.errno in _WRITE_FAILURES and bug.filename is None:
            print_error(UsageError(f"cannot write to stdout: {os.strerror(bug.errno).lower()}"))
            print_trace(bug)
            _silence_stdout()
            return UsageError.exit_status
        print_labelled(
            "error", f"internal error: {type(bug).__name__} at {place_of(bug)} [internal]"
        )
        print_labelled("hint", "run again with ENVKIT_DEBUG=1 and report the output")
        print_trace(bug)
        return EnvkitError.exit_status
    finally:
        set_guard(guard_before)
        set_leaving(leaving_before)
    return status


def _guard_of_one_run() -> Callable[[], Guard]:
    """Return a function that creates the guard at its first call: most profiles need none."""
    made: list[Guard] = []

    def guard() -> Guard:
        if not made:
            from envkit.cli.interaction.trusting import new_guard

            made.append(new_guard(os.environ))
        return made[0]

    return guard


def _replace_closed_streams() -> None:
    """Replace each standard stream that the caller has closed.

    Using the replacement fails like the closed stream, except for stderr, which discards text.
    Programs that envkit starts do not inherit it.
    """
    for name, mode, flags in (
        ("stdin", "r", os.O_WRONLY),
        ("stdout", "w", os.O_RDONLY),
        ("stderr", "w", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            stream = open(os.open(os.devnull, flags), mode, errors="backslashreplace")  # noqa: SIM115
            setattr(sys, name, stream)


def encode_streams() -> None:
    """Write UTF-8 to pipes and files. On a terminal, escape what it cannot show."""
    restarted = "utf8" in sys._xoptions  # noqa: SLF001 - see `utf8_mode`
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            encoding = stream.encoding
            if restarted or encoding != "utf-8":
                encoding = _encoding_of(stream)
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _encoding_of(stream: TextIOWrapper) -> str:
    """Return the encoding of a stream if the locale or PYTHONIOENCODING is not UTF-8."""
    if not stream.isatty():
        return "utf-8"
    if os.environ.get("PYTHONIOENCODING"):
        return stream.encoding
    from locale import getencoding

    return getencoding()


def _silence_stdout() -> None:
    """Discard buffered output, so that the interpreter does not report it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

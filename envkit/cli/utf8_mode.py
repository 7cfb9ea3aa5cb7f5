"""Text is UTF-8 whatever the locale says: envkit starts again in Python's UTF-8 mode.

Python decodes arguments, variables and file names by the locale, and a running interpreter
cannot change that. In a locale that is not UTF-8, a value would be encoded twice, and a
profile with a name that is not ASCII would not be found.

What always holds: the process, its environment and its streams stay the same, and the
arguments arrive byte for byte. Programs that envkit starts are not in UTF-8 mode by it.

Reference: PEP 540
"""

from __future__ import annotations

import os
import sys

from envkit._internal.os_errors import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTION = (b"-X", b"utf8")


def restart(arguments: Sequence[str]) -> None:
    """Start this command again in UTF-8 mode; exit with status 126 where that fails.

    Returns only in a program that calls envkit with arguments that are not its own: there is
    nothing to start again.

    Args:
        arguments: of the command, as in `sys.argv[1:]`.
    """
    if not _are_its_own(arguments):
        return
    try:
        python, *words = _command_line()
        os.execv(python, [python, *_OPTION, *words])  # noqa: S606 - ourselves
    except (OSError, UnicodeEncodeError) as error:
        from envkit.cli.error_text import print_error
        from envkit.errors import NotExecutableError

        reason = reason_of(error, "its name is not text")
        failed = NotExecutableError(
            f"cannot start {sys.executable} in UTF-8 mode: {reason}",
            hint="use a UTF-8 locale, such as LC_ALL=C.UTF-8",
        )
        print_error(failed)
        sys.exit(failed.exit_status)


def _are_its_own(arguments: Sequence[str]) -> bool:
    """Return whether this process was started as envkit with these arguments."""
    end = len(sys.orig_argv) - len(arguments)
    before, after = sys.orig_argv[:end], sys.orig_argv[end:]
    # a script is its own name; `-m envkit` and `-c CODE` are not
    started = before[-1:] == sys.argv[:1] or any(word[:1] == "-" for word in before[-2:])
    return started and after == list(arguments)


def _command_line() -> list[bytes]:
    """Return the interpreter's path, and the arguments of this process as the kernel has them.

    Python decodes them with the C library and encodes them with its own codec. The two do not
    agree on every character of EUC-JP, GB18030 or Big5.
    """
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = file.read().split(b"\0")[:-1]
    except OSError:  # not Linux, or not allowed
        words = []
    if len(words) != len(sys.orig_argv):
        words = [*map(os.fsencode, sys.orig_argv)]
    # without a folder it was found in PATH
    python = words[0] if b"/" in words[0] else os.fsencode(sys.executable)
    return [python, *words[1:]]

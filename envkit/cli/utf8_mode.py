"""Use UTF-8 in every locale: envkit restarts itself in Python's UTF-8 mode.

Python decodes arguments, variables and file names with the locale, and a running interpreter
cannot change that. In a locale that is not UTF-8, values would be encoded twice, and a
profile with a name that is not ASCII would not be found.

Guarantees: the process, its environment and its streams stay the same, and arguments arrive
byte for byte. Programs that envkit starts do not inherit UTF-8 mode.

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
    """Restart this command in UTF-8 mode; exit with status 126 if that fails.

    Returns only if a program calls envkit with arguments other than those of its process, because
    there is no command to restart.

    Args:
        arguments: the arguments of the command, as in `sys.argv[1:]`.
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
    # `sys.argv` starts with the name of a script, but not with `-m envkit` or `-c CODE`
    started = before[-1:] == sys.argv[:1] or any(word[:1] == "-" for word in before[-2:])
    return started and after == list(arguments)


def _command_line() -> list[bytes]:
    """Return the interpreter's path and the arguments of this process from the kernel.

    Python decodes arguments with the C library and encodes them with its own codec. The two
    disagree on some characters of EUC-JP, GB18030 and Big5.
    """
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = file.read().split(b"\0")[:-1]
    except OSError:  # not Linux, or not permitted
        words = []
    if len(words) != len(sys.orig_argv):
        words = [*map(os.fsencode, sys.orig_argv)]
    # a path without a folder was found in PATH
    python = words[0] if b"/" in words[0] else os.fsencode(sys.executable)
    return [python, *words[1:]]

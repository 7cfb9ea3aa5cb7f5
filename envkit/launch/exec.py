"""Replace this process with the app.

The app gets the process ID, the terminal and every signal, because no envkit process stays in
between. envkit first refuses what the kernel would refuse, and names the variable.

Reference: execve(2), "Limits on size of arguments and environment"
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import ModuleType
    from typing import Any, NoReturn

    from envkit.errors import CommandNotFoundError, LimitError, NotExecutableError

MAX_VARIABLE_BYTES = 131_071  # `K=V`: MAX_ARG_STRLEN is 32 pages with the final NUL
POINTER_BYTES = 8
COERCED_LOCALES = (b"C.UTF-8", b"C.utf8", b"UTF-8")
# variables that a program needs in any environment, none of them secret
PRISTINE = (b"PATH", b"HOME", b"USER", b"LOGNAME", b"SHELL", b"TERM", b"LANG", b"TZ", b"TMPDIR")
_BOOTSTRAP_PREFIXES = (b"ENVKIT_", b"DOTENV_PRIVATE_KEY")


def parent_environment(environ: "Mapping[bytes, bytes] | None" = None) -> dict[bytes, bytes]:
    """Return the variables that this process was started with.

    In the C locale, which most containers have, Python sets LC_CTYPE for itself. The app would
    inherit it, and sort and read text differently.

    Args:
        environ: the variables as they are now. [default: those of `os.environb`]

    Reference: PEP 538
    """
    parent = dict(os.environb if environ is None else environ)
    if parent.get(b"LC_CTYPE") in COERCED_LOCALES:
        try:
            with open("/proc/self/environ", "rb") as file:
                given = file.read().split(b"\0")
        except OSError:  # not Linux, or not allowed
            return parent
        del parent[b"LC_CTYPE"]
        for variable in given:
            if variable.startswith(b"LC_CTYPE="):
                parent[b"LC_CTYPE"] = variable.removeprefix(b"LC_CTYPE=")
    return parent


def merged(
    variables: "Mapping[bytes, bytes]",
    dropped: "Collection[bytes]",
    parent: "Mapping[bytes, bytes]",
    *,
    pristine: bool = False,
) -> dict[bytes, bytes]:
    """Return the variables for a program: the parent's without `dropped`, and `variables`.

    With `pristine`, only PRISTINE and `LC_*` of the parent's are passed.
    """
    result = {
        name: value
        for name, value in parent.items()
        if name not in dropped
        and not name.startswith(_BOOTSTRAP_PREFIXES)
        and (not pristine or name in PRISTINE or name.startswith(b"LC_"))
    }
    result.update(variables)
    return result


def check_limits(arguments: "Sequence[bytes]", environ: "Mapping[bytes, bytes]") -> None:
    """Refuse variables and arguments that exceed the limits of the kernel.

    Raises:
        LimitError: the error names the variable, or the largest ones if the total is too large.
    """
    sizes = {name: len(name) + 1 + len(value) for name, value in environ.items()}
    if sys.platform == "linux":
        for name, size in sizes.items():
            if size > MAX_VARIABLE_BYTES:
                raise _too_large(
                    f"{name.decode()} has {size:,} bytes with its name; "
                    f"the kernel passes at most {MAX_VARIABLE_BYTES:,}",
                    hint='give it to the program as a file: add as = "file" to the variable',
                )
    strings = sum(sizes.values()) + sum(map(len, arguments)) + len(arguments) + len(sizes)
    total = strings + POINTER_BYTES * (len(arguments) + len(sizes))
    limit = os.sysconf("SC_ARG_MAX")
    if 0 < limit < total:
        largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:3]
        names = ", ".join(f"{name.decode()} ({sizes[name]:,})" for name in largest)
        raise _too_large(
            f"arguments and variables have {total:,} bytes; the kernel passes at most {limit:,}; "
            f"the largest are {names}",
            hint="leave some out with --except, or raise the stack limit (ulimit -s)",
        )


def replace_process(command: "Sequence[str]", environ: "Mapping[bytes, bytes]") -> "NoReturn":
    """Replace this process with `command`, which is looked up in the PATH of the new environment.

    Args:
        command: the program and its arguments.
        environ: its complete environment.

    Raises:
        LimitError: raised before anything runs.
        CommandNotFoundError: the program does not exist.
        NotExecutableError: the program exists but cannot be run.
    """
    arguments = [os.fsencode(argument) for argument in command]
    check_limits(arguments, environ)
    pythons = _restore_signals()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        _become(arguments, dict(environ))
    except FileNotFoundError:
        if os.sep in command[0] and os.path.exists(command[0]):
            raise _not_executable(
                f"cannot run {command[0]}: its interpreter does not exist",
                hint="correct its first line (#!)",
            ) from None
        raise _not_found(command[0]) from None
    except OSError as error:
        if isinstance(error, NotADirectoryError) and os.sep not in command[0]:
            raise _not_found(command[0]) from None  # an entry of PATH is not a folder
        from errno import ENOEXEC

        from envkit._internal.os_errors import reason_of

        reason = reason_of(error, "error")
        hint = "if it is a script, begin it with #!/bin/sh" if error.errno == ENOEXEC else None
        raise _not_executable(f"cannot run {command[0]}: {reason}", hint=hint) from None
    finally:  # reached only if the program was not replaced; its pipes may close
        for number, handler in pythons:
            signal_module().signal(number, handler)


def _become(arguments: list[bytes], environ: dict[bytes, bytes]) -> "NoReturn":
    """Call `os.execvpe`, which imports `warnings` to look up a program without a slash."""
    for folder in environ.get(b"PATH", b"").split(b":"):
        path = folder + b"/" + arguments[0]
        if folder and b"/" not in arguments[0] and os.access(path, os.X_OK):
            try:
                os.execvpe(path, arguments, environ)  # noqa: S606 - this is the purpose
            except OSError:
                break
    os.execvpe(arguments[0], arguments, environ)  # noqa: S606


# with an answer of the agent, importing `errors` would be a tenth of the time


def _too_large(message: str, *, hint: str) -> "LimitError":
    from envkit.errors import LimitError

    return LimitError(message, hint=hint)


def _not_executable(message: str, *, hint: str | None) -> "NotExecutableError":
    from envkit.errors import NotExecutableError

    return NotExecutableError(message, hint=hint)


def _not_found(program: str) -> "CommandNotFoundError":
    from envkit.errors import CommandNotFoundError

    return CommandNotFoundError(
        f"no program '{program}'", hint="check its name, or the PATH of the environment"
    )


def end_on_signals() -> None:
    """Let SIGTERM and SIGINT end this process even if it is the first one of its container.

    The kernel ignores a signal to process 1 if the process has no handler for it. Without
    these handlers, a container that waits for a store could not be stopped. They are reset
    to the defaults before the app replaces this process.
    """
    signals = signal_module()
    for number in (signals.SIGTERM, signals.SIGINT):
        signals.signal(number, lambda number, _: os._exit(128 + number))


def _restore_signals() -> "list[tuple[int, Any]]":
    """Restore the signals that Python changed at its start, as `subprocess` does.

    Returns:
        the previous handlers, by signal.
    """
    signals = signal_module()
    numbers = [getattr(signals, name, None) for name in ("SIGPIPE", "SIGXFSZ")]
    return [
        (number, signals.signal(number, signals.SIG_DFL))
        for number in numbers
        if number is not None
    ]


def signal_module() -> "ModuleType":
    """Return the module of signals: `_signal` if it exists."""
    try:  # without the enums of `signal`, which cost 3 ms
        import _signal as module  # type: ignore[import-not-found]
    except ImportError:
        import signal as module
    return module  # type: ignore[no-any-return]

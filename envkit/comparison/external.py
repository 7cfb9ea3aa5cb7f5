"""Sides without a profile: a `.env` file, this process, or another process.

Nothing declares which of their values are secret, so all of them are treated as secret.
"""

from __future__ import annotations

import os

from envkit._internal.clock import Deadline
from envkit._internal.files import read_capped
from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit.comparison.side import Side
from envkit.dotenv.file import LIMIT_BYTES, parse
from envkit.dotenv.parser import ENCRYPTED, decode
from envkit.errors import DeniedError, SourceError, UsageError, VariableFailure
from envkit.resolution.environment import Environment, Origin, Variable
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PIPE_TIMEOUT_SECONDS = 15.0  # `file:/dev/fd/63`, or a named pipe
MAX_ENVIRON_BYTES = 16 * 1024 * 1024  # the kernel allows a quarter of the stack's limit


def file_side(
    label: str, path: str, environ: Mapping[str, str], aliases: Mapping[str, str]
) -> Side:
    """Return the variables of a `.env` file.

    Args:
        label: the name of the side in the report.
        path: relative to the working directory; `~` is the home directory.
        environ: where to look up `${NAME}` if the file does not set it.
        aliases: aliases of the compared profiles -> their names.

    Raises:
        DotenvError: it is unclear which variables the file sets.
        DeniedError: the file may not be read.
        UsageError: the file does not exist.
    """
    shown = display_path(os.path.expanduser(path))
    try:
        data = read_capped(
            os.path.expanduser(path), LIMIT_BYTES, pipe_until=Deadline(PIPE_TIMEOUT_SECONDS)
        )
    except PermissionError:
        raise DeniedError(f"cannot read {shown}: permission denied") from None
    except OSError as error:
        reason = reason_of(error)
        raise UsageError(f"cannot read {shown}: {reason}") from None
    text = decode(data, path=shown)
    decrypt = None
    if ENCRYPTED in text:
        from envkit.encryption.reading import Decrypter

        real = os.path.abspath(os.path.expanduser(path))
        folder = os.path.dirname(real)
        decrypt = Decrypter(shown, path=real, root=folder, environ=environ).value
    file = parse(text, path=shown, expand=True, environ=environ, decrypt=decrypt)
    if file.unclear is not None:
        raise file.unclear
    variables, failures = [], []
    for name, entry in file.entries.items():
        place = f"{shown}:{entry.line}"
        try:
            variables.append(_variable(label, name, entry.value, place))
        except SourceError as error:
            failures.append(VariableFailure(name, place, error))
    environment = Environment(label, variables)
    stem = _environment_of(path)
    return Side(
        label,
        environment,
        failures=failures,
        belongs_to=aliases.get(stem, stem),
        assumed=True,
    )


def _environment_of(path: str) -> str:
    """Return the environment in a file's name, `prod` for `.env.prod`, or else its path."""
    name = os.path.basename(path)
    stem = name.removeprefix(".env.") if name.startswith(".env.") else name.removesuffix(".env")
    return stem if stem and stem != name else os.path.abspath(path)


def this_process(label: str, environ: Mapping[str, str]) -> Side:
    """Return the variables of envkit's own process environment."""
    return _process(label, dict(environ), "env")


def other_process(label: str, pid: str) -> Side:
    """Return the variables that a running process was started with.

    Raises:
        UsageError: the process does not exist, or there is no `/proc`.
        DeniedError: the process belongs to another user.
    """
    try:
        with open(f"/proc/{int(pid)}/environ", "rb") as file:
            data = file.read(MAX_ENVIRON_BYTES)
    except PermissionError:
        raise DeniedError(
            f"cannot read the environment of process {pid}: permission denied",
            hint="run envkit as the user of that process",
        ) from None
    except (FileNotFoundError, ProcessLookupError):
        what = f"there is no process {pid}" if os.path.isdir("/proc/self") else "there is no /proc"
        raise UsageError(f"{label}: {what}") from None
    entries = (entry.partition(b"=") for entry in data.split(b"\0") if b"=" in entry)
    values = {
        name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for name, _, value in entries
    }
    return _process(label, values, f"pid {pid}")


def _process(label: str, values: Mapping[str, str], place: str) -> Side:
    variables = [_variable(label, name, value, place) for name, value in values.items()]
    return Side(label, Environment(label, variables), assumed=True)


def _variable(label: str, name: str, value: str, place: str) -> Variable:
    return Variable(name, Secret(value), True, label, None, (Origin(label, place, None),))  # noqa: FBT003

"""The variables and files that a program gets from an environment."""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.launch.exec import merged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.resolution.environment import Environment

STALE = b"ENVKIT_STALE"  # tells a program that a store was unavailable and its values are old


class FileContent(NamedTuple):
    """The value of a variable with `as = "file"`, and the mode of its file."""

    data: bytes
    mode: int

    def __repr__(self) -> str:
        return f"FileContent(mode={self.mode:#o})"


def overlay(
    environment: Environment,
    parent: Mapping[bytes, bytes],
    *,
    pristine: bool = False,
    files: dict[bytes, FileContent] | None = None,
) -> dict[bytes, bytes]:
    """Return the variables for a program; the environment overrides the parent.

    Args:
        environment: the variables of the profile.
        parent: the variables of this process, as in `os.environb`.
        pristine: of the parent's variables, pass only PRISTINE and `LC_*`.
        files: receives the variables with `as = "file"`, for `app_files`.

    Returns:
        the parent's variables without envkit's own settings, and the environment's but those with
        `as = "file"`.
    """
    variables = {} if environment.stale_seconds is None else {STALE: b"1"}
    dropped = {name.encode() for name in environment.bootstrap}
    for variable in environment.variables():
        name, value = variable.name.encode(), variable.value.to_bytes()
        if variable.file_mode is None:
            variables[name] = value
            continue
        dropped.add(name)
        if files is not None:
            files[name] = FileContent(value, variable.file_mode)
    return merged(variables, dropped, parent, pristine=pristine)

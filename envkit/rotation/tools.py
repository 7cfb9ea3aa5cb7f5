"""The tools that a rotation needs on its host: a driver and programs. No I/O but stat.

    for missing in missing_tools(policy):
        print(missing.message, missing.hint)

The check runs before a rotation is claimed, so that a host does not start a rotation that it
could not finish. Another host may have the missing tools.
"""

from __future__ import annotations

from importlib.util import find_spec

from envkit._internal.installation import install_hint
from envkit.errors import ExtraMissingError
from envkit.rotation.hooks import missing_programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.errors import EnvkitError
    from envkit.rotation_state.policy import Policy

# the module that each rotator imports when it starts to work, and the extra that installs it
_DRIVERS = {
    "postgres": ("psycopg", "postgres"),
    "redis": ("redis", "redis"),
    "valkey": ("redis", "redis"),
    "aws-iam-key": ("botocore", "aws"),
}


def missing_tools(policy: Policy) -> Iterator[EnvkitError]:
    """Yield an error for each driver and program of a rotation that this host lacks."""
    module, extra = _DRIVERS.get(policy.rotator, ("", ""))
    if module and find_spec(module) is None:
        yield ExtraMissingError(
            f"the rotator '{policy.rotator}' needs a driver that is not installed",
            hint=install_hint(extra),
        )
    yield from missing_programs(policy)

"""Trust on the command line: the guard of this process and the checks of commands.

Imported only if a profile needs trust.
"""

from __future__ import annotations

import sys

from envkit.cli.interaction.prompt import ask_trust, is_interactive
from envkit.launch.loaders import OWN_SERVERS, loading_variables
from envkit.profile.placeholder import Name
from envkit.sources.registry import current_guard
from envkit.trust.address import http_server
from envkit.trust.destination import LOAD, Destination
from envkit.trust.guard import Guard
from envkit.trust.written import alone, fixed, variable_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit.errors import UntrustedError
    from envkit.profile.model import Profile
    from envkit.resolution.prepare import PreparedProfile
    from envkit.rotation.catalog import Rotation


def new_guard(environ: Mapping[str, str]) -> Guard:
    """Return a guard that asks the person at the terminal, if there is one."""
    if not is_interactive():
        return Guard(environ, warn=_warn)
    from envkit.cli.interaction.person import TerminalPerson

    return Guard(environ, ask=ask_trust, warn=_warn, person=TerminalPerson())


def require_loading(prepared: Sequence[PreparedProfile], *, lasting: bool) -> bool:
    """Require the user's trust for variables that load code into programs.

    Args:
        prepared: the profiles.
        lasting: whether later programs get the variables too.

    Returns:
        whether the person was asked.

    Raises:
        UntrustedError: the user does not trust them.
    """
    guard = current_guard()
    assert guard is not None  # noqa: S101 - `guarded` has set it
    return guard.require(
        [
            (one.profile, destination)
            for one in prepared
            for destination in loading(one.profile, one.plan.selected, lasting=lasting)
        ]
    )


def loading(profile: Profile, names: Iterable[str], *, lasting: bool) -> list[Destination]:
    """Return the variables of a profile that load code into other programs.

    Args:
        profile: the profile of the variables.
        names: the names of the variables.
        lasting: as for `require_loading`; also returns variables that name servers, because
            envkit treats their values as set by the user.
    """
    written = [name for name in names if not profile.variables[name].on_command_line]
    return [
        Destination(LOAD, name, tuple(_said(profile, name)), why)
        for name, why in loading_variables(written, lasting=lasting).items()
        if why not in OWN_SERVERS.values() or not _is_own(profile, name)
    ]


def _is_own(profile: Profile, name: str) -> bool:
    """Return whether a variable that names a server is unchanged or names this machine."""
    variable = profile.variables[name]
    if variable.default is not None:
        return False
    text = str(variable.template)
    only, server = alone(text), http_server(fixed(text) or "")
    if only is not None and only.fallback is None and not only.filters:
        return variable_of(profile, only) == name
    return server is not None and server.is_loopback


def _said(profile: Profile, name: str) -> list[str]:
    """Return the definition of a value: its text, its default and the variables in it."""
    waiting, said = [name], []
    for one in waiting:
        declaration = profile.variables[one]
        said.append(str(declaration.template) if one == name else f"{one} = {declaration.template}")
        if declaration.default is not None:
            said.append(f"by default {declaration.default}")
        for placeholder in declaration.template.placeholders:
            operand = placeholder.operand
            if isinstance(operand, Name) and operand.name in profile.variables:
                waiting += [operand.name] if operand.name not in waiting else []
    return said


def split_by_trust(
    rotations: Sequence[Rotation], *, reading: bool = False
) -> tuple[list[Rotation], dict[str, UntrustedError]]:
    """Return the trusted rotations, and the errors of the other profiles by name.

    Args:
        rotations: from `collect`.
        reading: whether envkit only reads their secrets and records.

    Raises:
        UntrustedError: none is trusted.
    """
    guard = current_guard()
    assert guard is not None  # noqa: S101 - `guarded` has set it
    refused = guard.before_rotations(
        [(one.profile, one.policy.name) for one in rotations], reading=reading
    )
    allowed = [one for one in rotations if one.profile.name not in refused]
    if refused and not allowed:
        raise next(iter(refused.values()))
    return allowed, refused


def _warn(text: str) -> None:
    print(f"envkit: warning: {text}", file=sys.stderr)

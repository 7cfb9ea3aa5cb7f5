"""What the channels and commands of a profile would run and send, according to its text.

The tables are read unvalidated; an invalid table is refused where it is used.
"""

from __future__ import annotations

import shlex

from envkit.trust.address import http_server
from envkit.trust.destination import RUN, SEND, Destination
from envkit.trust.sources import of_source
from envkit.trust.written import credentials, fixed, references, spelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from envkit.profile.model import Profile


def of_access(profile: Profile, environ: Mapping[str, str]) -> list[Destination]:
    """Return what it takes to report a use of a profile to the channels of `[access]`."""
    notify = [] if profile.access is None else profile.access.settings.get("notify", [])
    return [
        *(
            one
            for reference in references(profile, notify)
            if reference.source in profile.sources
            for one in of_source(profile, reference.source, [reference], environ)
        ),
        *of_channels(profile, f"a report of each use of {profile.name}", notify),
    ]


def of_channels(
    profile: Profile, news: str, notify: Any, environment: tuple[str, ...] = ()
) -> Iterator[Destination]:
    """Yield what the channels of a table run and send.

    Args:
        profile: the profile with the table.
        news: what the channels get: `notifications about db`.
        notify: the setting: a channel or a list of them.
        environment: the variables that a command receives.
    """
    for channel in notify if isinstance(notify, list) else [notify]:
        if isinstance(channel, dict):
            yield from _channel(profile, news, channel, environment)


def _channel(
    profile: Profile, news: str, said: Mapping[str, Any], environment: tuple[str, ...]
) -> Iterator[Destination]:
    for command in commands([said.get("command")]):
        yield Destination(RUN, command, (news, *environment))
    for kind in ("webhook", "slack"):
        written = said.get(kind)
        if not isinstance(written, str):
            continue
        url = spelled(profile, written)
        constant = fixed(url)
        server = None if constant is None else http_server(constant)
        if server is not None and server.is_loopback:
            continue
        given = credentials(profile, written)
        signed = (f"a signature made with {key}" for key in credentials(profile, said.get("key")))
        shown = f"the {kind} at {server.origin}" if server else f"the {kind} of {profile.name}"
        yield Destination(SEND, url, (news, *given, *signed), shown=shown)


def commands(setting: Any) -> Iterator[str]:
    """Yield the commands of a list, each as a line of a shell."""
    for command in setting if isinstance(setting, list) else ():
        if isinstance(command, list) and command and all(isinstance(w, str) for w in command):
            yield shlex.join(command)


def variables(setting: Any) -> tuple[str, ...]:
    """Return the names of a list of environment variables, each with its `$`."""
    names = setting if isinstance(setting, list) else []
    return tuple(f"${shlex.quote(name)}" for name in names if isinstance(name, str))

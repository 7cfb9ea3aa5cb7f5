"""Start the agent and wait until it answers; ask what it has, clear it, stop it."""

from __future__ import annotations

import os
from time import monotonic, sleep

from envkit._internal.named_tuple import NamedTuple
from envkit.agent.asking import CLEAR, STATUS, STOP, Connection, Unusable, frame, socket_path
from envkit.agent.spawn import IDLE_SECONDS, MAX_AGE_SECONDS, spawn
from envkit.agent.wire import DONE, receive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_SECONDS = 10.0
_PAUSE_SECONDS = 0.01


class AgentStatus(NamedTuple):
    """What an agent says of itself.

    Attributes:
        pid: its process id.
        version: of envkit.
        age_seconds: since it was started.
        hits: how many questions it has answered from memory.
        misses: how many reads it has done.
        environments: name and age in seconds of each environment in its memory.
    """

    pid: int
    version: str
    age_seconds: int
    hits: int
    misses: int
    environments: tuple[tuple[str, int], ...]


def start(
    environ: Mapping[str, str],
    *,
    max_age_seconds: float = MAX_AGE_SECONDS,
    idle_seconds: float = IDLE_SECONDS,
) -> tuple[AgentStatus, bool]:
    """Return a running agent, and whether it was started now.

    Raises:
        Unusable: it cannot be started.
    """
    try:
        return status(environ), False
    except Unusable as reason:
        if not reason.absent:
            raise
    socket_path(environ, create=True)
    spawn(
        environ,
        max_age_seconds=max_age_seconds,
        idle_seconds=idle_seconds,
        unused_seconds=idle_seconds,  # a person has started it
    )
    end = monotonic() + START_SECONDS
    while True:
        try:
            return status(environ), True
        except Unusable:
            if monotonic() >= end:
                raise Unusable("it was started, and does not answer") from None
            sleep(_PAUSE_SECONDS)


def start_on_demand(reason: Unusable, *, required: bool) -> None:
    """Start an agent for a client that found none: for its question, or only for later ones.

    Args:
        reason: why the client cannot use an agent.
        required: whether the client waits until the agent answers.

    Raises:
        Unusable: the client has to do without; the reason is the given one unless the start failed.
    """
    if not reason.absent:
        raise reason
    if required:
        start(os.environ)
        return
    if os.getpid() != 1:  # the first process of a container has to reap what it starts
        socket_path(os.environ, create=True)
        spawn(os.environ)
    raise reason


def status(environ: Mapping[str, str]) -> AgentStatus:
    """Return what the agent says of itself.

    Raises:
        Unusable: there is none, or it does not answer.
    """
    return status_at(socket_path(environ))


def status_at(path: str) -> AgentStatus:
    """Return what the agent with a socket at a path says of itself; see `status`."""
    fields: dict[str, str] = {}
    environments = []
    for item in command(path, STATUS):
        key, _, text = item.decode("utf-8", "replace").partition("=")
        if key == "environment":
            name, _, seconds = text.rpartition("=")
            environments.append((name, int(seconds)))
        else:
            fields[key] = text
    try:
        pid, age, hits, misses = (int(fields[key]) for key in ("pid", "age", "hits", "misses"))
        return AgentStatus(pid, fields["version"], age, hits, misses, tuple(environments))
    except (KeyError, ValueError):
        raise Unusable("the agent's answer makes no sense") from None


def command(path: str, kind: int) -> Sequence[bytes]:
    """Send a command to the agent and return the items of its answer.

    Raises:
        Unusable: there is none, or it does not answer.
    """
    with Connection(path) as agent:
        agent.send(frame(kind))
        answered, items = receive(agent)
        if answered != DONE:
            raise Unusable("the agent is of another version of envkit")
        return items


def clear(environ: Mapping[str, str]) -> None:
    """Make the agent forget everything.

    Raises:
        Unusable: there is none, or it does not answer.
    """
    command(socket_path(environ), CLEAR)


def stop(environ: Mapping[str, str]) -> None:
    """End the agent; return when its socket is gone.

    Raises:
        Unusable: there is none, or it does not end.
    """
    command(socket_path(environ), STOP)
    end = monotonic() + START_SECONDS
    while monotonic() < end:
        try:
            status(environ)
        except Unusable as reason:
            if reason.absent:
                return
        sleep(_PAUSE_SECONDS)
    raise Unusable("it does not end")

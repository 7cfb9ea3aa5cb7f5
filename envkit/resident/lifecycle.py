"""What happens next to a supervised app. Pure: a state, an event and the time give actions.

    state, actions = advance(state, Exited(status), now, settings)
    deadline = next_time(state)           # call `advance` with Tick() at the latest then

What always holds:

- Nothing starts before every process of the previous app is gone, nor sooner than the minimum
  interval after the previous start.
- After a signal that ends envkit nothing starts. The app is killed at the latest after the stop
  timeout, and at once if such a signal comes again.
- An app that ends by itself ends envkit. That envkit stopped or killed it for a restart is not
  its own end.
- Changes that arrive during a stop are part of the restart that is in progress.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.resident.str_enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

SIGINT = 2
REPEAT_SECONDS = 0.5  # `timeout` sends its signal twice at once; that is one request
KILL_AGAIN_SECONDS = 0.1  # a process that was forked meanwhile needs a signal of its own
GIVE_UP_SECONDS = 5.0  # what cannot be killed is waiting for the kernel


class Phase(StrEnum):
    """Where the app is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    KILLING = "killing"
    GONE = "gone"  # envkit ends


class Do(StrEnum):
    """What the supervisor does."""

    START = "start"  # with the newest environment
    SEND = "send"  # a signal that envkit received
    STOP = "stop"  # the stop signal to the app
    STOP_REST = "stop-rest"  # the stop signal to what the app's main process has left behind
    KILL = "kill"  # everything that belongs to the app
    RELOAD = "reload"  # the signal of --watch=signal:NAME
    RUN = "run"  # the command of --watch=run:COMMAND
    TELL = "tell"  # say that a restart is needed
    WARN = "warn"  # something cannot be killed
    END = "end"  # envkit, as `Action.status` or `Action.number` says


class Action(NamedTuple):
    """One thing to do.

    Attributes:
        do: what.
        number: of the signal to send, or that ends envkit.
        status: as from `waitpid`, with which envkit ends; None where it ends by `number`.
    """

    do: Do
    number: int = 0
    status: int | None = None


class Settings(NamedTuple):
    """How the app is supervised.

    Attributes:
        on_change: STOP to restart, RELOAD, RUN or TELL.
        stop_signal: the number.
        stop_timeout_seconds: from the stop signal to KILL.
        min_interval_seconds: from one start to the next.
    """

    on_change: Do = Do.STOP
    stop_signal: int = 15
    stop_timeout_seconds: float = 10.0
    min_interval_seconds: float = 5.0


class State(NamedTuple):
    """What the supervisor knows of the app. Times are on the monotonic clock.

    Attributes:
        phase: where it is.
        started_at: when it was started last.
        due_at: when a change takes effect; None if there is none.
        until: when STOPPING becomes KILLING, or KILLING kills again.
        killed_at: when the first KILL of this stop was sent.
        alive: whether the main process runs.
        left: whether it ended without being asked to.
        status: of the main process, where envkit ends with it.
        ending: the signal that ends envkit; 0 if none has come.
        asked_at: when it came.
        busy: whether the command of RUN is running.
        warned: whether WARN was done in this stop.
    """

    phase: Phase = Phase.STARTING
    started_at: float = 0.0
    due_at: float | None = None
    until: float | None = None
    killed_at: float | None = None
    alive: bool = False
    left: bool = False
    status: int | None = None
    ending: int = 0
    asked_at: float = 0.0
    busy: bool = False
    warned: bool = False


class Started(NamedTuple):
    """The app runs."""


class Exited(NamedTuple):
    """Its main process ended, with a status as from `waitpid`."""

    status: int


class Gone(NamedTuple):
    """No process of the app remains."""


class Signalled(NamedTuple):
    """Envkit received a signal.

    Attributes:
        number: of the signal.
        ends: whether it ends envkit.
        reached: whether the app received the same signal from its sender.
    """

    number: int
    ends: bool = False
    reached: bool = False


class Changed(NamedTuple):
    """A new environment was announced; it takes effect after the delay of `--splay`."""

    delay_seconds: float = 0.0


class Ran(NamedTuple):
    """The command of RUN ended."""


class Tick(NamedTuple):
    """Time has passed."""


Event: TypeAlias = Started | Exited | Gone | Signalled | Changed | Ran | Tick


def next_time(state: State) -> float | None:
    """Return when `advance` needs a Tick at the latest; None if only events matter."""
    if state.phase is Phase.RUNNING:
        return None if state.busy else state.due_at
    return state.until if state.phase in (Phase.STOPPING, Phase.KILLING) else None


def advance(
    state: State, event: Event, now: float, settings: Settings
) -> tuple[State, list[Action]]:
    """Return the state after an event, and what to do in order.

    Args:
        state: before the event.
        event: what happened.
        now: on the monotonic clock.
        settings: how the app is supervised.
    """
    if state.phase is Phase.GONE:
        return state, []
    match event:
        case Started():
            found = _started(state, now, settings)
        case Exited(status):
            found = _exited(state, status, now, settings)
        case Gone():
            found = _gone(state)
        case Signalled():
            found = _signalled(state, event, now, settings)
        case Changed(delay):
            found = _changed(state, now + delay, settings)
        case Ran():
            found = _tick(state._replace(busy=False), now, settings)
        case Tick():
            found = _tick(state, now, settings)
    return found


def _started(state: State, now: float, settings: Settings) -> tuple[State, list[Action]]:
    running = State(
        phase=Phase.RUNNING, started_at=now, alive=True, due_at=state.due_at, busy=state.busy
    )
    if running.due_at is not None:
        running = running._replace(due_at=_earliest(running, running.due_at, settings))
    if not state.ending:
        return running, []
    return _signalled(running, Signalled(state.ending, ends=True), now, settings)


def _exited(
    state: State, status: int, now: float, settings: Settings
) -> tuple[State, list[Action]]:
    state = state._replace(alive=False)
    if state.phase is Phase.RUNNING:
        until = now + settings.stop_timeout_seconds
        state = state._replace(phase=Phase.STOPPING, left=True, status=status, until=until)
        return state, [Action(Do.STOP_REST)]
    if state.phase is Phase.STOPPING:
        return state._replace(status=status), [Action(Do.STOP_REST)]
    return state, [Action(Do.KILL)]  # its children have a new parent


def _gone(state: State) -> tuple[State, list[Action]]:
    if state.alive or state.phase not in (Phase.STOPPING, Phase.KILLING):
        return state, []
    if state.left or state.ending:
        return _end(state)
    # a change that came during the stop is in the environment that starts now
    return State(busy=state.busy), [Action(Do.START)]


def _end(state: State) -> tuple[State, list[Action]]:
    end = Action(Do.END, 0 if state.status is not None else state.ending, state.status)
    return state._replace(phase=Phase.GONE), [end]


def _signalled(
    state: State, event: Signalled, now: float, settings: Settings
) -> tuple[State, list[Action]]:
    stopping = state.phase is not Phase.RUNNING
    # Ctrl-C is the running app's own affair, and means envkit while there is a stop
    ends = event.ends or (stopping and event.number == SIGINT)
    # a second stop signal would tell many apps to give up their work
    told = state.phase is Phase.STOPPING and event.number == settings.stop_signal
    send = [] if event.reached or told or not state.alive else [Action(Do.SEND, event.number)]
    if not ends:
        return state, send
    if state.ending or state.left:
        if now - state.asked_at < REPEAT_SECONDS:
            return state, []
        return _kill(state._replace(asked_at=now), now)
    state = state._replace(ending=event.number, asked_at=now)
    if not stopping:
        until = now + settings.stop_timeout_seconds
        state = state._replace(phase=Phase.STOPPING, until=until)
    return state, send


def _changed(state: State, due_at: float, settings: Settings) -> tuple[State, list[Action]]:
    if state.phase in (Phase.STOPPING, Phase.KILLING):
        return state, []
    if state.due_at is None:
        state = state._replace(due_at=_earliest(state, due_at, settings))
    return state, []


def _earliest(state: State, due_at: float, settings: Settings) -> float:
    if settings.on_change is not Do.STOP:
        return due_at
    return max(due_at, state.started_at + settings.min_interval_seconds)


def _tick(state: State, now: float, settings: Settings) -> tuple[State, list[Action]]:
    at = next_time(state)
    if at is None or now < at:
        return state, []
    if state.phase is not Phase.RUNNING:
        return _kill(state, now)
    state = state._replace(due_at=None)
    if settings.on_change is Do.STOP:
        until = now + settings.stop_timeout_seconds
        state = state._replace(phase=Phase.STOPPING, until=until)
    return state._replace(busy=settings.on_change is Do.RUN), [Action(settings.on_change)]


def _kill(state: State, now: float) -> tuple[State, list[Action]]:
    if state.phase is Phase.STARTING:
        return state, []  # `_started` continues
    first = now if state.killed_at is None else state.killed_at
    pause = GIVE_UP_SECONDS if state.warned else KILL_AGAIN_SECONDS
    state = state._replace(phase=Phase.KILLING, killed_at=first, until=now + pause)
    if now - first < GIVE_UP_SECONDS:
        return state, [Action(Do.KILL)]
    if state.left or state.ending:
        return _end(state)
    warn = [] if state.warned else [Action(Do.WARN)]
    return state._replace(warned=True), [Action(Do.KILL), *warn]

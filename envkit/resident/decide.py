"""What a watcher does next: a function of the state and the time, without I/O or a clock.

    state = watching(settings, base, now)
    action = decide(state, settings, now)                      # Look, Renew, Read, Announce or Wait
    state, notices = after(state, settings, LookBegun(...), now)

Guarantees:

- Only a read that gave a valid environment with another value is announced, at least
  `min_interval_seconds` after the last one, and after the tokens have been quiet for the
  debounce, or have changed again and again for its fivefold.
- A source is looked at once per poll, which varies by a tenth, and less often while it fails. A
  poke brings the next look forward, to one second after the last at the earliest.
- All sources are read only after a token differs from the base, and then once; a read that
  fails is repeated after longer and longer pauses.
- A login or lease is renewed when that is due, and after longer and longer pauses while that
  fails. An environment whose secrets are about to end is read without a debounce. No read and no
  renewal begins while the other is in progress, since both replace what is known of a lease.
- One notice when an outage begins, and one when it ends.
"""

from __future__ import annotations

from envkit._internal.clock import pause_seconds
from envkit._internal.named_tuple import NamedTuple
from envkit.resident.state import (
    FOREVER,
    NEVER,
    Announced,
    Began,
    Ended,
    Lease,
    Leased,
    LookBegun,
    Looked,
    Poked,
    Prepared,
    Problem,
    ReadBegun,
    ReadRefused,
    ReadValid,
    RenewBegun,
    RenewEnded,
    State,
    Watched,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from envkit.resident.state import Event, Notice, Settings, Tokens

JITTER = 0.1  # of a poll, either way
POKE_SECONDS = 1.0  # between two looks, whatever is poked
LONGEST_POLL_SECONDS = 300.0  # while a source fails, unless its own poll is longer
FIRST_RETRY_SECONDS = {Problem.FAILED: 5.0, Problem.INVALID: 60.0}
FIRST_RENEWAL_SECONDS, LAST_RENEWAL_SECONDS = 5.0, 300.0  # after a renewal that failed
LAST_RETRY_SECONDS = {Problem.FAILED: 300.0, Problem.INVALID: 3600.0}


class Look(NamedTuple):
    """Ask these sources whether they have changed; then report `LookBegun` and `Looked`."""

    sources: frozenset[str]


class Renew(NamedTuple):
    """Renew what these sources have for a limited time; then report `RenewBegun`, and for each
    source `Leased` if it succeeded and `RenewEnded`.
    """

    sources: frozenset[str]


class Read(NamedTuple):
    """Read the environment; then report `ReadBegun`, and `ReadValid` or `ReadRefused`."""


class Announce(NamedTuple):
    """Hand over the environment that was read; then report `Announced`."""


class Wait(NamedTuple):
    """Nothing is due until then; infinite if only an event in progress is waited for."""

    until: float


if TYPE_CHECKING:
    Action: TypeAlias = Look | Renew | Read | Announce | Wait


def watching(settings: Settings, base: Mapping[str, Tokens], now: float) -> State:
    """Return the state after the first environment was announced.

    Args:
        settings: with the sources.
        base: tokens of some sources that were seen before it was read.
        now: the time.
    """
    sources = {
        name: Watched(now + poll, base.get(name, {})) for name, poll in settings.polls.items()
    }
    return State(sources, base, announced_at=now)


def decide(state: State, settings: Settings, now: float) -> Action:
    """Return the next action."""
    if state.ready:
        return Announce()
    idle = {name: one.next_look for name, one in state.sources.items() if not one.looking}
    due = frozenset(name for name, at in idle.items() if at <= now)
    if due:
        return Look(due)
    renewals = _renewals(state)
    due = frozenset(name for name, at in renewals.items() if at <= now)
    if due:
        return Renew(due)
    read_at = _read_at(state, settings)
    if read_at <= now:
        return Read()
    return Wait(min([*idle.values(), *renewals.values(), read_at]))


def _renewals(state: State) -> dict[str, float]:
    """Return when each source is renewed."""
    if state.reading is not None:
        return {}
    return {name: one.renew_at for name, one in state.leases.items() if not one.renewing}


def _read_at(state: State, settings: Settings) -> float:
    """Return when the environment is read; infinite if there is no reason to."""
    if state.reading is not None or any(one.renewing for one in state.leases.values()):
        return FOREVER
    due = min((one.replace_at for one in state.leases.values()), default=FOREVER)
    if state.changed_at is not None:
        settled = min(
            state.last_change + settings.debounce_seconds,
            state.changed_at + settings.longest_debounce_seconds,
        )
        due = min(due, settled)
    apart = max(settings.min_interval_seconds, settings.debounce_seconds)
    return max(due, state.announced_at + apart, state.retry_at)


def after(state: State, settings: Settings, event: Event, now: float) -> tuple[State, list[Notice]]:
    """Return the state after an event, and the notices for a person."""
    match event:
        case Looked():
            return _looked(state, settings, event, now)
        case ReadValid():
            return _read_valid(state, settings, event, now)
        case ReadRefused():
            return _read_refused(state, settings, event, now)
        case LookBegun():
            state = _look_begun(state, settings, event, now)
        case Poked():
            state = _poked(state, now)
        case ReadBegun():
            state = state._replace(reading=state.tokens())
        case Announced():
            state = state._replace(ready=False, announced_at=now)
        case Leased() | RenewBegun() | RenewEnded():
            state = state._replace(leases=_leases_after(state.leases, event, now))
        case Prepared():
            state = _prepared(state, settings, now)
    return state, []


def _look_begun(state: State, settings: Settings, event: LookBegun, now: float) -> State:
    sources = dict(state.sources)
    for name, spread in event.spread.items():
        poll = settings.polls[name] * (1 + JITTER * spread)
        sources[name] = sources[name]._replace(next_look=now + poll, last_look=now, looking=True)
    return state._replace(sources=sources)


def _looked(
    state: State, settings: Settings, event: Looked, now: float
) -> tuple[State, list[Notice]]:
    before = state.sources.get(event.source)
    if before is None:
        return state, []  # the profiles no longer have it
    notices: list[Notice] = []
    if event.error is None:
        source = before._replace(looking=False, tokens=event.tokens, failures=0)
        if before.failures:
            notices = [Ended(event.source, Problem.FAILED)]
            state = _renewable_again(state, event.source, now)
            if state.problem is Problem.FAILED:  # which was the reason, perhaps
                soon = now + settings.debounce_seconds
                state = state._replace(retry_at=min(state.retry_at, soon))
    else:
        source = before._replace(
            looking=False,
            tokens={**before.tokens, **event.tokens},
            failures=before.failures + 1,
        )
        pause = _failing_poll(settings.polls[event.source], source.failures, event.spread)
        source = source._replace(next_look=max(source.next_look, now + pause))
        if not before.failures:
            notices = [Began(event.source, Problem.FAILED, event.error)]
    state = state._replace(sources={**state.sources, event.source: source})
    if source.tokens == before.tokens:
        return state, notices
    return _compared(state, settings, now, notices)


def _renewable_again(state: State, source: str, now: float) -> State:
    """Return the state after a source answers again, whose renewals may have failed."""
    lease = state.leases.get(source)
    if lease is None or not lease.failures:
        return state
    soon = lease._replace(renew_at=min(lease.renew_at, now), failures=0)
    return state._replace(leases={**state.leases, source: soon})


def _compared(
    state: State, settings: Settings, now: float, notices: list[Notice]
) -> tuple[State, list[Notice]]:
    """Return the state after tokens have changed."""
    if not state.differs and state.must_replace(now):
        return state._replace(changed_at=None), notices  # which is a reason to read as well
    if not state.differs:
        ended = [Ended(None, state.problem or Problem.FAILED)] if state.warned else []
        quiet = state._replace(
            changed_at=None, problem=None, warned="", retry_at=NEVER, read_failures=0
        )
        return quiet, [*notices, *ended]
    state = state._replace(last_change=now)
    if state.problem is Problem.INVALID:  # it may be fixed now
        return state._replace(changed_at=now, retry_at=NEVER), notices
    if state.changed_at is None or now - state.changed_at > settings.longest_debounce_seconds:
        state = state._replace(changed_at=now)  # an earlier change was read, or the read failed
    return state, notices


def _failing_poll(poll: float, failures: int, spread: float) -> float:
    """Return the pause after failed looks: twice as long each time, and up to half shorter."""
    last = max(poll, min(LONGEST_POLL_SECONDS, 30 * poll))
    pause = pause_seconds(failures + 1, first=poll, last=last)
    return max(poll * (1 - JITTER), _shortened(pause, spread))


def _shortened(pause: float, spread: float) -> float:
    return pause * (3 + spread) / 4


def _poked(state: State, now: float) -> State:
    return state._replace(
        sources={
            name: one._replace(next_look=min(one.next_look, max(now, one.last_look + POKE_SECONDS)))
            for name, one in state.sources.items()
        }
    )


def _leases_after(
    leases: Mapping[str, Lease], event: Leased | RenewBegun | RenewEnded, now: float
) -> Mapping[str, Lease]:
    match event:
        case Leased():
            return {**leases, event.source: Lease(event.renew_at, event.replace_at)}
        case RenewBegun():
            begun = {name: leases[name]._replace(renewing=True) for name in event.sources}
            return {**leases, **begun}
        case RenewEnded():
            lease = leases.get(event.source)
            if lease is None or not lease.renewing:
                return leases  # it has succeeded
            failures = lease.failures + 1
            pause = pause_seconds(failures, first=FIRST_RENEWAL_SECONDS, last=LAST_RENEWAL_SECONDS)
            retry_at = now + _shortened(pause, event.spread)
            return {**leases, event.source: Lease(retry_at, lease.replace_at, failures=failures)}


def _read_valid(
    state: State, settings: Settings, event: ReadValid, now: float
) -> tuple[State, list[Notice]]:
    assert state.reading is not None  # noqa: S101 - it has begun
    notices: list[Notice] = []
    if state.warned:
        notices.append(Ended(None, state.problem or Problem.FAILED))
    state = state._replace(
        base=state.reading,
        reading=None,
        ready=event.changed,
        retry_at=NEVER,
        read_failures=0,
        problem=None,
        warned="",
    )
    # a source that could not replace its secrets is asked again, but not at once
    leases = {
        name: one._replace(replace_at=now + settings.polls.get(name, LONGEST_POLL_SECONDS))
        if one.replace_at <= now
        else one
        for name, one in state.leases.items()
    }
    changed_at = state.last_change if state.differs else None
    return state._replace(changed_at=changed_at, leases=leases), notices


def _read_refused(
    state: State, settings: Settings, event: ReadRefused, now: float
) -> tuple[State, list[Notice]]:
    assert state.reading is not None  # noqa: S101 - it has begun
    changed_meanwhile = state.reading != state.tokens()
    same = event.problem is state.problem
    failures = state.read_failures + 1 if same else 1
    pause = pause_seconds(
        failures,
        first=FIRST_RETRY_SECONDS[event.problem],
        last=LAST_RETRY_SECONDS[event.problem],
    )
    state = state._replace(
        reading=None,
        problem=event.problem,
        read_failures=failures,
        retry_at=now + _shortened(pause, event.spread),
    )
    if changed_meanwhile and event.problem is Problem.INVALID:
        state = state._replace(changed_at=state.last_change, retry_at=NEVER)
    if not state.differs and not state.must_replace(now):  # undone meanwhile
        return _compared(state, settings, now, [])
    known = any(source.failures for source in state.sources.values())
    if event.problem is Problem.FAILED:
        told = bool(state.warned) or known
    else:
        told = state.warned == event.error.message
    if told:
        return state, []
    return state._replace(warned=event.error.message), [Began(None, event.problem, event.error)]


def _prepared(state: State, settings: Settings, now: float) -> State:
    sources = {
        name: state.sources.get(name) or Watched(now + poll, {})
        for name, poll in settings.polls.items()
    }
    return state._replace(
        sources={
            name: one._replace(next_look=min(one.next_look, now + settings.polls[name]))
            for name, one in sources.items()
        },
        leases={name: one for name, one in state.leases.items() if name in sources},
    )

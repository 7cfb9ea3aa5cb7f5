"""How the contract observes a source: query it, compare, and watch what it logs and prints."""

from __future__ import annotations

import sys
import traceback
from threading import Thread, get_ident
from typing import TypeVar

import pytest

from envkit.errors import ConflictError, EnvkitError, SourceError
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading
from envkit.sources.protocols import Source, WritableSource
from envkit.testing.harness import CANARY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome
    from envkit.testing.harness import Harness

T = TypeVar("T")

PATIENCE_SECONDS = 60.0  # far beyond any deadline here; only a call that hangs takes longer


def ask(source: Source, ref: Reference) -> Outcome:
    """Return the outcome of one reference; a missing outcome is an explicit absence."""
    source.check(ref)
    return source.fetch([ref]).get(ref, Absent())


def read(source: Source, ref: Reference) -> Reading:
    """Return the reading of one reference, which must have a value."""
    return expect_reading(ask(source, ref))


def expect_reading(outcome: Outcome) -> Reading:
    """Return the outcome, which must be a reading."""
    assert isinstance(outcome, Reading), f"expected a value, got {outcome!r}"
    return outcome


def text_of(outcome: Outcome) -> str:
    """Return the value of an outcome, which must be a reading, in clear text."""
    return expect_reading(outcome).value.reveal()


def writable(harness: Harness) -> WritableSource:
    """Return a new source, which must be able to write."""
    source = harness.source()
    assert isinstance(source, WritableSource)
    return source


def failures(source: Source, refs: Collection[Reference]) -> list[SourceError]:
    """Return the errors of a fetch that fails as a whole or for every reference."""

    def fetch() -> list[SourceError]:
        try:
            outcomes = source.fetch(refs)
        except SourceError as error:
            return [error]
        errors = [outcome for outcome in outcomes.values() if isinstance(outcome, SourceError)]
        assert len(errors) == len(refs), f"an outage was reported as an answer: {outcomes}"
        return errors

    return patiently(fetch)


def patiently(call: Callable[[], T]) -> T:
    """Return the result of `call`; fail if it hangs."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive(), "the source is still waiting long after its deadline"
    if errors:
        raise errors[0]
    return results[0]


def assert_conflict(source: WritableSource, ref: Reference, *, expected: str | None) -> None:
    """Try a write that must be refused because the store has another version."""
    with pytest.raises(ConflictError) as caught:
        source.write(ref, Secret(CANARY), expected=expected)
    assert_clean(caught.value)


def assert_clean(error: EnvkitError) -> None:
    """Check that neither an error nor its traceback contains a value."""
    shown = "\n".join(
        [
            str(error),
            repr(error),
            repr(error.args),
            str(error.hint),
            repr(vars(error)),
            *traceback.format_exception(error),
        ]
    )
    assert CANARY not in shown, "the error shows a value"
    assert error.message
    assert not error.message.endswith(".")


_IO_EVENTS = frozenset({"open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"})
_watches: dict[int, Watch] = {}


class Watch:
    """Records what this thread opens or connects to, except for imports of modules."""

    _hooked = False

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __enter__(self) -> Watch:
        if not Watch._hooked:  # an audit hook cannot be removed
            sys.addaudithook(_audit)
            Watch._hooked = True
        _watches[get_ident()] = self
        return self

    def __exit__(self, *_: object) -> None:
        del _watches[get_ident()]


def _audit(event: str, args: tuple[object, ...]) -> None:
    watch = _watches.get(get_ident())
    if watch is None or event not in _IO_EVENTS:
        return
    if event == "open" and str(args[0]).endswith((".py", ".pyc", ".so")):
        return
    watch.seen.append(f"{event} {args[:2]}")

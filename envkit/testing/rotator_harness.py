"""What a subclass of the rotator contract provides: access to the target without the rotator.

This module contains no tests.
"""

from __future__ import annotations

import json
import logging
import traceback
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

from envkit._internal.clock import Deadline
from envkit.errors import ConflictError, EnvkitError
from envkit.rotation.protocols import RotatorContext
from envkit.rotation.rotators.login import is_url, login_of
from envkit.rotation.rotators.registry import build

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from envkit.rotation.protocols import Rotator
    from envkit.rotation.rotators.registry import RotatorType
    from envkit.rotation_state.store import Fields

    T = TypeVar("T")

ABILITIES = frozenset({"target", "overlap", "unavailable", "silent"})
STEPS = ("set", "test", "finish", "retire")
TIMEOUT_SECONDS = 30.0


def needs(ability: str) -> Callable[[T], T]:
    """Mark a test as one that is left out if a rotator lacks this ability."""
    assert ability in ABILITIES

    def mark(test: T) -> T:
        test.needs = ability  # type: ignore[attr-defined]
        return test

    return mark


class RotatorHarness(Protocol):
    """A target with one credential, accessed without the rotator; new for every test.

    Attributes:
        kind: the class of the rotator.
        field: the field of the secret that contains the value.
        target: the table `target`, without placeholders.
        generate: the table `generate`.
        hidden: the admin's own credentials, which no message may show.
    """

    kind: RotatorType
    field: str
    target: Mapping[str, object]
    generate: Mapping[str, object]
    hidden: tuple[str, ...]

    def current(self) -> Fields:
        """Return the initial fields of the secret: a credential that works."""
        ...

    def wrong(self, fields: Fields) -> Fields:
        """Return fields of the same form that the target has never accepted."""
        ...

    def works(self, fields: Fields) -> bool:
        """Return whether the target accepts a credential, without the rotator."""
        ...

    def credentials(self) -> int:
        """Return the number of credentials that the target accepts now."""
        ...

    def unavailable(self) -> Mapping[str, object]:
        """Return a table `target` for an address where nothing listens."""
        ...

    def silent(self) -> Mapping[str, object]:
        """Return a table `target` where a server listens and never answers."""
        ...


class Turn(NamedTuple):
    """A rotation whose new value was created, with its data as in the store."""

    old: Fields
    new: Fields
    facts: Mapping[str, str]


def built(
    harness: RotatorHarness,
    target: Mapping[str, object] | None = None,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    ours: bool = True,
    **more: Any,
) -> Rotator:
    """Build a rotator, as a process does when it starts.

    Args:
        harness: the target to work on.
        target: a replacement for the harness's table `target`.
        timeout_seconds: the deadline.
        ours: whether `confirm` still reports that the rotation belongs to this process.
        more: for `RotatorContext`: `settle`, `issued`, `own_login`; see also `overtaken`.
    """
    target = harness.target if target is None else target
    context = RotatorContext(
        rotation="test/rotation",
        target=target,
        generate=harness.generate,
        strategy="alternate",
        fields=harness.kind.fields(harness.field, target),
        deadline=Deadline(timeout_seconds),
        confirm=_confirmed if ours else _denied,
        secret=f"memory:app#{harness.field}",
        id="rotation-id",
    )._replace(**more)
    return build(harness.kind, context, lambda table: f"test.toml: {table}")


def overtaken() -> dict[str, Any]:
    """Return the arguments of `built` for a process that pauses after its first `confirm`.

    When it resumes, other processes have finished its rotation. Every later `confirm` raises
    `ConflictError`, and every change that it settles is reverted.
    """
    asked: list[None] = []

    def confirm() -> None:
        if asked:
            _denied()
        asked.append(None)

    def settle(_fields: Fields, take_back: Callable[[], None]) -> None:
        take_back()
        _denied()

    return {"confirm": confirm, "settle": settle}


def begun(harness: RotatorHarness, current: Fields) -> Turn:
    """Prepare a rotation and create its new value; facts pass through JSON, as in a store."""
    facts = dict(built(harness).prepare(current))
    created = built(harness).create(current, facts)
    facts.update(created.facts)
    return Turn(current, {**current, **created.new}, json.loads(json.dumps(facts)))


def step(rotator: Rotator, name: str, turn: Turn) -> None:
    """Execute one step of a rotation whose value was created."""
    if name == "set":
        rotator.set(turn.old, turn.new, turn.facts)
    elif name == "test":
        rotator.test(turn.new, turn.facts)
    elif name == "finish":
        rotator.finish(turn.old, turn.new, turn.facts)
    else:
        rotator.retire(turn.old, turn.new, turn.facts)


def rotated(harness: RotatorHarness, current: Fields) -> Turn:
    """Execute a whole rotation."""
    turn = begun(harness, current)
    for name in STEPS:
        step(built(harness), name, turn)
    return turn


def texts_of(harness: RotatorHarness, *all_fields: Fields) -> set[str]:
    """Return the texts that no message may show: values, passwords in URLs, admin credentials."""
    values = [fields[harness.field] for fields in all_fields]
    inside = {login_of(value).password.reveal() for value in values if is_url(value)}
    return {value.reveal() for value in values} | inside | set(harness.hidden)


def assert_hidden(shown: str, hidden: set[str]) -> None:
    """Fail if a text contains a value."""
    assert not any(text in shown for text in hidden), "a value is shown"


def assert_clean_of(error: EnvkitError, hidden: set[str]) -> None:
    """Check that neither an error nor its traceback contains a value."""
    shown = [str(error), repr(error.args), str(error.hint), repr(vars(error))]
    assert_hidden("\n".join([*shown, *traceback.format_exception(error)]), hidden)
    assert error.message
    assert not error.message.endswith(".")


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """Yield a list of everything that any logger logs in the meantime, at every level."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, handler = logging.getLogger(), Handler(0)
    level = root.level
    root.setLevel(0)
    root.addHandler(handler)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _confirmed() -> None:
    pass


def _denied() -> None:
    raise ConflictError("another process has advanced the rotation")

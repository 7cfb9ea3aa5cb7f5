"""The rotator contract: one test suite that every rotator passes, built-in or plug-in.

Subclass `RotatorContract` and provide a `harness` fixture, which creates a target with one
credential and accesses it without the rotator:

    class TestTokenFile(RotatorContract):
        lacks = frozenset({"unavailable", "silent"})

        @pytest.fixture
        def harness(self, tmp_path):
            return TokenFileHarness(tmp_path)

List in `lacks` what a rotator does not have; the tests of that are then not collected.

    target        a server, and not only the readers, accepts or rejects the credential
    overlap       the old credential works until it is retired
    unavailable   there can be an address where nothing listens
    silent        there can be a server that listens and never answers

Every step is executed by a new rotator, as after a crash.
"""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

import pytest

from envkit.errors import ConflictError, EnvkitError, ProfileError, UnavailableError
from envkit.testing.observe import Watch, patiently
from envkit.testing.rotator_harness import (
    ABILITIES,
    STEPS,
    RotatorHarness,
    Turn,
    assert_clean_of,
    assert_hidden,
    begun,
    built,
    everything_logged,
    needs,
    rotated,
    step,
    texts_of,
)
from envkit.testing.rotator_proofs import RotatorProofs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DEADLINE_SECONDS = 1.0
_METHODS = (
    "describe_target",
    "prepare",
    "create",
    "set",
    "test",
    "probe",
    "finish",
    "retire",
    "is_dead",
)


class RotatorContract(RotatorProofs):
    """The tests; a subclass provides the `harness` fixture and lists what its rotator `lacks`."""

    lacks: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        unknown = cls.lacks - ABILITIES
        if unknown:
            raise TypeError(f"{cls.__name__}.lacks has unknown abilities: {sorted(unknown)}")
        for name in dir(RotatorContract):
            if getattr(getattr(RotatorContract, name), "needs", None) in cls.lacks:
                setattr(cls, name, None)

    @pytest.fixture
    def harness(self) -> RotatorHarness:
        """Return the target behind the rotator; every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no 'harness' fixture")

    # --- the protocol

    def test_a_rotator_implements_the_protocol(self, harness: RotatorHarness) -> None:
        rotator = built(harness)
        assert all(callable(getattr(rotator, method, None)) for method in _METHODS)
        assert harness.kind.required <= set(harness.kind.settings)
        if "target" not in self.lacks:
            assert harness.kind.overlap is ("overlap" not in self.lacks)
        assert harness.kind.fields(harness.field, harness.target)[0] == harness.field

    def test_building_does_no_io(self, harness: RotatorHarness) -> None:
        built(harness)  # imports everything that is imported only once
        with Watch() as watch:
            built(harness)
        assert watch.seen == []

    def test_describe_target_does_no_io_and_shows_no_password(
        self, harness: RotatorHarness
    ) -> None:
        described = built(harness).describe_target()
        with Watch() as watch:
            assert built(harness).describe_target() == described, "it changes between two calls"
        assert watch.seen == []
        assert bool(described) is ("target" not in self.lacks)
        assert described.isprintable()
        assert_hidden(described, texts_of(harness, harness.current()))

    @needs("unavailable")
    def test_describe_target_distinguishes_targets(self, harness: RotatorHarness) -> None:
        other = built(harness, harness.unavailable()).describe_target()
        assert other != built(harness).describe_target()

    def test_a_mistyped_key_of_the_target_is_refused(self, harness: RotatorHarness) -> None:
        key = next(iter(harness.kind.settings), "")
        mistyped = f"{key}x"
        with pytest.raises(ProfileError) as caught:
            built(harness, {**harness.target, mistyped: "x"})
        assert f"unknown key '{mistyped}'" in caught.value.message
        if key:
            assert caught.value.hint == f"did you mean '{key}'?"

    def test_a_missing_key_of_the_target_is_named(self, harness: RotatorHarness) -> None:
        for key in harness.kind.required:
            with pytest.raises(ProfileError) as caught:
                built(harness, {k: v for k, v in harness.target.items() if k != key})
            assert key in f"{caught.value.message} {caught.value.hint}"

    # --- a rotation

    def test_a_rotation_replaces_the_credential(self, harness: RotatorHarness) -> None:
        turn = begun(harness, harness.current())
        assert turn.new[harness.field] != turn.old[harness.field]
        assert built(harness).probe(turn.old, turn.facts)
        for name in STEPS:
            step(built(harness), name, turn)
            assert built(harness).probe(turn.new, turn.facts)

    @needs("target")
    def test_after_a_rotation_only_the_new_credential_works(self, harness: RotatorHarness) -> None:
        before = harness.credentials()
        turn = rotated(harness, harness.current())
        assert harness.works(turn.new)
        assert not harness.works(turn.old), "the old credential works after it was retired"
        assert harness.credentials() == before, "a credential was left behind"

    @needs("overlap")
    def test_the_old_credential_works_until_it_is_retired(self, harness: RotatorHarness) -> None:
        turn = begun(harness, harness.current())
        for name in STEPS:
            assert harness.works(turn.old), f"the old credential was gone before '{name}'"
            step(built(harness), name, turn)

    @needs("target")
    def test_consecutive_rotations_succeed(self, harness: RotatorHarness) -> None:
        current, before = harness.current(), harness.credentials()
        for _ in range(3):
            current = rotated(harness, current).new
            assert harness.works(current)
            assert harness.credentials() == before, "a credential was left behind"

    def test_every_created_value_is_new(self, harness: RotatorHarness) -> None:
        current = harness.current()
        facts = built(harness).prepare(current)
        made = [built(harness).create(current, facts).new[harness.field] for _ in range(3)]
        assert len({value.reveal() for value in made}) == 3

    def test_facts_are_texts_without_a_value(self, harness: RotatorHarness) -> None:
        turn = begun(harness, harness.current())
        assert all(isinstance(fact, str) for pair in turn.facts.items() for fact in pair)
        assert_hidden(repr(turn.facts), texts_of(harness, turn.old, turn.new))

    # --- crashes

    def test_every_step_can_be_repeated(self, harness: RotatorHarness) -> None:
        turn = begun(harness, harness.current())
        for name in STEPS:
            for _ in range(2):
                step(built(harness), name, turn)
        assert built(harness).probe(turn.new, turn.facts)

    @needs("target")
    def test_a_repeated_step_leaves_the_same_credentials(self, harness: RotatorHarness) -> None:
        before = harness.credentials()
        turn = begun(harness, harness.current())
        for name in STEPS:
            step(built(harness), name, turn)
            once = self._state(harness, turn)
            step(built(harness), name, turn)
            assert self._state(harness, turn) == once, f"'{name}' had another effect when repeated"
        assert self._state(harness, turn) == (False, True, before)

    @needs("target")
    def test_a_lost_value_leaves_no_credential(self, harness: RotatorHarness) -> None:
        current, before = harness.current(), harness.credentials()
        facts = dict(built(harness).prepare(current))
        lost = built(harness).create(current, facts)
        made = built(harness).create(current, facts)
        turn = Turn(current, {**current, **made.new}, {**facts, **made.facts})
        for name in STEPS:
            step(built(harness), name, turn)
        assert harness.works(turn.new)
        assert not harness.works({**current, **lost.new})
        assert harness.credentials() == before, "a credential was left behind"

    # --- rollback

    @needs("target")
    @pytest.mark.parametrize("done", range(len(STEPS)), ids=("create", *STEPS[:-1]))
    def test_a_rotation_can_be_rolled_back(self, harness: RotatorHarness, done: int) -> None:
        current, before = harness.current(), harness.credentials()
        turn = begun(harness, current)
        for name in STEPS[:done]:
            step(built(harness), name, turn)
        for _ in range(2):
            built(harness).retire(turn.new, turn.old, turn.facts)
        assert harness.works(turn.old), "the old credential does not work any more"
        assert not harness.works(turn.new), "the new credential still works"
        assert harness.credentials() == before, "a credential was left behind"
        assert harness.works(rotated(harness, current).new), "the next rotation fails"

    @needs("target")
    def test_a_lost_change_can_be_rolled_back(self, harness: RotatorHarness) -> None:
        current, before = harness.current(), harness.credentials()
        facts = dict(built(harness).prepare(current))
        lost = built(harness).create(current, facts)
        built(harness).retire({}, current, facts)
        assert harness.works(current)
        assert not harness.works({**current, **lost.new})
        assert harness.credentials() == before, "a credential was left behind"

    @needs("target")
    def test_a_late_retirement_removes_nothing_else(self, harness: RotatorHarness) -> None:
        first = rotated(harness, harness.current())
        second = rotated(harness, first.new)
        built(harness).retire(first.old, second.new, first.facts)
        assert harness.works(second.new), "retiring a missing credential removed another one"
        with suppress(ConflictError):  # by a process that paused during the second rotation
            built(harness, ours=False).retire(first.old, first.new, first.facts)
        assert harness.works(second.new), "retiring a missing credential removed another one"

    @needs("target")
    def test_a_rotation_of_another_process_is_not_changed(self, harness: RotatorHarness) -> None:
        turn = begun(harness, harness.current())
        self._retire_late(harness, turn)
        for name in STEPS[:-1]:
            step(built(harness), name, turn)
        self._retire_late(harness, turn)

    def _retire_late(self, harness: RotatorHarness, turn: Turn) -> None:
        before = self._state(harness, turn)
        with suppress(ConflictError):
            built(harness, ours=False).create(turn.old, turn.facts)
        for name in ("set", "retire"):
            with suppress(ConflictError):
                step(built(harness, ours=False), name, turn)
        assert self._state(harness, turn) == before, "it did not check the rotation's owner"

    @staticmethod
    def _state(harness: RotatorHarness, turn: Turn) -> tuple[bool, bool, int]:
        """Return whether the old and the new credential work, and the number of credentials."""
        return harness.works(turn.old), harness.works(turn.new), harness.credentials()

    # --- tests of a credential, and outages

    def test_probe_accepts_a_working_credential(self, harness: RotatorHarness) -> None:
        current = harness.current()
        facts = built(harness).prepare(current)
        assert built(harness).probe(current, facts) is True

    @needs("target")
    def test_probe_rejects_a_wrong_credential(self, harness: RotatorHarness) -> None:
        current = harness.current()
        turn = begun(harness, current)
        assert built(harness).probe(harness.wrong(current), turn.facts) is False
        for name in STEPS:
            step(built(harness), name, turn)
        assert built(harness).probe(turn.old, turn.facts) is False

    @needs("target")
    def test_a_wrong_credential_fails_the_test_step(self, harness: RotatorHarness) -> None:
        turn = begun(harness, harness.current())
        wrong = harness.wrong(turn.new)
        rotator = built(harness, timeout_seconds=_DEADLINE_SECONDS)
        with everything_logged() as lines, pytest.raises(EnvkitError) as caught:
            patiently(lambda: rotator.test(wrong, turn.facts))
        hidden = texts_of(harness, turn.old, turn.new, wrong)
        assert_clean_of(caught.value, hidden)
        assert_hidden("\n".join(lines), hidden)

    @needs("unavailable")
    @pytest.mark.parametrize("method", ["prepare", "probe", "set", "retire", "is_dead"])
    def test_a_closed_port_is_an_outage(self, harness: RotatorHarness, method: str) -> None:
        self._assert_unavailable(harness, harness.unavailable(), method)

    def test_in_use_shows_no_value_and_changes_nothing(self, harness: RotatorHarness) -> None:
        if not hasattr(harness.kind, "in_use"):
            return
        turn, hidden = begun(harness, harness.current()), texts_of(harness, harness.current())
        before = harness.credentials()
        try:
            seen = repr(patiently(lambda: _in_use(built(harness), turn)))
        except EnvkitError as error:  # some targets do not say, which is no evidence
            assert_clean_of(error, hidden)
            seen = ""
        assert_hidden(seen, hidden)
        assert harness.credentials() == before
        assert harness.works(turn.old)

    @needs("unavailable")
    def test_in_use_of_a_target_that_is_away_is_an_outage(self, harness: RotatorHarness) -> None:
        if hasattr(harness.kind, "in_use"):
            self._assert_unavailable(harness, harness.unavailable(), "in_use")

    @needs("silent")
    def test_a_target_that_never_answers_times_out_at_the_deadline(
        self, harness: RotatorHarness
    ) -> None:
        self._assert_unavailable(harness, harness.silent(), "prepare")

    def _assert_unavailable(
        self, harness: RotatorHarness, target: Mapping[str, object], method: str
    ) -> None:
        turn = begun(harness, harness.current())
        rotator = built(harness, target, timeout_seconds=_DEADLINE_SECONDS)
        calls: dict[str, Callable[[], object]] = {
            "prepare": lambda: rotator.prepare(turn.old),
            "probe": lambda: rotator.probe(turn.old, turn.facts),
            "set": lambda: rotator.set(turn.old, turn.new, turn.facts),
            "retire": lambda: rotator.retire(turn.old, turn.new, turn.facts),
            "is_dead": lambda: rotator.is_dead(turn.old, turn.new, turn.facts),
            "in_use": lambda: _in_use(rotator, turn),
        }
        with pytest.raises(UnavailableError) as caught:
            patiently(calls[method])
        assert caught.value.retryable
        assert_clean_of(caught.value, texts_of(harness, turn.old, turn.new))

    def test_nothing_is_logged_or_printed(
        self, harness: RotatorHarness, capfd: pytest.CaptureFixture[str]
    ) -> None:
        capfd.readouterr()
        with everything_logged() as lines:
            turn = rotated(harness, harness.current())
        printed = capfd.readouterr()
        hidden = texts_of(harness, turn.old, turn.new)
        assert_hidden("\n".join(lines), hidden)
        assert_hidden(printed.out + printed.err, hidden)


def _in_use(rotator: object, turn: Turn) -> object:
    return rotator.in_use(turn.old, turn.facts)  # type: ignore[attr-defined]

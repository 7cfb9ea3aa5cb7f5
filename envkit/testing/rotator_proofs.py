"""The tests of the rotator contract on what a rotator must prove and must never touch.

A rotation starts only from a value that works. A late change of a process that paused too long is
reverted. The current credential survives any content of the record. A retired credential is proved
not to work. `RotatorContract` inherits these tests.
"""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

import pytest

from envkit.errors import ConflictError, EnvkitError, UnavailableError
from envkit.testing.rotator_harness import (
    STEPS,
    RotatorHarness,
    assert_clean_of,
    assert_hidden,
    begun,
    built,
    everything_logged,
    needs,
    overtaken,
    rotated,
    step,
    texts_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class RotatorProofs:
    """Tests of what a rotator must prove; `RotatorContract` includes them."""

    lacks: ClassVar[frozenset[str]] = frozenset()

    # --- before

    @needs("target")
    def test_a_current_value_that_does_not_work_is_refused(self, harness: RotatorHarness) -> None:
        current, before = harness.current(), harness.credentials()
        with everything_logged() as lines, pytest.raises(EnvkitError) as caught:
            built(harness).prepare(harness.wrong(current))
        assert not isinstance(caught.value, UnavailableError)
        hidden = texts_of(harness, current)
        assert_clean_of(caught.value, hidden)
        assert_hidden("\n".join(lines), hidden)
        assert harness.works(current)
        assert harness.credentials() == before

    # --- another process was faster

    @needs("target")
    def test_a_late_change_is_rolled_back(self, harness: RotatorHarness) -> None:
        """The rotator confirms again after the change, by `settle` or before it commits."""
        current, before = harness.current(), harness.credentials()
        facts = dict(built(harness).prepare(current))
        created = None
        with suppress(ConflictError):  # if the target creates the credential
            created = built(harness, **overtaken()).create(current, facts)
        if created is not None:
            new, facts = {**current, **created.new}, {**facts, **created.facts}
            with pytest.raises(ConflictError):
                built(harness, **overtaken()).set(current, new, facts)
            assert not harness.works(new), "the revoked credential still works"
        if "overlap" not in self.lacks:
            assert harness.works(current), "the current credential was revoked as well"
        assert harness.credentials() == before, "a credential was left behind"

    @needs("target")
    def test_a_late_set_restores_no_retired_credential(self, harness: RotatorHarness) -> None:
        """The process paused after `confirm`, and others rotated twice in the meantime."""
        late = begun(harness, harness.current())
        for name in STEPS:
            step(built(harness), name, late)
        current = rotated(harness, late.new).new
        before = harness.credentials()
        with suppress(ConflictError):
            built(harness, **overtaken()).set(late.old, late.new, late.facts)
        assert not harness.works(late.new), "a retired credential works again"
        assert not harness.works(late.old), "a retired credential works again"
        if "overlap" not in self.lacks:
            assert harness.works(current), "the current credential was revoked as well"
            assert harness.credentials() == before, "a credential was left behind"

    # --- the current one is never touched

    @needs("target")
    @pytest.mark.parametrize("facts", [{}, {"known": ""}], ids=["no-facts", "damaged-facts"])
    def test_the_current_credential_survives_a_damaged_record(
        self, harness: RotatorHarness, facts: Mapping[str, str]
    ) -> None:
        current = harness.current()
        built(harness).prepare(current)
        for call in (
            lambda: built(harness).create(current, facts),
            lambda: built(harness).retire({}, current, facts),
            lambda: built(harness).retire(current, current, facts),
        ):
            with suppress(EnvkitError):
                call()
            assert harness.works(current), "the current credential no longer works"

    @needs("target")
    def test_the_remaining_credential_is_never_retired(self, harness: RotatorHarness) -> None:
        turn = rotated(harness, harness.current())
        built(harness).retire(turn.new, turn.new, turn.facts)
        assert harness.works(turn.new), "the current credential no longer works"

    # --- the proof

    def test_a_retired_credential_is_proved_dead(self, harness: RotatorHarness) -> None:
        turn = rotated(harness, harness.current())
        for _ in range(2):
            assert built(harness).is_dead(turn.old, turn.new, turn.facts) is True

    @needs("overlap")
    def test_a_working_credential_is_not_dead(self, harness: RotatorHarness) -> None:
        turn = begun(harness, harness.current())
        for name in STEPS[:-1]:
            step(built(harness), name, turn)
            assert built(harness).is_dead(turn.old, turn.new, turn.facts) is False

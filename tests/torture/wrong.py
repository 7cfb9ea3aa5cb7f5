"""Machines that are wrong, so that the check can be seen to fail. Called in a child process."""

from __future__ import annotations

from envkit.rotation import machine
from envkit.rotation.machine import StepKind
from envkit.rotation_state.record import PendingValue, Phase


def promote_before_set() -> None:
    """Give readers the new value before the target has it."""
    right = machine._FORWARD[Phase.STAGED]

    def staged(record, seen):
        if seen.published == PendingValue.OLD:
            return machine.Decision(StepKind.PROMOTE, "too early")
        return right(record, seen)

    machine._FORWARD[Phase.STAGED] = staged

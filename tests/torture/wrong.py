"""Faulty machines, which prove that the checks can fail. Called in a child process."""

from __future__ import annotations

import os
import signal
import time

from envkit.rotation import machine
from envkit.rotation.machine import StepKind
from envkit.rotation_state.record import PendingValue, Phase, Record


def promote_before_set() -> None:
    """Give readers the new value before the target has it."""
    right = machine._FORWARD[Phase.STAGED]

    def staged(record, seen):
        if seen.published == PendingValue.OLD:
            return machine.Decision(StepKind.PROMOTE, "too early")
        return right(record, seen)

    machine._FORWARD[Phase.STAGED] = staged


def stop_before_the_change_and_look_no_more() -> None:
    """Stop between `confirm` and the change of the target; undo nothing."""
    from envkit.rotation.rotators.command import CommandRotator
    from envkit.rotation.rotators.redis_server import Node
    from envkit.rotation.step_context import StepContext

    add, run = Node.add, CommandRotator._run

    def stop():
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(0.1)  # another thread may get the signal while this one continues

    def stop_and_add(node, user, digest):
        stop()
        return add(node, user, digest)

    def stop_and_run(rotator, step, *args, **more):
        if step == "set":
            stop()
        return run(rotator, step, *args, **more)

    Node.add, CommandRotator._run = stop_and_add, stop_and_run
    StepContext.settle = lambda _step, _fields, _take_back: None


def die_before(step: str) -> None:
    """Die of SIGKILL before a step of the machine."""
    from envkit.rotation import steps

    def die(_step):
        os.kill(os.getpid(), signal.SIGKILL)

    steps._ACTS[StepKind(step)] = die


def wait_for_ever() -> None:
    """Let the server keep the transaction of a silent client open."""
    from envkit.rotation.rotators.postgres import change as postgres_change

    postgres_change._SETTINGS = postgres_change._SETTINGS.replace(
        "('idle_in_transaction_session_timeout', %(silence)s),",
        "('application_name', coalesce(%(silence)s, '')),",
    )


def believe_a_lost_answer() -> None:
    """Assume that a change of the target succeeded and that its removal is proved."""
    from contextlib import suppress

    from envkit.errors import EnvkitError
    from envkit.rotation.rotators.redis_acl import RedisRotator

    retire = RedisRotator.retire

    def retired(rotator, fields, keep, facts):
        with suppress(EnvkitError):
            retire(rotator, fields, keep, facts)

    RedisRotator.retire = retired
    RedisRotator.is_dead = lambda *_: True


def refuse_a_changed_claim() -> None:
    """Refuse a value that was changed since the claim, without a hint."""
    refusal = machine.Decision(StepKind.REFUSE, "the secret was changed")
    Record.only_claimed = property(lambda _record: False)
    machine._refuse_other_value = lambda _seen: refusal


def take_any_target() -> None:
    """Resume a rotation at the target that the profile names now."""
    from envkit.rotation import engine, step_context

    engine._Run.check = lambda _run, _record: None
    step_context._refuse_another_target = lambda *_: None


def believe_any_values() -> None:
    """Accept the values of a record, even if there are none."""
    from envkit.rotation_state.stores import envelope

    envelope._check_values = lambda *_: None

"""Rotations of PostgreSQL passwords on a real server, step by step, for their tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envkit.rotation.rotators.login import login_of
from envkit.rotation.rotators.registry import build
from envkit.testing.rotator_harness import STEPS, Turn, built, step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.protocols import Rotator
    from envkit.rotation_state.store import Fields
    from support.rotators import PostgresHarness

    Target = Mapping[str, object] | None


def of(harness: PostgresHarness, target: Target = None, **context: object) -> Rotator:
    """Build a rotator with more in its context than a harness says."""
    rotator = built(harness, target)
    return build(harness.kind, rotator._context._replace(**context), lambda table: table)


def whole(
    harness: PostgresHarness, current: Fields, target: Target = None, **context: object
) -> Turn:
    """Run a whole rotation, each step with a new rotator; the old login must be dead afterwards."""
    facts = dict(of(harness, target, **context).prepare(current))
    created = of(harness, target, **context).create(current, facts)
    turn = Turn(current, {**current, **created.new}, json.loads(json.dumps(facts)))
    for name in STEPS:
        step(of(harness, target, **context), name, turn)
        assert of(harness, target, **context).probe(turn.new, turn.facts)
    assert of(harness, target, **context).is_dead(turn.old, turn.new, turn.facts)
    return turn


def user_of(harness: PostgresHarness) -> str:
    return login_of(harness.current()["url"]).user


def unchanged(harness: PostgresHarness) -> None:
    assert harness.works(harness.current())
    assert harness.credentials() == 1

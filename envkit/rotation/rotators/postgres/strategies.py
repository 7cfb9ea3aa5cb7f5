"""The rotator `postgres`: the two strategies for rotating a PostgreSQL password."""

from __future__ import annotations

from envkit.rotation.rotators.postgres.alternate import AlternateRotator
from envkit.rotation.rotators.postgres.single import SingleRotator
from envkit.rotation_state.policy import Strategy

STRATEGIES = {Strategy.ALTERNATE: AlternateRotator, Strategy.SINGLE: SingleRotator}

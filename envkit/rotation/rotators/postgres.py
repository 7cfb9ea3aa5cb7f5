"""The rotator `postgres`: the two ways in which a PostgreSQL password is rotated."""

from __future__ import annotations

from envkit.rotation.rotators.postgres_alternate import AlternateRotator
from envkit.rotation.rotators.postgres_single import SingleRotator

STRATEGIES = {"alternate": AlternateRotator, "single": SingleRotator}

"""A page of rotations in every state, for tests that look at it."""

from __future__ import annotations

from envkit.profile.loader import load
from envkit.rotation.catalog import Rotation
from envkit.rotation.status import RotationStatus, status_of
from envkit.rotation_state.policy import policies
from envkit.rotation_state.record import Record

NOW = 1_795_577_472.0
DAY = 86_400.0

# a rotation, its secret, its rotator, and when
_WRITTEN = {
    "prod": (
        ("db-password", "vault:prod/db#password", "postgres", 'every = "30d"'),
        ("reports-db", "vault:prod/reports#password", "postgres", 'every = "30d"'),
        ("cache", "vault:prod/cache#password", "redis", 'schedule = "0 3 * * SUN"'),
        ("deploy-key", "aws:prod/deploy#key", "aws-iam-key", 'every = "90d"'),
        ("session-keys", "vault:prod/session#keys", "keyring", 'every = "12h"\ngrace = "1h"'),
        ("stripe-webhook", "vault:prod/stripe#secret", "random", 'every = "60d"'),
    ),
    "staging": (
        ("db-password", "vault:staging/db#password", "postgres", 'every = "7d"'),
        ("cache", "vault:staging/cache#password", "redis", 'every = "14d"'),
    ),
}
_STANDS = {
    "prod/db-password": {"last_rotated_at": NOW - 12 * DAY},
    "prod/reports-db": {"last_rotated_at": NOW - 41 * DAY},
    "prod/cache": {
        "last_rotated_at": NOW - 3 * DAY,
        "phase": "set",
        "started_at": NOW - 1500,
        "error": "test: store-unavailable",
        "tries": 3,
    },
    "prod/deploy-key": {"last_rotated_at": NOW - 70 * DAY},
    "prod/session-keys": {"last_rotated_at": NOW - DAY / 3},
    "staging/db-password": {
        "last_rotated_at": NOW - 7 * DAY - 300,
        "phase": "grace",
        "started_at": NOW - 120,
        "promoted_at": NOW - 60,
        "retire_at": NOW + 840,
    },
    "staging/cache": {
        "last_rotated_at": NOW - 20 * DAY,
        "phase": "quarantined",
        "error": "the target has refused the new value 3 times",
    },
}


def sample(project) -> tuple[list[RotationStatus], list[Rotation]]:
    """Write two profiles with rotations in every state, and return their status."""
    found, rotations = _read(project, _WRITTEN, _STANDS)
    broken = RotationStatus("eu", error="<b>profiles/eu.toml:3</b>: [rotation.db] needs 'secret'")
    return [*found, broken], rotations


def states_of(project, tables) -> tuple[list[RotationStatus], list[Rotation]]:
    """Write profiles with rotations that go through all states, and return their status.

    Args:
        project: the project of the profiles.
        tables: by profile, for each rotation its name, its secret, its rotator and its times.
    """
    records = list(_STANDS.values())
    names = [f"{profile}/{name}" for profile, written in tables.items() for name, *_ in written]
    states = {name: records[n % len(records)] for n, name in enumerate(names) if n % 5 != 4}
    return _read(project, tables, states)


def _read(project, tables, records) -> tuple[list[RotationStatus], list[Rotation]]:
    rotations = []
    for profile, written in tables.items():
        project.profile(
            f"{profile}.toml",
            "".join(
                f'[rotation.{name}]\nsecret = "{secret}"\nrotator = "{rotator}"\n{when}\n'
                for name, secret, rotator, when in written
            ),
        )
        loaded = load(profile, str(project.profiles))
        for policy in policies(loaded).values():
            source, _, path = str(policy.secret).partition(":")
            place = f"{source}:secret/myapp/{path}"
            rotations.append(Rotation(policy, loaded, (profile,), place))
    records = {name: Record(name, id="1", **fields) for name, fields in records.items()}
    return [status_of(one, records.get(one.full_name), NOW) for one in rotations], rotations

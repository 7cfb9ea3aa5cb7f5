"""The environments and rotations of a real team: 100 variables, 4 environments, 40 rotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.errors import DeniedError, EnvkitError
from support.rotation_page import states_of
from support.sides import side

if TYPE_CHECKING:
    from envkit.comparison.side import Side
    from envkit.rotation.catalog import Rotation
    from envkit.rotation.status import RotationStatus

ENVIRONMENTS = ("dev", "test", "staging", "prod")
OWN_SECRETS = 30
SHARED = "correct-horse-battery-staple"  # two environments share it, in two variables
_EVERYWHERE = 54
_TIMES = (
    'every = "30d"',
    'every = "12h"\ngrace = "1h"',
    'schedule = "0 3 * * SUN"',
    'every = "7d"',
)


def team_sides() -> list[Side]:
    """Four environments: 30 secrets that should differ, and 70 more variables."""
    return [_side(label) for label in ENVIRONMENTS]


def _side(label: str) -> Side:
    deployed = label in ("staging", "prod")
    password = SHARED if deployed else f"{label}-password-0123456789"
    host = f"db.{label}.internal.example.com"
    secrets = {
        f"SERVICE_{n:02}_API_TOKEN": f"{label}-{n}-0123456789abcdef" for n in range(OWN_SECRETS)
    }
    secrets["DB_PASSWORD"] = password
    secrets["DATABASE_URL"] = f"postgresql://shop:{password}@{host}:5432/shop?sslmode=verify-full"
    literals = {f"FEATURE_{n:02}_ENABLED": "true" for n in range(_EVERYWHERE)}
    literals |= {f"TIMEOUT_{n}_SECONDS": "30" if label == "prod" else "5" for n in range(6)}
    literals |= {
        "PUBLIC_URL": f"https://{label}.example.com/shop/checkout?region=eu-central-1&theme=plain",
        "CORS_ORIGINS": f"https://app.example.com,https://admin.example.com,https://{label}.example.com",
        "LOG_LEVEL": "info" if deployed else "debug",
        "REGION": "eu-central-1",
    }
    if deployed:
        literals |= {"SENTRY_ENVIRONMENT": label, "METRICS_URL": "https://metrics.example.com/v1"}
    failing: dict[str, EnvkitError] = {}
    if label == "test":
        failing["LEGACY_TOKEN"] = DeniedError("permission denied")
    else:
        secrets["LEGACY_TOKEN"] = f"{label}-legacy-0123456789"
    return side(label, secrets, literals, failing=failing)


def team_rotations(project) -> tuple[list[RotationStatus], list[Rotation]]:
    """Write profiles with 40 rotations, ten for each environment, and return the rotations."""
    tables = {
        label: tuple(
            (
                f"service-{n}-db-password",
                f"vault:{label}/services/service-{n}/database#password",
                "postgres",
                _TIMES[n % len(_TIMES)],
            )
            for n in range(10)
        )
        for label in ENVIRONMENTS
    }
    return states_of(project, tables)

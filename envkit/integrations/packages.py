"""The error about a library that is not installed."""

from __future__ import annotations

from envkit.errors import ExtraMissingError


def missing(module: str, requirement: str) -> ExtraMissingError:
    """Return the error that `envkit.integrations.MODULE` needs a library."""
    return ExtraMissingError(
        f"envkit.integrations.{module} needs the package {requirement.partition('[')[0]}",
        hint=f"run: pip install '{requirement}'",
    )

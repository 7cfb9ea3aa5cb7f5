"""What `envkit.resolve` returns, for programs: see `envkit.resolution.environment`."""

from __future__ import annotations

from envkit.resolution.environment import Environment, Origin, TypedReader, Variable

__all__ = ["Environment", "Origin", "TypedReader", "Variable"]

"""`envkit check`, for programs: see `envkit.checks.run`."""

from __future__ import annotations

from envkit.checks.run import check

__all__ = ["check"]

"""What `envkit.diff` returns: data without secret values.

A diff contains only what may be shown: literals as they are, and for each secret the
class of its length and a fingerprint. Fingerprints are HMAC-SHA-256 with a key that is
random for each diff: they show "same" and "different" inside one report, and cannot be
looked up or compared with those of another report.
"""

from __future__ import annotations

from envkit.comparison.model import (
    Cell,
    CellState,
    DiffStatus,
    Entry,
    EnvDiff,
    Finding,
    FindingKind,
    Place,
)

__all__ = [
    "Cell",
    "CellState",
    "DiffStatus",
    "Entry",
    "EnvDiff",
    "Finding",
    "FindingKind",
    "Place",
]

"""What `envkit.diff` returns. Value-free by type, and nothing but data.

A diff holds what may be shown and nothing else: literals as they are, and of a secret a
class of its length and a fingerprint. Fingerprints are HMAC-SHA-256 with a key that is
drawn for each diff: they say "same" and "different" inside one report, and cannot be
looked up or compared with another one.
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

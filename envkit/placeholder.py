"""The grammar of values, for authors of sources: see `envkit.profile.placeholder`."""

from __future__ import annotations

from envkit.profile.placeholder import (
    Filter,
    Literal,
    Name,
    Placeholder,
    Reference,
    Template,
    parse,
)
from envkit.profile.substitution import substitute

__all__ = [
    "Filter",
    "Literal",
    "Name",
    "Placeholder",
    "Reference",
    "Template",
    "parse",
    "substitute",
]

"""The variables that a source file reads, as the tests of each language specify them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envkit.code.found import Found

NEEDED, OPTIONAL = "needed", "optional"


def uses(found: Found) -> dict[str, str]:
    """Return `{"A": "needed"}`; the last read of a name counts, and `""` is a computed name."""
    return {read.name: NEEDED if read.needed else OPTIONAL for read in found.reads}

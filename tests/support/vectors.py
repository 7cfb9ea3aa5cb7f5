"""Test vectors: inputs and expected results, stored apart from the test code.

    VECTORS = vectors("unit/profile/placeholder")

    @pytest.mark.parametrize(("text", "column", "message"), VECTORS["an_error_says_where"])

`tests/data` has a file for each module whose tables are long, a list of rows for each test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "data"


def vectors(name: str) -> dict[str, list[Any]]:
    """Return the tables of a test module, by the names of its tests."""
    found: dict[str, list[Any]] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return found

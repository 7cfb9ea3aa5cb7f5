"""The files that the values of prepared profiles come from."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.resolution.prepare import PreparedProfile


def value_files(prepared: Sequence[PreparedProfile]) -> list[str]:
    """Return the paths of profiles and `.env` files, also of those that do not exist."""
    found = [path for one in prepared for path in one.profile.files]
    for one in prepared:
        for name, references in one.plan.references.items():
            source = one.sources[name]
            if one.profile.sources[name].type == "dotenv":
                names = [file for ref in references for file in source.files(ref)]  # type: ignore[attr-defined]
                found += [os.path.join(one.profile.root, file) for file in names]
    return found

"""Every code of `envkit.errors` is in the guide with its exit status, and no other one is."""

from __future__ import annotations

import re

from envkit import errors
from support.pages import ROOT

PAGE = ROOT / "docs" / "guide" / "errors.md"
_HEADING = re.compile(r"^### `([a-z-]+)` \(exit status (.+)\)$", re.MULTILINE)
# their status is that of another error
_DEPENDENT = {
    "resolution-failed": "of its failures",
    "promotion-refused": "of its failures",
    "need-failed": "of its cause",
}


def test_the_guide_has_every_code_and_no_other():
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.EnvkitError)
    ]
    codes = {kind.code: _DEPENDENT.get(kind.code, str(kind.exit_status)) for kind in kinds}
    assert len(codes) == len(kinds), "two errors have the same code"
    documented = _HEADING.findall(PAGE.read_text(encoding="utf-8"))
    assert len(dict(documented)) == len(documented), "a code is there twice"
    assert dict(documented) == codes

"""The error reference lists every error code with its exit status, and no others."""

import re
from importlib import import_module

from envkit.errors import EnvkitError
from support.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "errors.md"
_HEADING = re.compile(r"^### `([a-z-]+)` \(exit status (.+)\)$", re.MULTILINE)
_CODE = re.compile(r'^    code = "', re.MULTILINE)
# their status is that of another error
_DEPENDENT = {
    "resolution-failed": "of its failures",
    "promotion-refused": "of its failures",
    "need-failed": "of its cause",
}


def kinds():
    """Return all classes of errors with their own code."""
    for path in sorted((ROOT / "envkit").rglob("*.py")):
        if not _CODE.search(path.read_text(encoding="utf-8")):
            continue
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, EnvkitError):
                yield from [kind] * (kind.__module__ == module.__name__ and "code" in vars(kind))


def test_the_guide_has_every_code_and_no_other():
    found = list(kinds())
    codes = {kind.code: _DEPENDENT.get(kind.code, str(kind.exit_status)) for kind in found}
    assert len(codes) == len(found), "two errors have the same code"
    documented = _HEADING.findall(PAGE.read_text(encoding="utf-8"))
    assert len(dict(documented)) == len(documented), "a code is there twice"
    assert dict(documented) == codes

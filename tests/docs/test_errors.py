"""The reference has an entry for each code of an error, with its exit status, and no other."""

import re
from importlib import import_module

from envkit.errors import EnvkitError
from support.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "errors.md"
_SECTION = re.compile(r"^## [^\n]*?(?:: ([0-9, ]+))?\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_OWN_STATUS = re.compile(r"^Exit status:? (.+)\.$", re.MULTILINE)
_DEPENDENT = {
    "resolution-failed": "of the most urgent failure, in the order 3, 6, 5, 4",
    "promotion-refused": "of the most urgent failure, in the order 3, 6, 5, 4",
    "import-refused": "of the most urgent failure, in the order 3, 6, 5, 4",
    "backup-incomplete": "of the most urgent failure, in the order 3, 6, 5, 4",
    "verify-incomplete": "of the most urgent failure, in the order 3, 6, 5, 4",
    "restore-incomplete": (
        "of the most urgent failure, in the order 3, 6, 5, 4; 7 if all are conflicts"
    ),
    "need-failed": "that of the variable that failed",
}


def entries():
    """Return the text and the exit status of each entry, by its heading."""
    found = {}
    for status, section in _SECTION.findall(PAGE.read_text(encoding="utf-8")):
        for heading, text in _ENTRY.findall(section):
            assert heading not in found, f"{heading} has two entries"
            own = _OWN_STATUS.search(text)
            found[heading] = text, own[1] if own else status
    return found


def codes():
    """Return the exit status of each code: of EnvkitError and of its subclasses in the package."""
    for path in sorted((ROOT / "envkit").rglob("*.py")):
        if re.search(r'^    code = "', path.read_text(encoding="utf-8"), re.MULTILINE):
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found, kinds = {}, [EnvkitError]
    for kind in kinds:  # grows
        kinds += [one for one in kind.__subclasses__() if one not in kinds]
        if kind.__module__.startswith("envkit.") and "code" in vars(kind):
            assert kind.code not in found, f"two errors have the code {kind.code}"
            found[kind.code] = _DEPENDENT.get(kind.code, str(kind.exit_status))
    return found


def test_the_error_reference_has_an_entry_for_each_code_and_no_other():
    assert {code: status for code, (_, status) in entries().items()} == {
        f"`{code}`": status for code, status in codes().items()
    }


def test_each_entry_of_the_error_reference_has_a_message_and_a_fix():
    incomplete = [
        code
        for code, (text, _) in entries().items()
        if not re.search(r"^> .+\n\n.+\n\n(.+\n\n)?Fix: ", text, re.MULTILINE | re.DOTALL)
    ]
    assert incomplete == []

"""CONTRIBUTING.md names files, make targets and constants that exist."""

import re

from support.pages import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_path_that_contributing_names_exists():
    paths = set(re.findall(r"`((?:envkit|tests|docs)/[\w./]+)`", TEXT))
    named = {path for path in paths if "NAME" not in path}
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_table_of_make_targets_matches_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    shown = re.findall(r"^\| `make ([a-z-]+)` \|", TEXT, re.MULTILINE)
    assert sorted(["help", *shown]) == sorted(targets)


def test_the_tables_to_extend_are_where_contributing_says():
    added = re.findall(r"`([A-Z_]{4,})`[^`]*(?:in|\n)\s+`(envkit/[\w/]+\.py)`", TEXT)
    assert {name for name, _ in added} == {
        "_CLIENTS",
        "BUILT_IN",
        "FAMILIES",
        "KINDS",
        "LAZY",
        "_DRIVERS",
        "_OPTIONS",
    }
    for name, path in added:
        assert re.search(
            rf"^{name}\b.* = ", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE
        ), path

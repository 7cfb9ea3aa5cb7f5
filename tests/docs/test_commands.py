"""The commands on the pages print what the pages show; see `support.pages`."""

import os

import pytest

from support.pages import ROOT, follow, pages_run_by

README = ROOT / "README.md"
PAGES = pages_run_by("tests/docs/test_commands.py")


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p != README], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_commands_of_a_page_print_what_the_page_shows(page, tmp_path):
    follow(page, tmp_path / "shop")


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_readme_tour_is_the_same_under_every_umask(mask, tmp_path):
    before = os.umask(mask)
    try:
        follow(README, tmp_path / "shop")
    finally:
        os.umask(before)


def test_the_readme_is_among_the_tested_pages():
    assert README in PAGES

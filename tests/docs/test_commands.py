"""What the pages show has been run, and comes out as they show it; see `support.pages`."""

import pytest

from support.pages import ROOT, follow, pages_run_by

PAGES = pages_run_by("tests/docs/test_commands.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_tells_what_happens(page, tmp_path):
    follow(page, tmp_path / "shop")


def test_there_are_pages():
    assert ROOT / "README.md" in PAGES

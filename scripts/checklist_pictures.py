"""Take the pictures of docs/guides/checklist.md again: docs/images/checklist*.png.

Run `make test-extra` first: it installs the tools. Needs the packages of the extra `test`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"

sys.path.insert(0, str(ROOT / "tests"))
from envkit.cli.formats.checklist import page  # noqa: E402
from support.checklist_page import NOW, sample  # noqa: E402
from support.chromium import Chromium  # noqa: E402


def main() -> None:
    """Render the page with every state, and take its picture in light and dark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "checklist.html"
        path.write_text(page.render(sample(), NOW), encoding="utf-8")
        browser_folder = folder / "chromium"
        browser_folder.mkdir()
        with Chromium(browser_folder) as browser:
            for file, dark in (("checklist.png", False), ("checklist-dark.png", True)):
                browser.open(path, width=1200, dark=dark)
                (IMAGES / file).write_bytes(browser.picture())


if __name__ == "__main__":
    main()

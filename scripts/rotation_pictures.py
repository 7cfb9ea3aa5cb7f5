"""Take the pictures of docs/reference/rotation.md again: docs/images/rotation-status*.png.

Run `make test-extra` first: it installs the tools. Needs the packages of the extra `test`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"

sys.path.insert(0, str(ROOT / "tests"))
from envkit.cli.formats.rotation import page  # noqa: E402
from support.chromium import Chromium  # noqa: E402
from support.rotation_page import NOW, sample  # noqa: E402


def main() -> None:
    """Render the page with every state, and take its picture in light and dark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profiles = folder / "profiles"
        profiles.mkdir()
        project = SimpleNamespace(
            profiles=profiles,
            profile=lambda file, text: (profiles / file).write_text(text, encoding="utf-8"),
        )
        found, rotations = sample(project)
        shown = [one for one in found if one.rotation in {r.full_name for r in rotations}]
        path = folder / "status.html"
        path.write_text(page.render(shown, rotations, NOW), encoding="utf-8")
        browser_folder = folder / "chromium"
        browser_folder.mkdir()
        with Chromium(browser_folder) as browser:
            for file, dark in (("rotation-status.png", False), ("rotation-status-dark.png", True)):
                browser.open(path, width=1200, dark=dark)
                (IMAGES / file).write_bytes(browser.picture())


if __name__ == "__main__":
    main()

"""Install packages with plug-ins into a folder on the path, with their metadata."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str, str, str], None]:
    """Return what installs a package: its name, the group, `name = module:object`, its code."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def installed(package: str, group: str, entry_point: str, code: str) -> None:
        info, module = site / f"{package}-1.0.dist-info", package.replace("-", "_")
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry_point}\n")
        (site / f"{module}.py").write_text(textwrap.dedent(code))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return installed

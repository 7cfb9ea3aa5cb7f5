"""Suggest how to install an extra, based on how this envkit was installed.

The package with this name on PyPI is a different project, so a hint names only the folder, file
or repository that this envkit was installed from.

Reference: PEP 610, "Recording the Direct URL Origin of installed distributions"
"""

from __future__ import annotations

import os
import sys

PAGE = "README.md"  # in the checkout; the only location that is certain


def install_hint(extra: str) -> str:
    """Return a hint on how to install an extra; a command if one is known."""
    origin = _origin()
    installer = _installer()
    # uv tool and pipx rebuild the environment, so the command must repeat its extras
    extras = sorted({extra, *(_extras() if installer[0] != sys.executable else ())})
    wanted = None if origin is None else _requirement(origin, ",".join(extras))
    if wanted is None:
        return f"install envkit from its checkout with the extra '{extra}': see {PAGE}, Install"
    from shlex import quote

    return f"run: {' '.join(map(quote, [*installer, *wanted]))}"


def _extras() -> list[str]:
    """Return the extras whose packages are installed."""
    import re
    from importlib.metadata import PackageNotFoundError, distribution

    packages: dict[str, list[str]] = {}
    try:
        for wanted in distribution("envkit").requires or ():
            found = re.fullmatch(r"""([A-Za-z0-9._-]+).*\bextra == ["']([^"']+)["']""", wanted)
            if found is not None:
                packages.setdefault(found[2], []).append(found[1])
    except PackageNotFoundError:
        return []
    there = []
    for extra, names in packages.items():
        try:
            for name in names:
                distribution(name)
        except PackageNotFoundError:
            continue
        if "envkit" not in names:  # an extra that combines others, for development
            there.append(extra)
    return there


def _installer() -> list[str]:
    """Return the command that installs packages into the current environment."""
    if os.path.exists(os.path.join(sys.prefix, "uv-receipt.toml")):
        return ["uv", "tool", "install", "--force"]
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        return ["pipx", "install", "--force"]
    from importlib.util import find_spec

    if find_spec("pip") is None:
        return ["uv", "pip", "install", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install"]


def _origin() -> dict[str, object] | None:
    """Return the recorded origin of the installation; None if it is a package index."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        found = json.loads(distribution("envkit").read_text("direct_url.json") or "null")
    except (PackageNotFoundError, OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _requirement(origin: dict[str, object], extra: str) -> list[str] | None:
    """Return the arguments that name this envkit with an extra; None if unknown."""
    from urllib.parse import unquote, urlsplit

    url = str(origin.get("url", ""))
    parts = urlsplit(url)
    if parts.username is not None or parts.query or not parts.scheme:
        return None  # the URL may contain a password or a signature
    details = origin.get("dir_info")
    if isinstance(details, dict):
        path = unquote(parts.path)
        if not os.path.isfile(os.path.join(path, "pyproject.toml")):
            return None
        editable = ["-e"] if details.get("editable") else []
        return [*editable, f"{path}[{extra}]"]
    version_control = origin.get("vcs_info")
    if isinstance(version_control, dict):
        commit = version_control.get("commit_id", "")
        url = f"{version_control.get('vcs')}+{url}" + (f"@{commit}" if commit else "")
    elif parts.scheme == "file" and not os.path.exists(unquote(parts.path)):
        return None
    if origin.get("subdirectory"):
        url += f"#subdirectory={origin['subdirectory']}"
    return [f"envkit[{extra}] @ {url}"]

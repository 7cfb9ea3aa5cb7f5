"""Find the files that look like `.env` files, and that `envkit init` does not use."""

from __future__ import annotations

import os
from contextlib import suppress

from envkit.dotenv.file import LOCAL
from envkit.profile.discovery import FOLDER
from envkit.scaffold.profile_draft import BASE, COPIES, is_dotenv_name

# endings of files that contain no variables, and why they are not used
_OTHER_ENDINGS = {
    ".vault": "it belongs to dotenv-vault",
    ".me": "it belongs to dotenv-vault",
    f".{BASE}": f"the profile '{BASE}' is no environment, and reads no file",
}
_USED_ENDINGS = (".keys", ".envkit-previous", ".envkit-rotation", ".envkit-lock", ".envkit-tmp")


def passed_over(root: str) -> dict[str, str]:
    """Return the files that look like `.env` files but are not treated as such, and why."""
    found = {
        file: _why_passed_over(file)
        for file in sorted(os.listdir(root))
        if file.startswith(".env.")
        and not is_dotenv_name(file)
        and not file.endswith(_USED_ENDINGS)
        and os.path.isfile(os.path.join(root, file))
    }
    for folder in _folders(root):
        for part in (folder, *_folders(os.path.join(root, folder), folder)):  # also `apps/web`
            with suppress(OSError):
                for file in sorted(filter(is_dotenv_name, os.listdir(os.path.join(root, part)))):
                    found[f"{part}/{file}"] = f"to use it there, run 'envkit init' in {part}"
    return found


def _folders(path: str, name: str = "") -> list[str]:
    """Return the folders in a folder that may have the `.env` files of other programs."""
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in entries if _may_be_a_project(entry)]
    except OSError:
        return []
    return [os.path.join(name, each) for each in sorted(names)]


def _why_passed_over(file: str) -> str:
    for ending, why in _OTHER_ENDINGS.items():
        if file.removesuffix(LOCAL).endswith(ending):
            return why
    return "it looks like a copy" if file.endswith(COPIES) else "its name is no environment's"


def _may_be_a_project(entry: os.DirEntry[str]) -> bool:
    """Return whether a folder may have the `.env` files of another program of the team."""
    return (
        entry.is_dir(follow_symlinks=False)
        and not entry.name.startswith(".")
        and entry.name not in (FOLDER, "node_modules", "vendor")
    )

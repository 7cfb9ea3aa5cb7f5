"""Install the pre-commit hook that checks encrypted files, and keep a hook that is there.

An existing hook is renamed, and the new one runs it first. The folder of the hooks is the one
that git uses: also in a worktree, and with `core.hooksPath`, if that is set for this repository
only.
"""

from __future__ import annotations

import os
import shlex
import stat
from typing import NamedTuple

from envkit._internal.atomic_write import write_atomic
from envkit._internal.files import read_capped
from envkit._internal.paths import display_path
from envkit.errors import WriteRefusedError
from envkit.git.write_failure import write_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit._internal.git import Repository

NAME = "pre-commit"
KEPT = "pre-commit.before-envkit"
COMMAND = "envkit env hook run"
_LEGACY = "pre-commit.legacy"  # the name under which the program `pre-commit` keeps a hook
_MARK = b"envkit env hook install"
_LIMIT_BYTES = 1024 * 1024
_SCRIPT = """\
#!/bin/sh
# written by: envkit env hook install
# runs the hook that was here before, if any, then checks the staged encrypted files
set -e
if [ -x "$0.before-envkit" ]; then
    "$0.before-envkit" "$@"
fi
if command -v envkit > /dev/null 2>&1; then
    exec envkit env hook run
fi
if [ -x {python} ]; then
    exec {python} -m envkit env hook run
fi
echo "envkit: error: cannot check this commit: envkit is not installed" >&2
echo "envkit: hint: install envkit, or activate the environment that has it" >&2
exit 1
"""


class Installed(NamedTuple):
    """The result of an installation.

    Attributes:
        path: the hook.
        changed: False if the hook was there already.
        kept: the new path of the hook that was there before; None if there was none.
    """

    path: str
    changed: bool
    kept: str | None


def install(repository: Repository, python: str) -> Installed:
    """Install the hook in a repository.

    Args:
        repository: the repository.
        python: the interpreter that has envkit, for shells that do not find `envkit`.

    Raises:
        WriteRefusedError: another program manages the hooks, or they belong to every repository.
        SourceError: the hook cannot be written.
    """
    folder = _folder(repository)
    path = os.path.join(folder, NAME)
    script = _SCRIPT.format(python=shlex.quote(python)).encode()
    try:
        os.makedirs(folder, exist_ok=True)
        there = _content(path)
        kept = _kept(folder)
        if there is not None and _MARK in there:
            if there != script:
                write_atomic(path, script, mode=0o755, follow=False)
            return Installed(path, there != script, kept)
        if there is not None:
            if kept is not None:
                raise WriteRefusedError(
                    f"{display_path(path)} and {display_path(kept)} are both hooks of other "
                    "programs",
                    hint="merge the two into one file, remove the other, and run it again",
                )
            if _MARK in (_content(os.path.join(folder, _LEGACY)) or b""):
                return Installed(path, changed=False, kept=None)  # this hook runs ours
            kept = os.path.join(folder, KEPT)
        _replace(path, kept if there is not None else None, script)
    except OSError as error:
        raise write_failure(path, error) from None
    return Installed(path, changed=True, kept=kept)


def _replace(path: str, kept: str | None, script: bytes) -> None:
    """Write the hook, after the one that is there was renamed; undo that if the write fails."""
    if kept is not None:
        os.rename(path, kept)
    try:
        write_atomic(path, script, mode=0o755, follow=False)
    except BaseException:
        if kept is not None:
            os.rename(kept, path)
        raise


def _folder(repository: Repository) -> str:
    """Return the folder of the hooks, if a hook may be written there."""
    # without `--path-format`, which old versions do not have
    found = (repository.ask("rev-parse", "--git-path", "hooks") or ".git/hooks").removesuffix("\n")
    folder = os.path.join(repository.root, os.path.expanduser(found))
    setting = repository.ask("config", "--show-scope", "--get", "core.hooksPath")
    if setting and setting.split()[0] not in ("local", "worktree"):
        raise WriteRefusedError(
            f"core.hooksPath is set for all your repositories, to {folder}",
            hint=f"write: {COMMAND} into {os.path.join(folder, NAME)}, or run: "
            "git config --local core.hooksPath .git/hooks",
        )
    if os.path.basename(folder) == "_" and os.path.basename(os.path.dirname(folder)) == ".husky":
        raise WriteRefusedError(
            "husky manages the hooks of this repository",
            hint=f"write: {COMMAND} into .husky/{NAME}",
        )
    return folder


def _kept(folder: str) -> str | None:
    path = os.path.join(folder, KEPT)
    return path if os.path.lexists(path) else None


def _content(path: str) -> bytes | None:
    """Return the content of a hook; None if there is none."""
    try:
        return read_capped(path, _LIMIT_BYTES)
    except FileNotFoundError:
        if not os.path.islink(path):
            return None
        return b""  # a dangling link is a hook that cannot run
    except OSError:
        if stat.S_ISREG(os.stat(path).st_mode):
            return b""  # large or unreadable: not ours
        raise

"""Workflow commands of GitHub Actions.

Reference: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from envkit.cli.error_text import print_labelled
from envkit.cli.output import printable
from envkit.launch.github_masks import github_masks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.resolution.environment import Environment


def annotation(level: str, properties: Mapping[str, str], message: str) -> str:
    """Return the command for one annotation.

    Args:
        level: `error`, `warning` or `notice`.
        properties: `file`, `line` and `title`, in the order in which they are written.
        message: lines that are printable.
    """
    shown = ",".join(f"{key}={_property(text)}" for key, text in properties.items())
    return f"::{level} {shown}::{_data(message)}"


def print_masks(environment: Environment) -> None:
    """Write to stderr what makes the runner hide the secrets, and the names of those it cannot.

    stdout may be on its way to $GITHUB_ENV; the runner takes commands from stderr too.
    """
    secrets = {
        variable.name: (variable.value, *variable.readings)
        for variable in environment.variables()
        if variable.secret
    }
    masks = github_masks(secrets)
    sys.stderr.flush()
    sys.stderr.buffer.write(masks.commands.encode("utf-8", "surrogateescape"))
    sys.stderr.flush()
    if masks.unmasked:
        names = ", ".join(masks.unmasked)
        print_labelled("warning", f"not masked in the log, because it is too short: {names}")


def below_root(path: str, environ: Mapping[str, str]) -> str:
    """Return a path as GitHub has it: from the top of the checked-out repository.

    Args:
        path: of a file.
        environ: `GITHUB_WORKSPACE` is the top; the working directory unless it is set.
    """
    return os.path.relpath(path, environ.get("GITHUB_WORKSPACE") or os.getcwd())


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")

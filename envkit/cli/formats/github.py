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
        properties: `file`, `line` and `title`, in the order of the output.
        message: printable lines.
    """
    shown = ",".join(f"{key}={_property(text)}" for key, text in properties.items())
    return f"::{level} {shown}::{_data(message)}"


def print_masks(environment: Environment) -> None:
    """Write the commands to stderr that mask the secrets, and warn of values that are too short.

    stdout may go to $GITHUB_ENV. The runner also reads commands from stderr.
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
    """Return a path relative to the checked-out repository, as GitHub expects it.

    Args:
        path: the path of a file.
        environ: `GITHUB_WORKSPACE` is the repository; default: the working directory.
    """
    return os.path.relpath(path, environ.get("GITHUB_WORKSPACE") or os.getcwd())


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")

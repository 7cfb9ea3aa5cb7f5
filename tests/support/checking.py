"""The problems that a check finds in a project, as lines of text."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from envkit.checks.run import check
from envkit.cli.formats.check.shown import concerns, place

if TYPE_CHECKING:
    from pathlib import Path

    from envkit.checks.problem import Problem


def line(problem: Problem) -> str:
    """`profiles/prod.toml:3: DB_PASSWORD holds a secret, by its name [literal-secret, prod]`."""
    where = place(problem)
    return f"{where + ': ' if where else ''}{problem.message} [{concerns(problem)}]"


def found(*codes: str, **arguments: object) -> list[str]:
    """Check the project in the working directory, and return the problems of these codes.

    By default, checks everything with an empty process environment; `arguments` add to that.
    """
    arguments = {"environ": {"PATH": "/usr/bin:/bin"}, **arguments}
    problems = check(**arguments).problems
    return [line(problem) for problem in problems if not codes or problem.code in codes]


def git(root: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)

"""Rotate the values that a scan has found, after a question."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envkit._internal.clock import Deadline
from envkit.arguments import timeout_seconds
from envkit.audit.session import REASON
from envkit.checks.problem import listed
from envkit.cli.commands.rotate.now import now
from envkit.cli.error_text import print_error, print_labelled
from envkit.cli.formats.scan.wording import place
from envkit.cli.interaction.prompt import confirm
from envkit.errors import EnvkitError
from envkit.scan.rotations import rotations_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.scan.found import Finding


def rotate_leaks(
    findings: Sequence[Finding],
    folder: str,
    *,
    reason: str | None,
    break_glass: bool,
    yes: bool,
    timeout: str | None,
) -> None:
    """Run `envkit rotate --compromised` for each rotation of a value that was found.

    Args:
        findings: of a scan.
        folder: the folder of profiles.
        reason: for the audit log; default: `ENVKIT_REASON`, then where the value was found.
        break_glass: whether the person uses profiles outside their hours.
        yes: whether to rotate without asking.
        timeout: the value of `--timeout`.

    Raises:
        UsageError: the user cannot be asked.
    """
    deadline = Deadline(timeout_seconds(timeout))
    leaked = rotations_of(findings, folder, environ=os.environ, deadline=deadline)
    for error in leaked.errors:
        print_error(error)
    for environment, variable in leaked.by_hand:
        print_labelled(
            "note",
            f"no rotation changes {variable} of {environment}; "
            f"replace it: envkit set {variable} --env {environment}",
        )
    if not leaked.rotations:
        return
    names = list(leaked.rotations)
    question = (
        f"The old values of {listed(names)} stop working at once, and their sessions end. Apps "
        "that still use them fail until they restart. Rotate them now?"
    )
    if not confirm(question, yes=yes):
        print_labelled("note", "nothing was rotated")
        return
    for name, finding in leaked.rotations.items():
        try:
            with _reason(f"envkit scan found it in {place(finding)}"):
                now(
                    [name],
                    compromised=True,
                    yes=True,
                    reason=reason,
                    break_glass=break_glass,
                    timeout=timeout,
                    profiles=folder,
                )
        except EnvkitError as error:  # it must not stop the others
            print_error(error)


@contextmanager
def _reason(text: str) -> Iterator[None]:
    """Provide a reason in `ENVKIT_REASON`, unless there is one; `--reason` means a person."""
    given = os.environ.get(REASON)
    os.environ[REASON] = given or text
    try:
        yield
    finally:
        if given is None:
            del os.environ[REASON]

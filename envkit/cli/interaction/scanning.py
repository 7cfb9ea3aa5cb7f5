"""Read the values of environments and scan for them: `envkit scan`, and the pre-commit hook."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envkit._internal.clock import Deadline
from envkit.access.admission import is_closed
from envkit.access.person import is_person
from envkit.audit.session import REASON
from envkit.checks.ignore_file import project_rules
from envkit.cli.interaction.access import open_access
from envkit.cli.interaction.progress import Bar
from envkit.scan.environments import choose, read
from envkit.scan.run import scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.scan.found import Report
    from envkit.scan.run import Request


def scan_for_values(
    request: Request,
    environments: Sequence[str],
    *,
    reason: str | None = None,
    break_glass: bool = False,
    timeout_seconds: float,
    with_choice: bool = True,
) -> Report:
    """Scan for the values of environments, and record that they were read.

    Args:
        request: what to scan.
        environments: those that the user named; default: every value on this machine.
        reason: for protected profiles; default: `ENVKIT_REASON`.
        break_glass: whether the person uses profiles outside their hours.
        timeout_seconds: for all stores together.
        with_choice: whether the report says which values a scan leaves out by default.

    Raises:
        EnvkitError: see `choose` and `scan`.
    """
    rules = project_rules(os.path.dirname(request.folder))
    restricted = not break_glass and is_person(reason)
    deadline = Deadline(timeout_seconds)
    with Bar() as bar:
        with open_access("scan", reason, break_glass=break_glass) as access:
            chosen = choose(
                environments,
                request.folder,
                environ=os.environ,
                deadline=deadline,
                has_reason=bool((reason or os.environ.get(REASON, "")).strip()),
                is_closed=lambda profile: restricted and is_closed(profile),
            )
            if chosen.prepared:
                access.begin(chosen.prepared)
                if not chosen.explicit and not break_glass:
                    access.stop_reporting()  # or each commit would ring, through the hook
                deadline.restart()  # a person may have been asked
            values = read(chosen, deadline)
            if values:
                access.succeed(variable for one in values for variable in one.variables)
        if not with_choice:
            chosen = chosen._replace(left_out=())
        return scan(request, chosen, values, os.environ, bar.show).accepting(rules)

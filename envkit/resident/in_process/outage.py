"""Log what a live environment cannot do: once when that begins, and once when it ends.

It goes to the logger `envkit`, without any value.
"""

from __future__ import annotations

import logging

from envkit.resident.state import Began, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.resident.state import Notice

LOG = logging.getLogger("envkit")


def log(environment: str, notices: Iterable[Notice], age_seconds: float) -> None:
    """Log notices.

    Args:
        environment: its name.
        notices: what has begun or ended.
        age_seconds: of the values that are in use.
    """
    for one in notices:
        what = _what(environment, one)
        if not isinstance(one, Began):
            LOG.info("%s again", what[1])
            continue
        LOG.warning(
            "%s: %s; values from %.0f s ago stay in use", what[0], one.error.message, age_seconds
        )


def _what(environment: str, notice: Notice) -> tuple[str, str]:
    """Return what cannot be done, and what can be done again."""
    if notice.source is not None:
        source = notice.source.partition("/")[2] or notice.source
        return (
            f"cannot look for changes of '{environment}' in '{source}'",
            f"'{source}' of '{environment}' answers",
        )
    if notice.problem is Problem.INVALID:
        return f"'{environment}' has become invalid", f"'{environment}' is valid"
    return f"cannot read '{environment}'", f"'{environment}' can be read"

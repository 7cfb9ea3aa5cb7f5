"""What the commands that change values say of what was written."""

from __future__ import annotations

from envkit.cli.error_text import print_labelled
from envkit.editing.write import warnings_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.editing.slots import ValueSlot


def print_warnings(slots: Iterable[ValueSlot]) -> None:
    """Print what a person should know of the writes to slots: often nothing."""
    for warning in warnings_of(slots):
        print_labelled("warning", warning)

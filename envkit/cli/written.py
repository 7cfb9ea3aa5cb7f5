"""What the commands that change values say of what was written."""

from __future__ import annotations

import sys

from envkit.cli.error_text import print_labelled
from envkit.editing.write import warnings_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.editing.slots import ValueSlot


def print_warnings(slots: Iterable[ValueSlot]) -> None:
    """Print what a person should know of the writes to slots: often nothing."""
    print_each(warnings_of(slots))


def print_each(warnings: Iterable[str]) -> None:
    """Print warnings behind what was printed so far."""
    for warning in warnings:
        sys.stdout.flush()  # where both go to one file, this belongs behind it
        print_labelled("warning", warning)

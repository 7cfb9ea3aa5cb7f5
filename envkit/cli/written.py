"""Print the warnings of commands that change values, after they have written."""

from __future__ import annotations

import sys

from envkit.cli.error_text import print_labelled
from envkit.editing.write import warnings_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.editing.slots import ValueSlot


def print_warnings(slots: Iterable[ValueSlot]) -> None:
    """Print the warnings about writes to slots."""
    print_each(warnings_of(slots))


def print_each(warnings: Iterable[str]) -> None:
    """Print warnings after all earlier output."""
    for warning in warnings:
        sys.stdout.flush()  # keeps the order if both go to the same file
        print_labelled("warning", warning)

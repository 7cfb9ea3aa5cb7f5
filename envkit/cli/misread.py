"""Warn of values in a `.env` file, or in an export, that other programs read otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.cli.error_text import print_labelled
from envkit.dotenv.readers import COMPOSE, NODE, misreaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.editing.slots import ValueSlot
    from envkit.secret import Secret


def warn_of_line(slot: ValueSlot, name: str, value: Secret) -> None:
    """Warn of one value that was written to a `.env` file, and of its other readers."""
    from envkit.editing.slots import ProfileSlot, StoreSlot
    from envkit.sources.dotenv import DotenvSource

    if isinstance(slot, StoreSlot):
        in_dotenv = isinstance(slot.source, DotenvSource)
    else:
        in_dotenv = isinstance(slot, ProfileSlot) and slot.file.path.endswith(".env")
    readers = misreaders(value.reveal()) if in_dotenv else ()
    if readers:
        listed = " and ".join(filter(None, (", ".join(readers[:-1]), readers[-1])))
        print_labelled(
            "warning",
            f"{name} has quotes or escapes that only envkit and python-dotenv read: "
            f"{listed} would read another value",
        )
        print_labelled("hint", "start programs with 'envkit exec', which gives them every value")


def warn_of_export(values: Mapping[str, Secret]) -> None:
    """Warn of values that Compose or Node would read otherwise from an export for `dotenv`."""
    wrong: dict[str, list[str]] = {}
    for name, value in values.items():
        for reader in misreaders(value.reveal()):
            wrong.setdefault(reader, []).append(name)
    for reader in (COMPOSE, NODE):
        if reader in wrong:
            print_labelled(
                "warning",
                f"{reader} reads another value than python-dotenv: {', '.join(wrong[reader])}",
            )

"""Warn of values in a `.env` file or an export that other programs read differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.cli.error_text import print_labelled
from envkit.dotenv.readers import COMPOSE, NODE, misreaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.editing.slots import ValueSlot
    from envkit.secret import Secret


def warn_of_line(slot: ValueSlot, name: str, value: Secret) -> None:
    """Warn if other readers of a `.env` file would read a written value differently."""
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
            f"{listed} would read a different value",
        )
        print_labelled(
            "hint", "start programs with 'envkit exec', which passes every value unchanged"
        )


def warn_of_export(values: Mapping[str, Secret]) -> None:
    """Warn of values that Compose or Node read differently from a `dotenv` export."""
    wrong: dict[str, list[str]] = {}
    for name, value in values.items():
        for reader in misreaders(value.reveal()):
            wrong.setdefault(reader, []).append(name)
    for reader in (COMPOSE, NODE):
        if reader in wrong:
            print_labelled(
                "warning",
                f"{reader} reads a different value than python-dotenv: {', '.join(wrong[reader])}",
            )

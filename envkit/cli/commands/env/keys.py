"""`envkit env keys`: which environments have encrypted files, and where their keys are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from envkit.cli.commands.env.selection import File
from envkit.cli.error_text import print_labelled
from envkit.cli.output import Cell, print_json, print_table
from envkit.cli.parameters import AnyEnv, Format, Formatted, Profiles
from envkit.encryption.at_hand import PrivateKeyState
from envkit.env_files.status import statuses

if TYPE_CHECKING:
    from envkit.env_files.status import KeyStatus

EXAMPLE = "envkit env keys --env prod"

_HEADERS = ("ENV", "FILE", "PUBLIC KEY", "PRIVATE KEY", "ENCRYPTED", "PLAIN")
_SHOWN_DIGITS = 12


def keys(
    env: AnyEnv = None,
    file: File = None,
    format_: Formatted = Format.TABLE,
    profiles: Profiles = None,
) -> int:
    """Show public keys, and where private keys were found. Never shows a private key."""
    found = statuses(env or (), file, profiles=profiles, environ=os.environ)
    if format_ is Format.JSON:
        print_json({"files": [_document(one) for one in found]})
        return 0
    print_table(_HEADERS, [_row(one) for one in found])
    for one in found:
        if one.problem:
            print_labelled("warning", one.problem)
    if not found:
        print("no .env file is encrypted")
        print("\nNext:\n  envkit env init --env NAME")
    return 0


def _row(one: KeyStatus) -> list[str | Cell]:
    if one.private_key is PrivateKeyState.FOUND:
        state = Cell(one.place, "green")
    else:
        state = Cell(one.private_key, "red")
    return [
        ", ".join(one.environments),
        one.file,
        f"{one.public_key[:_SHOWN_DIGITS]}..." if one.public_key else "",
        state,
        str(one.encrypted),
        Cell(", ".join(one.plain), "yellow"),
    ]


def _document(one: KeyStatus) -> dict[str, Any]:
    return {
        "environments": list(one.environments),
        "file": one.file,
        "name": one.name,
        "public_key": one.public_key,
        "private_key": {"state": one.private_key, "place": one.place},
        "encrypted": one.encrypted,
        "plain": list(one.plain),
        "problem": one.problem or None,
    }

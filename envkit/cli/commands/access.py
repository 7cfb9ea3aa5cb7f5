"""`envkit access`: who can read the secrets of an environment, as far as the stores tell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from envkit._internal.clock import Deadline
from envkit.access.readers import find_readers
from envkit.access.rules import read_rules
from envkit.arguments import timeout_seconds
from envkit.cli.error_text import print_error
from envkit.cli.output import Cell, print_json, print_table, printable
from envkit.cli.parameters import Env, Except, Format, Formatted, Only, Profiles, Timeout
from envkit.resolution.prepare import prepare

if TYPE_CHECKING:
    from envkit.access.readers import Found, StoredSecret
    from envkit.access.rules import Rules

EXAMPLE = "envkit access --env prod"

_HEADERS = ("SECRET", "WHO", "CAN", "BY")


def access(
    env: Env = None,
    only: Only = None,
    exclude: Except = None,
    format_: Formatted = Format.TABLE,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Show who can read the secrets of an environment."""
    prepared = prepare(
        env or (),
        profiles=profiles,
        only=only or (),
        exclude=exclude or (),
        environ=os.environ,
        deadline=Deadline(timeout_seconds(timeout)),
    )
    rules = [read_rules(one.profile) for one in prepared]
    found = find_readers(prepared)
    if format_ is Format.JSON:
        print_json(_document(rules, found))
    else:
        _show(rules, found)
    for error in found.errors:
        print_error(error)
    return max((error.exit_status for error in found.errors), default=0)


def _show(rules: list[Rules], found: Found) -> None:
    for rule in rules:
        print(f"{rule.profile.name}: {_sentence(rule)}")
    rows: list[list[str | Cell]] = [
        [
            Cell(one.readers.place, "bold"),
            reader.who,
            Cell(", ".join(reader.rights) or "nothing", "" if reader.rights else "dim"),
            reader.by,
        ]
        for one in found.secrets
        for reader in one.readers.readers
    ]
    if rows:
        print()
        print_table(_HEADERS, rows)
    hidden: dict[str, list[str]] = {}
    for one in found.secrets:
        for text in one.readers.not_visible:
            hidden.setdefault(text, []).append(one.readers.place)
    if hidden:
        print("\nnot visible to envkit:")
    places = dict.fromkeys(one.readers.place for one in found.secrets)
    for text, some in hidden.items():
        about = "" if len(set(some)) == len(places) else f" ({', '.join(dict.fromkeys(some))})"
        print(printable(f"  {text}{about}"))


def _sentence(rules: Rules) -> str:
    parts = [
        "a reason is required" if rules.profile.protected else "no reason is required",
        f"people use it {rules.hours.text}" if rules.hours else "people use it at any time",
        f"their uses are reported to {len(rules.channels)} channel"
        f"{'' if len(rules.channels) == 1 else 's'}"
        if rules.channels
        else "their uses are not reported",
    ]
    return "; ".join(parts)


def _document(rules: list[Rules], found: Found) -> dict[str, Any]:
    return {
        "environments": [
            {
                "name": one.profile.name,
                "reason": one.profile.protected,
                "hours": one.hours.text if one.hours else None,
                "notify": [str(channel.kind) for channel in one.channels],
            }
            for one in rules
        ],
        "secrets": [_secret(one) for one in found.secrets],
    }


def _secret(one: StoredSecret) -> dict[str, Any]:
    return {
        "environment": one.profile,
        "place": one.readers.place,
        "variables": list(one.variables),
        "readers": [
            {"who": reader.who, "can": list(reader.rights), "by": reader.by}
            for reader in one.readers.readers
        ],
        "not_visible": list(one.readers.not_visible),
    }

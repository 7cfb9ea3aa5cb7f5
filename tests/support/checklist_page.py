"""A checklist with every state, and names that are markup, for its page."""

from __future__ import annotations

from envkit.checks.checklist.model import Checklist, Item, ItemKind, ItemState

NOW = 1_796_040_000.0


def sample() -> list[Checklist]:
    """Return the checklist of one environment."""
    return [
        Checklist(
            "prod",
            (
                Item(
                    ItemKind.VARIABLES,
                    ItemState.FAILED,
                    "2 variables need attention",
                    ("SENTRY_DSN is missing", "STRIPE_KEY has a secret of staging"),
                    "run: envkit diff staging prod",
                ),
                Item(
                    ItemKind.ROTATION,
                    ItemState.OK,
                    "6 secrets are rotated on schedule; the oldest value is 24 days old",
                ),
                Item(
                    ItemKind.BACKUP,
                    ItemState.WARNING,
                    "a backup of 2026-10-12 was restored in a drill on 2026-10-12: more than 30 "
                    "days ago",
                    hint="run: envkit backup drill FILE --identity ID",
                ),
                Item(
                    ItemKind.ACCESS,
                    ItemState.OK,
                    "people give a reason; each use is reported to 1 channel; people use it "
                    "Mon-Fri 08:00-19:00 Europe/Madrid",
                    ("the policies of the store decide who can read: run envkit access",),
                ),
                Item(
                    ItemKind.AUDIT,
                    ItemState.OK,
                    "1284 records in /var/log/envkit.jsonl, intact",
                    (f"the anchor is 1284:{'3fe21b7a' * 8}",),
                ),
                Item(
                    ItemKind.NOTIFICATIONS,
                    ItemState.NOT_CONFIGURED,
                    "there is no channel",
                    hint="add 'notify' to [access]",
                ),
            ),
        )
    ]


def hostile() -> list[Checklist]:
    """Return a checklist whose names are markup."""
    text = "<b>x</b> [y](https://evil.example) @all `z`"
    return [Checklist("prod", (Item(ItemKind.ROTATION, ItemState.FAILED, text, (text,), text),))]

"""The one-line text of a notice."""

import pytest

from envkit.notification.channels import Channel, EventKind, Notice


def notice(kind, error=""):
    return Notice(kind, "prod", "db", "vault:db", "postgres", "idle", error, "", 0.0, "host-1")


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (EventKind.SUCCESS, "prod/db was rotated"),
        (EventKind.FAILURE, "prod/db could not be rotated: no answer"),
        (EventKind.OVERDUE, "prod/db is overdue: no answer"),
        (
            EventKind.QUARANTINE,
            "prod/db is quarantined: envkit no longer retries it: no answer",
        ),
    ],
)
def test_a_notice_says_what_happened_and_why(kind, sentence):
    error = "" if kind == EventKind.SUCCESS else "no answer"
    assert notice(kind, error).sentence == sentence


def test_the_repr_of_a_channel_shows_neither_address_nor_key():
    channel = Channel("webhook", "https://example.com/canary-1c", "canary-1c", tuple(EventKind))
    assert repr(channel) == "Channel(webhook)"

"""What the facts of an environment say on its checklist."""

from __future__ import annotations

import pytest

from envkit.access.hours import parse_hours
from envkit.access.rules import Rules
from envkit.audit.verify import Anchor, Verdict
from envkit.backup.drill_state import LastDrill
from envkit.checks.checklist import items
from envkit.checks.checklist.model import Checklist, Item, ItemKind, ItemState, exit_status
from envkit.comparison.model import Cell, CellState, DiffStatus, Entry, EnvDiff
from envkit.notification.channels import Channel, ChannelKind
from envkit.profile.model import Profile
from envkit.rotation.status import RotationState, RotationStatus

NOW = 1_796_040_000.0  # 2026-11-30T12:00:00Z
DAY = 86_400.0
OK, WARNING, FAILED = ItemState.OK, ItemState.WARNING, ItemState.FAILED
NOT_CONFIGURED = ItemState.NOT_CONFIGURED
VALUE, ABSENT = Cell(CellState.VALUE), Cell(CellState.ABSENT, reason="no value")
DENIED = Cell(CellState.UNREADABLE, reason="permission denied", code="access-denied")
LEASED = Cell(CellState.UNREADABLE, reason="a lease", code="lease-needed")


def entry(before, now, status=DiffStatus.SAME):
    return Entry("DB", status, (before, now))


@pytest.mark.parametrize(
    ("before", "now", "status", "state", "details"),
    [
        (VALUE, VALUE, DiffStatus.SAME, OK, ()),
        (VALUE, VALUE, DiffStatus.DIFFERENT, OK, ()),
        (ABSENT, VALUE, DiffStatus.MISSING, OK, ()),
        (ABSENT, ABSENT, DiffStatus.SAME, OK, ()),
        (LEASED, LEASED, DiffStatus.UNREADABLE, OK, ()),
        (VALUE, ABSENT, DiffStatus.MISSING, FAILED, ("DB is missing",)),
        (VALUE, Cell(CellState.UNDECLARED), DiffStatus.MISSING, FAILED, ("DB is missing",)),
        (DENIED, ABSENT, DiffStatus.UNREADABLE, FAILED, ("DB is missing",)),
        (VALUE, VALUE, DiffStatus.REUSED, FAILED, ("DB has a secret of staging",)),
        (
            *(VALUE, DENIED, DiffStatus.UNREADABLE, FAILED),
            ("DB cannot be read: permission denied",),
        ),
        (
            *(DENIED, VALUE, DiffStatus.UNREADABLE, WARNING),
            ("DB cannot be read in staging: permission denied",),
        ),
    ],
)
def test_variables_are_updated_if_nothing_of_the_previous_environment_is_missing_or_shared(
    before, now, status, state, details
):
    found = EnvDiff(("staging", "prod"), (entry(before, now, status),))
    item = items.variables(found, "prod")
    assert (item.state, item.details) == (state, details)
    assert bool(item.hint) is (state is not OK)


def test_variables_without_a_previous_environment_are_not_configured():
    assert items.variables(None, "prod").state is NOT_CONFIGURED


def status(state, last=NOW - 40 * DAY, error=""):
    return RotationStatus("prod/db", state=state, last_rotated_at=last, error=error)


@pytest.mark.parametrize(
    ("statuses", "broken", "state", "said"),
    [
        ([], {}, NOT_CONFIGURED, "no secret is rotated"),
        ([status(RotationState.WAITING)], {}, OK, "the oldest value is 40 days old"),
        ([status(RotationState.GRACE_PERIOD, NOW)], {}, OK, "1 secret is rotated on schedule"),
        ([status(RotationState.WAITING, 0.0)], {}, WARNING, "prod/db was never rotated"),
        ([status(RotationState.DUE)], {}, WARNING, "prod/db is due"),
        ([status(RotationState.OVERDUE)], {}, FAILED, "1 rotation needs attention"),
        ([], {"prod/db": "needs 'secret'"}, FAILED, "1 rotation needs attention"),
        *(([status(state)], {}, FAILED, "attention") for state in items.ALARMS),
    ],
)
def test_secrets_are_rotated_if_no_rotation_needs_attention(statuses, broken, state, said):
    item = items.rotation(statuses, broken, NOW)
    assert item.state is state
    assert said in item.summary


def test_a_failing_rotation_is_named_with_its_error():
    item = items.rotation([status(RotationState.FAILING, error="denied")], {}, NOW)
    assert item.details == ("prod/db is failing: denied",)


def drill(days=1.0, backup_days=2.0, failures=()):
    return LastDrill(
        "/srv/shop/profiles",
        "prod",
        at=NOW - days * DAY,
        backup_created_at=NOW - backup_days * DAY,
        duration_seconds=0.4,
        sha256="5eed",
        file="/backup/prod.age",
        resolved=12,
        failures=failures,
    )


@pytest.mark.parametrize(
    ("last", "state", "said"),
    [
        (None, NOT_CONFIGURED, "no drill of a backup has run on this host"),
        (
            *(drill(), OK),
            "a backup of 2026-11-28 was restored in a drill on 2026-11-29: 12 variables",
        ),
        (drill(31, 31), WARNING, "more than 30 days ago"),
        (drill(1, 31), WARNING, "more than 30 days ago"),
        (drill(-2, -2), WARNING, "which is in the future"),
        (drill(failures=("DB",)), FAILED, "and it failed: DB had no value"),
    ],
)
def test_a_backup_is_verified_by_a_recent_drill_that_restored_it(last, state, said):
    item = items.backup(last, ["5eed"], NOW)
    assert item.state is state
    assert said in item.summary


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([], "but no record says who made it"),
        (["another"], "but it is not one of those made on this host"),
    ],
)
def test_a_drill_of_a_file_that_envkit_may_not_have_made_is_a_warning(made, said):
    item = items.backup(drill(), made, NOW)
    assert (item.state, item.details) == (WARNING, ("sha256 of the backup: 5eed",))
    assert said in item.summary


def rules(*, reason=True, channels=1, hours=None):
    profile = Profile("prod", "/x/profiles/prod.toml")
    profile.protected = reason
    channel = Channel(ChannelKind.SLACK, "https://x.example.com", None, ())
    return Rules(profile, (channel,) * channels, parse_hours(hours) if hours else None)


@pytest.mark.parametrize(
    ("found", "state", "hint"),
    [
        (rules(), OK, ""),
        (rules(hours="Mon-Fri 08:00-19:00 UTC"), OK, ""),
        (rules(channels=0), WARNING, "add 'notify' to [access]"),
        (rules(reason=False), WARNING, "add 'reason' to [access]"),
        (
            *(rules(reason=False, channels=0, hours="Mon 08:00-19:00 UTC"), WARNING),
            "add 'reason' and 'notify' to [access]",
        ),
        (
            *(rules(reason=False, channels=0), NOT_CONFIGURED),
            "add [access] to the profile, with 'reason' and 'notify'",
        ),
        (None, FAILED, "correct the table [access]"),
    ],
)
def test_access_is_guarded_by_a_reason_and_a_report(found, state, hint):
    item = items.access(found, "" if found else "it is not valid")
    assert (item.state, item.hint) == (state, hint)


def test_access_rules_that_are_not_valid_say_how_to_correct_them():
    item = items.access(None, "'hours' is not valid", "write hours = ...")
    assert (item.state, item.summary) == (FAILED, "'hours' is not valid")
    assert item.hint == "write hours = ..."


def verdict(*problems, records=3):
    return Verdict(records, 1, Anchor(records, "ab"), problems, ())


@pytest.mark.parametrize(
    ("where", "found", "state"),
    [
        ("/log", verdict(), OK),
        ("/log", verdict("/log:2: changed"), FAILED),
        ("/log", verdict(records=0), WARNING),
        ("/log", None, FAILED),
        ("syslog", None, WARNING),
        ("off", None, NOT_CONFIGURED),
    ],
)
def test_the_audit_chain_is_intact_if_the_log_could_be_verified(where, found, state):
    assert items.audit(where, found, "permission denied").state is state


@pytest.mark.parametrize(
    ("channels", "errors", "state"),
    [
        (0, None, NOT_CONFIGURED),
        (2, None, WARNING),
        (2, [], OK),
        (2, ["it answered 500"], FAILED),
    ],
)
def test_notifications_are_tried_if_each_channel_accepted_a_test(channels, errors, state):
    assert items.notifications(channels, errors).state is state


@pytest.mark.parametrize(
    ("state", "expected", "strict"),
    [(OK, 0, 0), (NOT_CONFIGURED, 0, 0), (WARNING, 0, 1), (FAILED, 1, 1)],
)
def test_a_checklist_fails_if_an_item_fails_or_with_strict_is_a_warning(state, expected, strict):
    made = [Checklist("prod", (Item(ItemKind.AUDIT, OK, ""), Item(ItemKind.BACKUP, state, "")))]
    assert exit_status(made, strict=False) == expected
    assert exit_status(made, strict=True) == strict

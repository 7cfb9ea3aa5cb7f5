"""Which notices a host has sent within a day."""

import json

import pytest

from envkit.notification.sent_notices import DAY_SECONDS, FILE, first_today, is_recent

NOW = 1_795_577_472.0


def test_a_notice_is_the_first_once_a_day(tmp_path):
    folder = str(tmp_path / "state")
    assert first_today(folder, "a", NOW)
    assert not first_today(folder, "a", NOW + DAY_SECONDS - 1)
    assert first_today(folder, "b", NOW), "another notice is remembered by its own key"
    assert first_today(folder, "a", NOW + DAY_SECONDS)


def test_a_notice_older_than_a_day_is_removed_from_the_file(tmp_path):
    first_today(str(tmp_path), "a", NOW)
    first_today(str(tmp_path), "b", NOW + DAY_SECONDS)
    assert json.loads((tmp_path / FILE).read_text()) == {"b": NOW + DAY_SECONDS}


def test_no_notice_is_the_first_when_the_folder_is_not_writable(tmp_path):
    (tmp_path / "state").write_text("no folder")
    assert not first_today(str(tmp_path / "state"), "a", NOW)


@pytest.mark.parametrize(
    ("at", "recent"),
    [
        *((NOW, True), (NOW - 1, True), (NOW + 1, True), (NOW + 400 * DAY_SECONDS, False)),
        *((None, False), ("yesterday", False)),
    ],
)
def test_a_time_is_recent_within_a_day_on_either_side(at, recent):
    assert is_recent(at, NOW) is recent

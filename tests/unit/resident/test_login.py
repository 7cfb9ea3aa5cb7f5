"""Logins with the values of a live environment."""

from __future__ import annotations

import pytest

from envkit.resident import login
from tests.unit.resident.test_live import live_of


def test_a_refused_login_is_tried_once_more_with_the_newer_value(tmp_path):
    live = live_of(tmp_path, "PROD_URL=old\n")
    tried = []

    def attempt(values):
        tried.append(values["URL"].reveal())
        if tried[-1] == "old":
            (tmp_path / ".env.prod").write_text("PROD_URL=new\n")
            raise PermissionError
        return "connected"

    refused = lambda error: isinstance(error, PermissionError)  # noqa: E731
    assert login.connect(live, ["URL"], attempt, refused) == "connected"
    assert tried == ["old", "new"]


def test_another_failure_is_not_retried(tmp_path):
    live = live_of(tmp_path, "PROD_URL=old\n")
    with pytest.raises(ZeroDivisionError):
        login.connect(live, ["URL"], lambda _: 1 / 0, lambda _: False)

"""What a notice of a use says."""

from __future__ import annotations

import os

import pytest

from envkit.access.notice import AccessEvent, Use

USE = Use("get", ("DATABASE_URL",), "INC-7", "alice")
HOST = os.uname().nodename


@pytest.mark.parametrize(
    ("use", "sentence"),
    [
        (USE, f"alice@{HOST} ran 'envkit get' on prod (DATABASE_URL): INC-7"),
        (USE._replace(reason=""), f"alice@{HOST} ran 'envkit get' on prod (DATABASE_URL)"),
        (
            USE._replace(names=(), reason="a\nb\t c"),
            f"alice@{HOST} ran 'envkit get' on prod: a b c",
        ),
        (
            USE._replace(names=(), reason="\x1b[31mred\x7f\u202e" + 600 * "r"),
            f"alice@{HOST} ran 'envkit get' on prod: ?[31mred??{490 * 'r'}...",
        ),
        (
            USE._replace(names=tuple("ABCDEFG")),
            f"alice@{HOST} ran 'envkit get' on prod (A, B, C, D, E and 2 more): INC-7",
        ),
        (
            USE._replace(event=AccessEvent.BREAK_GLASS),
            f"BREAK-GLASS: alice@{HOST} ran 'envkit get' on prod (DATABASE_URL): INC-7",
        ),
        (
            USE._replace(event=AccessEvent.TEST),
            f"alice@{HOST} tests the notifications of prod",
        ),
    ],
)
def test_a_notice_says_on_one_line_who_used_what_and_why(use, sentence):
    notice = use.notice("prod", 1.0)
    assert notice.sentence == sentence
    assert (notice.schema, notice.hint) == ("envkit.access-event/1", "")

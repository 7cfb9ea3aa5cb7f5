"""What an answer of IAM about the last use of an access key means."""

from datetime import UTC, datetime

import pytest

from envkit.rotation.protocols import Usage
from envkit.rotation.rotators.aws_iam_key import SPAN_SECONDS, used

CHANGED_AT = 1_795_577_472.0
NEVER = {"ServiceName": "N/A", "Region": "N/A"}


def answer(seconds):
    """Return the answer for a use so many seconds after the change."""
    used_at = datetime.fromtimestamp(CHANGED_AT + seconds, UTC)
    return {"ServiceName": "s3", "Region": "eu-west-1", "LastUsedDate": used_at}


@pytest.mark.parametrize(
    ("last", "now", "seen_at", "name"),
    [
        (answer(100), 3600, 100 + SPAN_SECONDS, "s3 in eu-west-1"),
        (answer(100), 900, 900, "s3 in eu-west-1"),
        (answer(0), 600, 600, "s3 in eu-west-1, before the change"),
        (answer(-10), 3600, SPAN_SECONDS - 10, "s3 in eu-west-1, before the change"),
        (answer(-SPAN_SECONDS + 1), 3600, 1, "s3 in eu-west-1, before the change"),
    ],
)
def test_a_key_may_be_in_use_until_fifteen_minutes_after_its_recorded_use(last, now, seen_at, name):
    [reader] = used("deploy", last, CHANGED_AT, CHANGED_AT + now).readers
    assert (reader.user, reader.application, reader.sessions) == ("deploy", name, 0)
    assert reader.seen_at == CHANGED_AT + seen_at


@pytest.mark.parametrize("last", [NEVER, answer(-SPAN_SECONDS), answer(-86_400)])
def test_a_key_that_was_not_used_since_the_change_is_not_in_use(last):
    assert used("deploy", last, CHANGED_AT, CHANGED_AT + 10) == Usage()

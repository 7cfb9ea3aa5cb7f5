"""How long a rotation that fails waits before it is tried again."""

import pytest

from envkit._internal.backoff import pause_seconds


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 15), (2, 30), (3, 60), (8, 1920), (9, 3600), (10_000, 3600)]
)
def test_each_pause_doubles_up_to_a_limit(failures, seconds):
    assert pause_seconds(failures) == seconds


def test_a_caller_may_set_the_first_and_last_pause():
    assert [pause_seconds(n, first=1, last=3) for n in (1, 2, 3, 4)] == [1, 2, 3, 3]

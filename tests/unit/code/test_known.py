"""Variables that every program has, and those that libraries read."""

import pytest

from envkit.code.known import is_given, is_read_by_others


def test_is_given_accepts_variables_of_every_program_and_no_others():
    given = ["PATH", "CI", "GITHUB_SHA", "LC_ALL", "https_proxy", "NODE_ENV"]
    others = ["DATABASE_URL", "PATHS", "MY_CI", "HOME_URL", "PORT"]
    assert [name for name in given + others if is_given(name)] == given


@pytest.mark.parametrize("name", ["AWS_REGION", "OTEL_SERVICE_NAME", "PGHOST", "PATH"])
def test_is_read_by_others_accepts_variables_that_libraries_read(name):
    assert is_read_by_others(name)
    assert not is_read_by_others("STRIPE_KEY")

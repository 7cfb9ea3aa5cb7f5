"""Variables that every program is given, and those that libraries read."""

import pytest

from envkit.code.known import is_given, is_read_by_others


@pytest.mark.parametrize("name", ["PATH", "CI", "GITHUB_SHA", "LC_ALL", "https_proxy", "NODE_ENV"])
def test_what_is_given_to_every_program(name):
    assert is_given(name)


@pytest.mark.parametrize("name", ["DATABASE_URL", "PATHS", "MY_CI", "HOME_URL", "PORT"])
def test_what_only_a_profile_gives(name):
    assert not is_given(name)


@pytest.mark.parametrize("name", ["AWS_REGION", "OTEL_SERVICE_NAME", "PGHOST", "PATH"])
def test_what_libraries_read(name):
    assert is_read_by_others(name)
    assert not is_read_by_others("STRIPE_KEY")

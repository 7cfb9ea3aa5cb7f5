"""The record of a rotation is read from beside any value that the rotation changes."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import RotationError
from envkit.profile.loader import load
from envkit.profile.placeholder import parse_reference
from envkit.rotation_state.policy import policy
from envkit.rotation_state.rotated import RotatedValue, read_record
from envkit.sources.registry import open_source
from support.rotating import record_file, stands, table


@pytest.fixture
def read(project):
    project.profile("prod.toml", table("key", "KEY"))
    project.dotenv("prod", "KEY=new\nKEY_PREVIOUS=old\n")
    profile = load("prod", str(project.profiles))
    value = RotatedValue(policy(profile, "key"), ("KEY", "KEY_PREVIOUS"))
    deadline = Deadline(15)
    source = open_source(profile, "dotenv", environ={}, deadline=deadline)
    return lambda text="dotenv:KEY": read_record(value, source, parse_reference(text), deadline)


@pytest.mark.parametrize(
    "text", ["dotenv:KEY", "dotenv:KEY_PREVIOUS", "dotenv:.env.prod#KEY_PREVIOUS"]
)
def test_the_record_is_found_from_each_field(project, read, text):
    assert read(text) is None
    stands(project, "prod", "key", "KEY", attempt=3)
    assert read(text).attempt == 3


def test_a_record_of_another_secret_is_refused(project, read):
    stands(project, "prod", "key", "KEY", secret="another")
    with pytest.raises(RotationError, match="for another secret"):
        read()


def test_an_invalid_record_is_refused(project, read):
    record_file(project, "prod", "KEY").write_text("{")
    with pytest.raises(RotationError):
        read()

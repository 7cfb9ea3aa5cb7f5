"""The process environment as a source, beyond the contract."""

import os

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import InvalidReferenceError
from envkit.profile.placeholder import Reference
from envkit.sources.env import EnvSource
from envkit.sources.model import Absent, SourceContext
from support.refusals import refusal


def source(environ=None):
    return EnvSource(SourceContext("env", environ=environ, deadline=Deadline(15)))


@pytest.mark.parametrize("ref", [Reference("env", "A"), Reference("env", "", "A")], ids=str)
def test_a_bare_name_and_a_reference_mean_the_same(ref):
    reading = source({"A": "1"}).fetch([ref])[ref]
    assert (reading.value.reveal(), reading.version, reading.location) == ("1", None, "env:A")


def test_an_empty_variable_is_a_value_and_an_unset_one_is_missing():
    empty, missing = Reference("env", "EMPTY"), Reference("env", "MISSING")
    outcomes = source({"EMPTY": ""}).fetch([empty, missing])
    assert outcomes[empty].value.reveal() == ""
    assert outcomes[missing] == Absent("not in the environment")


def test_the_env_source_reads_the_environment_of_the_process(monkeypatch):
    monkeypatch.setitem(os.environb, b"ENVKIT_TEST_BYTES", b"caf\xe9")
    ref = Reference("env", "ENVKIT_TEST_BYTES")
    assert source().fetch([ref])[ref].value.to_bytes() == b"caf\xe9"


@pytest.mark.parametrize(
    "ref",
    [
        Reference("env", "A", version="1"),
        Reference("env", "A", stage="X"),
        Reference("env", "A=B"),
        Reference("env", "A\0"),
        Reference("env", "", ""),
    ],
    ids=repr,
)
def test_a_reference_that_the_environment_cannot_have_is_refused(ref):
    with pytest.raises(InvalidReferenceError):
        source({}).check(ref)


def test_a_reference_with_a_field_gets_an_explanation():
    ref = Reference("env", "DB", "password")
    assert refusal(lambda: source({}).check(ref), InvalidReferenceError) == (
        "env:DB#password has a field, but environment variables have no fields",
        "for a field of a JSON value, write env:DB | json:/password",
    )

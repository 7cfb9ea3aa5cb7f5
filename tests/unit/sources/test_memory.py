"""The source in memory, beyond the contract: how a test fills it."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import InvalidReferenceError
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.memory import MemorySource
from envkit.sources.model import Absent, SourceContext


def source(**secrets):
    settings = {"secrets": secrets}
    return MemorySource(SourceContext("vault", settings=settings, deadline=Deadline(15)))


def test_memory_source_returns_secrets_of_its_settings():
    asked = source(db={"password": "x", "port": 5432}, STRIPE_KEY="sk")
    refs = [
        Reference("vault", "db", "password"),
        Reference("vault", "db", "port"),
        Reference("vault", "", "STRIPE_KEY"),  # a bare name
    ]
    outcomes = asked.fetch(refs)
    assert [outcomes[ref].value.reveal() for ref in refs] == ["x", "5432", "sk"]
    assert outcomes[refs[0]].location == "vault:db#password"
    assert asked.reads == 2


def test_memory_source_numbers_its_versions():
    asked = source(db={"password": "one"})
    assert asked.put("db", {"password": "two"}) == "2"
    refs = [Reference("vault", "db", "password", version) for version in ("1", "2", "3", "x")]
    outcomes = asked.fetch(refs)
    assert [outcomes[ref].value.reveal() for ref in refs[:2]] == ["one", "two"]
    assert outcomes[refs[2]] == outcomes[refs[3]] == Absent()


def test_memory_source_copies_what_is_put_in():
    fields = {"password": "x"}
    asked = source(db=fields)
    fields["password"] = "changed"
    ref = Reference("vault", "db", "password")
    assert asked.fetch([ref])[ref].value.reveal() == "x"


def test_memory_source_refuses_a_stage():
    with pytest.raises(InvalidReferenceError, match="has a stage"):
        source().check(Reference("vault", "db", stage="AWSPREVIOUS"))


def test_memory_source_writes_without_a_field_to_a_secret_with_one():
    asked, ref = source(), Reference("vault", "token")
    assert asked.write(ref, Secret("x"), expected=None) == "1"
    assert asked.write(ref, Secret("y"), expected="1") == "2"
    assert asked.fetch([ref])[ref].value.reveal() == "y"
    asked.put("token", {"a": "1", "b": "2"})
    with pytest.raises(InvalidReferenceError, match="names no field"):
        asked.write(ref, Secret("z"), expected="3")

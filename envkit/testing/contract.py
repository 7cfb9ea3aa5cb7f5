"""The source contract: one test suite that every source passes, built-in or plug-in.

Subclass `SourceContract` and provide a `harness` fixture that can reach the store without the
source:

    class TestVault(SourceContract):
        lacks = frozenset({"denied"})

        @pytest.fixture
        def harness(self, openbao):
            return VaultHarness(openbao)

List in `lacks` what a store cannot do; the tests of that ability are then not collected. Every
other ability must work: no test skips itself, so a broken harness cannot go unnoticed.

    fields           one secret has several named values
    implicit-field   a reference without a field means the secret's only field
    versions         an older version can still be read
    reads            the store can report how many reads it answered
    denied           the store can refuse one secret and return another
    unavailable      there can be an address where nothing listens
    silent           there can be a server that listens and never answers
    write            the source is a `WritableSource`
    race             two writes at the same moment cannot both succeed
    history          the source is a `VersionedSource`
"""

from __future__ import annotations

import json
import logging
from typing import ClassVar

import pytest

from envkit.errors import DeniedError, InvalidReferenceError, UnavailableError
from envkit.sources.model import WHOLE, Absent
from envkit.sources.protocols import Source, VersionedSource, WritableSource
from envkit.testing.harness import ABILITIES, CANARY, VALUES, Harness, needs
from envkit.testing.observe import (
    Watch,
    ask,
    assert_clean,
    expect_reading,
    failures,
    read,
    text_of,
)
from envkit.testing.restoring import RestoringContract
from envkit.testing.writing import WritingContract

_DEADLINE_SECONDS = 2.0


class SourceContract(WritingContract, RestoringContract):
    """The tests; a subclass provides the `harness` fixture and lists what its store `lacks`."""

    lacks: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        unknown = cls.lacks - ABILITIES
        if unknown:
            raise TypeError(f"{cls.__name__}.lacks has unknown abilities: {sorted(unknown)}")
        missing = cls.lacks | {f"no-{ability}" for ability in ABILITIES - cls.lacks}
        for name in dir(SourceContract):
            if missing & getattr(getattr(SourceContract, name), "needs", frozenset()):
                setattr(cls, name, None)

    @pytest.fixture
    def harness(self) -> Harness:
        """Return the store behind the source; every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no 'harness' fixture")

    # --- the protocol

    def test_a_source_implements_the_protocol(self, harness: Harness) -> None:
        source = harness.source()
        assert isinstance(source, Source)
        assert isinstance(source.name, str)
        assert source.name
        assert isinstance(source.remote, bool)
        assert all(isinstance(key, str) for key in source.settings)
        assert isinstance(source, WritableSource) is ("write" not in self.lacks)
        assert isinstance(source, VersionedSource) is ("history" not in self.lacks)

    def test_building_checking_and_locating_do_no_io(self, harness: Harness) -> None:
        harness.put("db", {"password": CANARY})
        ref = harness.ref("db", "password")
        harness.source()  # imports everything that is imported only once
        with Watch() as watch:
            source = harness.source()
            source.check(ref)
            source.locate(ref)
        assert watch.seen == []

    def test_locate_names_the_place_and_not_the_value(self, harness: Harness) -> None:
        harness.put("db", {"password": CANARY})
        location = harness.source().locate(harness.ref("db", "password"))
        assert location
        assert CANARY not in location

    # --- present and absent

    @pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
    def test_a_value_is_returned_unchanged(self, harness: Harness, value: str) -> None:
        harness.put("db", {"password": value})
        reading = read(harness.source(), harness.ref("db", "password"))
        assert reading.value.reveal() == value
        assert reading.location
        assert CANARY not in reading.location

    def test_a_missing_secret_is_absent(self, harness: Harness) -> None:
        outcome = ask(harness.source(), harness.ref("nothing", "password"))
        assert isinstance(outcome, Absent)
        assert outcome.version is None, "a secret that does not exist has no version"

    @needs("fields")
    def test_a_missing_field_is_absent(self, harness: Harness) -> None:
        harness.put("db", {"password": CANARY})
        outcome = ask(harness.source(), harness.ref("db", "pasword"))
        assert isinstance(outcome, Absent)
        assert CANARY not in outcome.reason

    def test_one_fetch_returns_present_and_absent_values(self, harness: Harness) -> None:
        harness.put("db", {"password": f"{CANARY} db"})
        harness.put("cache", {"password": f"{CANARY} cache"})
        refs = [harness.ref(path, "password") for path in ("db", "nothing", "cache")]
        outcomes = harness.source().fetch(refs)
        assert text_of(outcomes[refs[0]]) == f"{CANARY} db"
        assert isinstance(outcomes.get(refs[1], Absent()), Absent)
        assert text_of(outcomes[refs[2]]) == f"{CANARY} cache"
        assert set(outcomes) <= set(refs)

    def test_a_change_is_seen_by_the_next_fetch(self, harness: Harness) -> None:
        source, ref = harness.source(), harness.ref("db", "password")
        assert isinstance(ask(source, ref), Absent)
        harness.put("db", {"password": f"{CANARY} one"})
        assert read(source, ref).value.reveal() == f"{CANARY} one"
        harness.put("db", {"password": f"{CANARY} two"})
        assert read(source, ref).value.reveal() == f"{CANARY} two"

    def test_a_fetch_of_nothing_returns_nothing(self, harness: Harness) -> None:
        assert dict(harness.source().fetch([])) == {}

    # --- fields

    @needs("implicit-field")
    def test_a_reference_without_a_field_means_the_only_one(self, harness: Harness) -> None:
        harness.put("db", {"password": CANARY})
        assert read(harness.source(), harness.ref("db")).value.reveal() == CANARY

    @needs("fields", "implicit-field")
    def test_a_reference_without_a_field_lists_several_by_name(self, harness: Harness) -> None:
        harness.put("db", {"password": f"{CANARY} 1", "user": f"{CANARY} 2"})
        outcome = ask(harness.source(), harness.ref("db"))
        assert isinstance(outcome, InvalidReferenceError)
        assert "password" in outcome.message
        assert "user" in outcome.message
        assert_clean(outcome)

    @needs("fields")
    def test_a_star_returns_all_fields_as_json(self, harness: Harness) -> None:
        fields = {"password": f"{CANARY} ü", "user": "app"}
        harness.put("db", fields)
        reading = read(harness.source(), harness.ref("db", WHOLE))
        assert json.loads(reading.value.reveal()) == fields

    # --- the number of reads

    @needs("fields", "reads")
    def test_many_fields_of_one_path_take_one_read(self, harness: Harness) -> None:
        fields = {f"field{number}": f"{CANARY} {number}" for number in range(40)}
        harness.put("db", fields)
        source, before = harness.source(), harness.reads()
        refs = {harness.ref("db", field): value for field, value in fields.items()}
        outcomes = source.fetch(refs)
        assert {ref: text_of(outcomes[ref]) for ref in refs} == refs
        assert harness.reads() - before == 1

    @needs("reads")
    def test_a_repeated_reference_takes_one_read(self, harness: Harness) -> None:
        harness.put("db", {"password": CANARY})
        source, before = harness.source(), harness.reads()
        outcomes = source.fetch([harness.ref("db", "password"), harness.ref("db", "password")])
        assert [text_of(outcome) for outcome in outcomes.values()] == [CANARY]
        assert harness.reads() - before == 1

    # --- versions

    @needs("versions")
    def test_a_pinned_version_stays_readable(self, harness: Harness) -> None:
        source = harness.source()
        harness.put("db", {"password": f"{CANARY} old"})
        old = read(source, harness.ref("db", "password")).version
        assert old
        harness.put("db", {"password": f"{CANARY} new"})
        pinned, newest = harness.ref("db", "password", old), harness.ref("db", "password")
        outcomes = source.fetch([pinned, newest])
        assert text_of(outcomes[pinned]) == f"{CANARY} old"
        assert text_of(outcomes[newest]) == f"{CANARY} new"
        versions = [expect_reading(outcomes[ref]).version for ref in (pinned, newest)]
        assert versions[0] == old
        assert versions[1] != old

    @needs("no-versions")
    def test_a_store_without_versions_refuses_a_pinned_version(self, harness: Harness) -> None:
        with pytest.raises(InvalidReferenceError):
            harness.source().check(harness.ref("db", "password", "1"))

    # --- failures

    @needs("denied")
    def test_a_denied_reference_fails_alone(self, harness: Harness) -> None:
        source, forbidden = harness.denied()
        harness.put("open", {"password": CANARY})
        allowed = harness.ref("open", "password")
        outcomes = source.fetch([forbidden, allowed])
        refusal = outcomes[forbidden]
        assert isinstance(refusal, DeniedError)
        assert not refusal.retryable
        assert_clean(refusal)
        assert text_of(outcomes[allowed]) == CANARY

    @needs("unavailable")
    def test_a_closed_port_is_an_outage(self, harness: Harness) -> None:
        source = harness.unavailable(_DEADLINE_SECONDS)
        for error in failures(source, [harness.ref("db", "password")]):
            assert isinstance(error, UnavailableError)
            assert error.retryable
            assert error.exit_status == 5
            assert_clean(error)

    @needs("silent")
    def test_a_store_that_never_answers_times_out_at_the_deadline(self, harness: Harness) -> None:
        source = harness.silent(_DEADLINE_SECONDS)
        for error in failures(source, [harness.ref("db", "password")]):
            assert isinstance(error, UnavailableError)
            assert_clean(error)

    def test_nothing_is_logged_or_printed(
        self,
        harness: Harness,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        harness.put("db", {"password": CANARY})
        caplog.clear()
        capfd.readouterr()
        reading = read(harness.source(), harness.ref("db", "password"))
        printed = capfd.readouterr()
        assert CANARY not in caplog.text, "a logger at DEBUG shows the value"
        assert CANARY not in printed.out + printed.err
        assert CANARY not in repr(reading)

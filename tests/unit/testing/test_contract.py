"""The shipped contract fails for a source that breaks it, and says what is not tested."""

import sys

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import InvalidReferenceError, UnavailableError
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.memory import MemorySource
from envkit.sources.model import Absent, Reading, SourceContext
from envkit.testing import SourceContract


class Harness:
    """Puts into a sound store; the source under test is a broken one on top of it."""

    def __init__(self, kind):
        self.store = kind(SourceContext("memory", deadline=Deadline(15)))

    def source(self, *, timeout_seconds=15.0):
        return self.store

    def put(self, path, fields):
        MemorySource.put(self.store, path, fields)

    def ref(self, path, field=None, version=None):
        return Reference("memory", path, field, version)

    def reads(self):
        return self.store.reads

    def unavailable(self, timeout_seconds):
        return self.store


class Trims(MemorySource):
    def fetch(self, refs):
        outcomes = super().fetch(refs)
        return {
            ref: o._replace(value=Secret(o.value.reveal().strip())) if isinstance(o, Reading) else o
            for ref, o in outcomes.items()
        }


class AsksForEachField(MemorySource):
    def fetch(self, refs):
        return {ref: super(AsksForEachField, self).fetch([ref])[ref] for ref in refs}


class TakesEmptyForAbsent(MemorySource):
    def fetch(self, refs):
        outcomes = super().fetch(refs)
        return {
            ref: Absent() if isinstance(o, Reading) and not o.value.reveal() else o
            for ref, o in outcomes.items()
        }


class TakesAnOutageForAbsent(MemorySource):
    def fetch(self, refs):
        return {}


class ShowsTheValue(MemorySource):
    def fetch(self, refs):
        outcomes = super().fetch(refs)
        for ref, outcome in outcomes.items():
            if isinstance(outcome, InvalidReferenceError):
                fields = self._versions[ref.path][-1].fields
                outcomes[ref] = InvalidReferenceError(f"{outcome.message}: {fields}")
        return outcomes


class ShowsTheCause(MemorySource):
    def write(self, ref, value, *, expected):
        try:
            return super().write(ref, value, expected=expected)
        except Exception as error:
            raise error from ValueError(value.reveal())


class OverwritesBlindly(MemorySource):
    def write(self, ref, value, *, expected):
        newest = str(len(self._versions.get(ref.path, []))) or None
        return super().write(ref, value, expected=newest if newest != "0" else None)


class OverwritesGroups(MemorySource):
    def write_group(self, values, *, expected):
        path = next(iter(values)).path
        return super().write_group(values, expected=str(len(self._versions[path])))


class LosesTheOtherFields(MemorySource):
    def write(self, ref, value, *, expected):
        version = super().write(ref, value, expected=expected)
        kept = {} if value is None else {ref.field: value.reveal()}
        self._versions[ref.path][-1] = self._versions[ref.path][-1]._replace(fields=kept)
        return version


class WritesOneAfterAnother(MemorySource):
    def write_group(self, values, *, expected):
        for ref, value in values.items():
            newest = super().write_group({ref: value}, expected=expected)
            expected = str(int(newest) + 1)
            self.put(ref.path, self._versions[ref.path][-1].fields)
        return newest


class RestoresEverything(MemorySource):
    def restore(self, ref, version, *, expected):
        return self.put(ref.path, self._versions[ref.path][int(version) - 1].fields)


class TakesNothingForAnEmptyText(MemorySource):
    def write(self, ref, value, *, expected):
        return super().write(ref, value or Secret(""), expected=expected)


class TellsTheOldestFirst(MemorySource):
    def history(self, ref):
        return super().history(ref)[::-1]


class ForgetsItsHistory(MemorySource):
    history = None


class Prints(MemorySource):
    def fetch(self, refs):
        outcomes = super().fetch(refs)
        sys.stdout.writelines(o.value.reveal() for o in outcomes.values())
        return outcomes


class ReadsAFileToCheck(MemorySource):
    def check(self, ref):
        with open("/dev/null"):
            super().check(ref)


class CannotWrite(MemorySource):
    write = None


class Full(SourceContract):
    """Everything, so that any of its tests can be called from here."""


@pytest.mark.parametrize(
    ("kind", "test", "arguments"),
    [
        (Trims, "a_value_is_returned_unchanged", [" x "]),
        (TakesEmptyForAbsent, "a_value_is_returned_unchanged", [""]),
        (AsksForEachField, "many_fields_of_one_path_take_one_read", []),
        (TakesAnOutageForAbsent, "a_closed_port_is_an_outage", []),
        (ShowsTheValue, "a_reference_without_a_field_lists_several_by_name", []),
        (ShowsTheCause, "a_stale_write_changes_nothing", []),
        (OverwritesBlindly, "create_over_an_existing_value_is_a_conflict", []),
        (OverwritesBlindly, "a_stale_write_changes_nothing", []),
        (OverwritesBlindly, "one_of_two_concurrent_writers_wins", []),
        (LosesTheOtherFields, "a_write_preserves_other_fields", []),
        (LosesTheOtherFields, "a_field_is_added_to_a_secret", []),
        (OverwritesGroups, "several_values_of_one_secret_are_written_as_one_version", []),
        (WritesOneAfterAnother, "several_values_of_one_secret_are_written_as_one_version", []),
        (TakesNothingForAnEmptyText, "a_removal_preserves_other_fields", []),
        (LosesTheOtherFields, "a_removal_preserves_other_fields", []),
        (OverwritesBlindly, "a_stale_removal_changes_nothing", []),
        (RestoresEverything, "restore_preserves_the_current_other_fields", []),
        (RestoresEverything, "a_stale_restore_changes_nothing", []),
        (TellsTheOldestFirst, "history_lists_the_newest_version_first", []),
        (ReadsAFileToCheck, "building_checking_and_locating_do_no_io", []),
    ],
)
def test_the_source_contract_fails_for_a_broken_source(kind, test, arguments):
    method = getattr(Full(), f"test_{test}")
    if kind is not TakesAnOutageForAbsent:  # memory is never unavailable
        method(Harness(MemorySource), *arguments)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        method(Harness(kind), *arguments)


def test_the_source_contract_fails_for_a_source_that_prints(caplog, capfd):
    test = Full().test_nothing_is_logged_or_printed
    test(Harness(MemorySource), caplog, capfd)
    with pytest.raises(AssertionError):
        test(Harness(Prints), caplog, capfd)


def test_an_outage_may_be_raised_or_reported_for_each_reference():
    class Raises(MemorySource):
        def fetch(self, refs):
            raise UnavailableError("cannot reach the store")

    class Tells(MemorySource):
        def fetch(self, refs):
            return dict.fromkeys(refs, UnavailableError("cannot reach the store"))

    for kind in (Raises, Tells):
        Full().test_a_closed_port_is_an_outage(Harness(kind))


def test_tests_of_lacking_abilities_are_not_collected():
    class NoVersions(SourceContract):
        lacks = frozenset({"versions", "write", "history"})

    assert NoVersions.test_a_pinned_version_stays_readable is None
    assert NoVersions.test_create_stores_a_value is None
    assert NoVersions.test_a_store_without_versions_refuses_a_pinned_version is not None
    assert Full.test_a_store_without_versions_refuses_a_pinned_version is None
    assert SourceContract.test_create_stores_a_value is not None


def test_an_unknown_ability_is_an_error():
    with pytest.raises(TypeError, match="verions"):
        type("Typo", (SourceContract,), {"lacks": frozenset({"verions"})})


@pytest.mark.parametrize("kind", [CannotWrite, ForgetsItsHistory])
def test_a_source_cannot_lose_an_ability_unnoticed(kind):
    with pytest.raises(AssertionError):
        Full().test_a_source_implements_the_protocol(Harness(kind))

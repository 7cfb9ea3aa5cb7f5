"""The tests of the source contract that write."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from envkit.errors import ConflictError, EnvkitError, InvalidReferenceError
from envkit.secret import Secret
from envkit.sources.model import WHOLE, Absent
from envkit.sources.protocols import GroupWrite
from envkit.testing.harness import CANARY, VALUES, Harness, needs
from envkit.testing.observe import (
    PATIENCE_SECONDS,
    ask,
    assert_clean,
    assert_conflict,
    read,
    text_of,
    writable,
)


class WritingContract:
    """Tests that need `write`; `SourceContract` includes them."""

    @needs("write")
    def test_create_stores_a_value(self, harness: Harness) -> None:
        source, ref = writable(harness), harness.ref("db", "password")
        version = source.write(ref, Secret(CANARY), expected=None)
        reading = read(source, ref)
        assert reading.value.reveal() == CANARY
        assert reading.version == version

    @needs("write")
    def test_create_over_an_existing_value_is_a_conflict(self, harness: Harness) -> None:
        harness.put("db", {"password": "before"})
        source, ref = writable(harness), harness.ref("db", "password")
        before = read(source, ref)
        assert_conflict(source, ref, expected=None)
        assert read(source, ref) == before

    @needs("write")
    @pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
    def test_update_replaces_a_value(self, harness: Harness, value: str) -> None:
        harness.put("db", {"password": "before"})
        source, ref = writable(harness), harness.ref("db", "password")
        before = read(source, ref)
        version = source.write(ref, Secret(value), expected=before.version)
        assert version != before.version
        after = read(harness.source(), ref)
        assert after.value.reveal() == value
        assert after.version == version

    @needs("write")
    def test_consecutive_writes_succeed(self, harness: Harness) -> None:
        source, ref = writable(harness), harness.ref("db", "password")
        version = None
        seen = set()
        for number in range(3):
            version = source.write(ref, Secret(f"{CANARY} {number}"), expected=version)
            seen.add(version)
        assert len(seen) == 3
        assert read(source, ref).value.reveal() == f"{CANARY} 2"

    @needs("write")
    def test_a_stale_write_changes_nothing(self, harness: Harness) -> None:
        harness.put("db", {"password": "first"})
        source, ref = writable(harness), harness.ref("db", "password")
        stale = read(source, ref).version
        source.write(ref, Secret("second"), expected=stale)
        second = read(source, ref)
        assert_conflict(source, ref, expected=stale)
        assert read(source, ref) == second

    @needs("write", "fields")
    def test_a_write_preserves_other_fields(self, harness: Harness) -> None:
        harness.put("db", {"user": "app", "password": "before", "host": "ü\n"})
        source = writable(harness)
        refs = {field: harness.ref("db", field) for field in ("user", "password", "host")}
        source.write(
            refs["password"], Secret("after"), expected=read(source, refs["password"]).version
        )
        outcomes = source.fetch(list(refs.values()))
        assert {field: text_of(outcomes[ref]) for field, ref in refs.items()} == {
            "user": "app",
            "password": "after",
            "host": "ü\n",
        }

    @needs("write", "fields")
    def test_a_field_is_added_to_a_secret(self, harness: Harness) -> None:
        harness.put("db", {"user": "app"})
        source, ref = writable(harness), harness.ref("db", "password")
        absent = ask(source, ref)
        assert isinstance(absent, Absent)
        assert absent.version, "the version of the secret, so that the field can be added"
        source.write(ref, Secret(CANARY), expected=absent.version)
        assert read(source, ref).value.reveal() == CANARY
        assert read(source, harness.ref("db", "user")).value.reveal() == "app"

    @needs("write", "fields")
    def test_several_values_of_one_secret_are_written_as_one_version(
        self, harness: Harness
    ) -> None:
        harness.put("db", {"user": "app", "password": "before", "old": "x", "host": "kept"})
        source, names = writable(harness), ("user", "password", "old", "new", "host")
        if not isinstance(source, GroupWrite):
            pytest.skip("the source does not offer GroupWrite")
        refs = {field: harness.ref("db", field) for field in names}
        assert len({source.group(ref) for ref in refs.values()}) == 1
        before = read(source, refs["user"]).version
        texts = {"user": "other", "password": CANARY, "old": None, "new": "y"}
        values = {
            refs[field]: None if text is None else Secret(text) for field, text in texts.items()
        }
        version = source.write_group(values, expected=before)
        after = source.fetch(list(refs.values()))
        assert {outcome.version for outcome in after.values() if hasattr(outcome, "version")} == {
            version
        }
        assert isinstance(after[refs["old"]], Absent)
        kept = {field: text_of(after[refs[field]]) for field in names if field != "old"}
        assert kept == {"user": "other", "password": CANARY, "new": "y", "host": "kept"}

        with pytest.raises(ConflictError) as caught:
            source.write_group({refs["user"]: Secret("z"), refs["new"]: None}, expected=before)
        assert_clean(caught.value)
        assert source.fetch(list(refs.values())) == after

    @needs("write", "fields")
    def test_a_removal_preserves_other_fields(self, harness: Harness) -> None:
        harness.put("db", {"user": "app", "password": CANARY})
        source, ref = writable(harness), harness.ref("db", "password")
        before = read(source, ref)
        version = source.write(ref, None, expected=before.version)
        absent = ask(source, ref)
        assert isinstance(absent, Absent)
        assert absent.version == version != before.version
        assert read(source, harness.ref("db", "user")).value.reveal() == "app"

    @needs("write", "fields")
    def test_the_only_value_is_removed_and_can_be_set_again(self, harness: Harness) -> None:
        source, ref = writable(harness), harness.ref("db", "password")
        version = source.write(ref, Secret("before"), expected=None)
        version = source.write(ref, None, expected=version)
        absent = ask(source, ref)
        assert isinstance(absent, Absent)
        assert absent.version == version
        source.write(ref, Secret(CANARY), expected=version)
        assert read(source, ref).value.reveal() == CANARY

    @needs("write", "fields")
    def test_a_stale_removal_changes_nothing(self, harness: Harness) -> None:
        harness.put("db", {"password": "first"})
        source, ref = writable(harness), harness.ref("db", "password")
        stale = read(source, ref).version
        source.write(ref, Secret(CANARY), expected=stale)
        with pytest.raises(ConflictError) as caught:
            source.write(ref, None, expected=stale)
        assert_clean(caught.value)
        assert read(source, ref).value.reveal() == CANARY

    @needs("write", "versions")
    def test_a_pinned_version_cannot_be_written(self, harness: Harness) -> None:
        harness.put("db", {"password": "before"})
        source, ref = writable(harness), harness.ref("db", "password")
        before = read(source, ref)
        pinned = harness.ref("db", "password", before.version)
        with pytest.raises(InvalidReferenceError) as caught:
            source.write(pinned, Secret(CANARY), expected=before.version)
        assert_clean(caught.value)
        assert read(source, ref) == before

    @needs("write", "fields")
    def test_a_whole_secret_cannot_be_written(self, harness: Harness) -> None:
        harness.put("db", {"password": "before"})
        source, ref = writable(harness), harness.ref("db", "password")
        before = read(source, ref)
        with pytest.raises(InvalidReferenceError) as caught:
            source.write(harness.ref("db", WHOLE), Secret(CANARY), expected=before.version)
        assert_clean(caught.value)
        assert read(source, ref) == before

    @needs("write", "race")
    def test_one_of_two_concurrent_writers_wins(self, harness: Harness) -> None:
        harness.put("db", {"password": "before"})
        ref = harness.ref("db", "password")
        expected = read(harness.source(), ref).version
        start = Barrier(2)
        results: dict[str, object] = {}

        def write(value: str) -> None:
            source = writable(harness)
            start.wait(PATIENCE_SECONDS)
            try:
                results[value] = source.write(ref, Secret(value), expected=expected)
            except EnvkitError as error:
                results[value] = error

        writers = [Thread(target=write, args=(value,), daemon=True) for value in ("one", "two")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(PATIENCE_SECONDS)
        winners = [value for value, result in results.items() if isinstance(result, str)]
        losers = [result for result in results.values() if isinstance(result, ConflictError)]
        assert (len(winners), len(losers)) == (1, 1), results
        after = read(harness.source(), ref)
        assert after.value.reveal() == winners[0]
        assert after.version == results[winners[0]]

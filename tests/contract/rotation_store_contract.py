"""The contract of every rotation store.

Subclass `RotationStoreContract` and give it a `harness` fixture from
`support.rotation_stores`. Nothing is collected from this file itself.
"""

import json
import multiprocessing
import threading
from functools import cached_property

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import ConflictError, EnvkitError, RotationError
from envkit.rotation.engine import Job, advance
from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation_state.record import PendingValue, Phase, Record
from envkit.secret import Secret
from envkit.testing.harness import VALUES
from support.fake_targets import Additive

CANARY = "canary-2f6b"
RACERS = 6


def record(phase=Phase.CLAIMED, **fields):
    return Record("prod/db", "an-id", phase, plan="random", facts={"known": "k0"}, **fields)


def texts(fields):
    return {name: value.reveal() for name, value in fields.items()}


def shown(error: EnvkitError) -> str:
    """Return all that a person could be shown of an error."""
    return f"{error!r} {error.message} {error.hint} {json.dumps(error.__dict__, default=repr)}"


def conflicts(call):
    """Return whether a call was too late; any other error fails the test."""
    try:
        call()
    except ConflictError as conflict:
        if CANARY in shown(conflict):
            raise
        return True
    return False


def at_once(calls):
    """Call all of them at the same moment, each in a thread; return the results."""
    barrier = threading.Barrier(len(calls))
    results = [None] * len(calls)

    def one(index):
        barrier.wait()
        try:
            results[index] = calls[index]()
        except Exception as error:  # noqa: BLE001 - one of the results
            results[index] = error

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def in_place_of_a_time(text):
    return lambda whole: whole.replace('"busy_until": 0.0', f'"busy_until": {text}')


# how a stored text is spoiled
SPOILED = {
    "not a number": in_place_of_a_time("NaN"),
    "infinity": in_place_of_a_time("Infinity"),
    "a number of 5,000 digits": in_place_of_a_time("9" * 5000),
    "a huge exponent": in_place_of_a_time("1e999"),
    "an object in place of a number": in_place_of_a_time("{}"),
    "a key twice": in_place_of_a_time('0.0, "phase": "idle"'),
    "100,000 brackets": in_place_of_a_time("[" * 100_000 + "]" * 100_000),
    "200 objects in one another": in_place_of_a_time('{"a":' * 200 + "1" + "}" * 200),
    "half of it": lambda whole: whole[: len(whole) // 2],
    "no JSON": lambda _whole: CANARY,
    "another kind": lambda _whole: "[]",
}


def claim_elsewhere(opener, number):
    """Claim in another process, after this one read an unclaimed record."""
    function, arguments = opener
    store = function(*arguments)
    return conflicts(
        lambda: store.save(
            store.read()._replace(record=None, record_version=None),
            record(owner=f"process-{number}"),
            {PendingValue.OLD: {store.fields[0]: Secret("x")}},
        )
    )


class RotationStoreContract:
    """The tests.

    Attributes:
        processes: whether other processes can reach the store.
        texts: whether the store takes any text for a record.
        every: which of many alike cases are tried: all, or every sixth.
    """

    processes = True
    texts = True
    every = 1

    @pytest.fixture
    def harness(self):
        raise NotImplementedError

    @pytest.fixture
    def old(self, harness):
        """Make the secret, and return the rotated fields."""
        fields = dict(zip(harness.fields, (f"{CANARY}-old", "app_a"), strict=True))
        harness.put({**fields, harness.other: "stays"})
        return {name: Secret(text) for name, text in fields.items()}

    @pytest.fixture
    def new(self, harness):
        values = zip(harness.fields, (f"{CANARY}-new", "app_b"), strict=True)
        return {name: Secret(text) for name, text in values}

    # ---------------------------------------------------------------- reading

    def test_a_new_secret_has_a_value_and_no_record(self, harness, old):
        store = harness.store()
        store.check()
        seen = store.read()
        assert seen.current == old
        assert (seen.record, seen.record_version, seen.pending) == (None, None, {})

    def test_a_missing_secret_reads_as_none(self, harness):
        seen = harness.store().read()
        assert (seen.current, seen.record) == (None, None)

    def test_a_missing_field_is_left_out_of_the_reading(self, harness):
        harness.put({harness.fields[0]: "x", harness.other: "y"})
        assert texts(harness.store().read().current) == {harness.fields[0]: "x"}

    def test_repr_and_location_of_a_store_show_no_value(self, harness, old, new):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old, PendingValue.NEW: new})
        assert CANARY not in repr(store.read())
        assert CANARY not in store.location

    # ---------------------------------------------------------------- the record

    def test_a_saved_record_reads_back_unchanged(self, harness, old, new):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        assert (store.read().record, store.read().pending) == (record(), {PendingValue.OLD: old})
        later = record(Phase.SET, settle_until=12.5, owner="host:1")
        store.save(store.read(), later, {PendingValue.OLD: old, PendingValue.NEW: new})
        seen = harness.store().read()
        assert (seen.record, seen.pending, seen.current) == (
            later,
            {PendingValue.OLD: old, PendingValue.NEW: new},
            old,
        )

    @pytest.mark.parametrize("name", [name for name in VALUES if name != "60-kilobytes"])
    def test_pending_values_read_back_unchanged(self, harness, old, name):
        store = harness.store()
        pending = {PendingValue.OLD: {harness.fields[0]: Secret(VALUES[name])}}
        store.save(store.read(), record(), pending)
        assert store.read().pending == pending

    def test_a_save_after_an_outdated_read_is_a_conflict(self, harness, old, new):
        store = harness.store()
        first = store.read()
        store.save(first, record(owner="one"), {PendingValue.OLD: old})
        second = store.read()
        assert conflicts(lambda: store.save(first, record(owner="two"), {PendingValue.OLD: new}))
        both = {PendingValue.OLD: old, PendingValue.NEW: new}
        store.save(second, record(Phase.SET, owner="one"), both)
        assert conflicts(lambda: store.save(second, record(owner="two"), {PendingValue.OLD: new}))
        assert store.read().record == record(Phase.SET, owner="one")
        assert store.read().pending == both

    def test_one_of_many_threads_claims_a_rotation(self, harness, old):
        stores = [harness.store() for _ in range(RACERS)]
        seen = [store.read() for store in stores]
        late = at_once(
            [
                lambda n=n: conflicts(
                    lambda: stores[n].save(seen[n], record(owner=str(n)), {PendingValue.OLD: old})
                )
                for n in range(RACERS)
            ]
        )
        assert sorted(late) == [False] + [True] * (RACERS - 1), late
        assert harness.store().read().record.owner == str(late.index(False))

    def test_one_of_many_threads_advances_a_rotation(self, harness, old, new):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        seen = store.read()
        late = at_once(
            [
                lambda n=n: conflicts(
                    lambda: harness.store().save(
                        seen,
                        record(Phase.SET, owner=str(n)),
                        {PendingValue.OLD: old, PendingValue.NEW: new},
                    )
                )
                for n in range(RACERS)
            ]
        )
        assert sorted(late) == [False] + [True] * (RACERS - 1), late
        assert harness.store().read().record.owner == str(late.index(False))

    def test_one_of_many_processes_claims_a_rotation(self, harness, old):
        if not self.processes:
            assert not hasattr(harness, "opener")
            return
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            jobs = [(harness.opener, number) for number in range(RACERS)]
            late = pool.starmap(claim_elsewhere, jobs, chunksize=1)
        assert sorted(late) == [False] + [True] * (RACERS - 1), late
        assert harness.store().read().record.owner == f"process-{late.index(False)}"

    def test_a_record_of_another_version_is_refused(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        envelope = harness.envelope()
        envelope["record"]["version"] = 99
        harness.put_envelope(envelope)
        with pytest.raises(RotationError, match="version 99"):
            harness.store().read()

    @pytest.mark.parametrize("envelope", [{}, {"record": {}}, {"password": CANARY}])
    def test_an_envelope_without_a_valid_record_is_refused(self, harness, old, envelope):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        harness.put_envelope(envelope)
        with pytest.raises(RotationError) as raised:
            harness.store().read()
        assert CANARY not in str(raised.value)

    def test_unreadable_pending_values_are_refused(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        whole = harness.envelope()
        for values in ({"strange": {}}, {"old": [CANARY]}, {"old": {"x": 1}}, [CANARY], {}):
            harness.put_envelope({**whole, "values": values})
            with pytest.raises(RotationError, match=r"no valid values|lacks a value") as raised:
                harness.store().read()
            assert CANARY not in shown(raised.value)

    def test_a_record_without_one_of_its_fields_is_refused(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        whole = harness.envelope()
        for name in list(whole["record"])[:: self.every]:
            rest = {key: value for key, value in whole["record"].items() if key != name}
            harness.put_envelope({**whole, "record": rest})
            with pytest.raises(RotationError) as raised:
                store.read()
            assert raised.value.hint, name
        harness.put_envelope(whole)
        assert store.read().record == record()

    @pytest.mark.parametrize("how", SPOILED)
    def test_a_text_that_is_not_a_record_is_refused(self, harness, old, how):
        if not self.texts:  # the server reads it itself
            return
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        harness.put_text(SPOILED[how](json.dumps(harness.whole())))
        with pytest.raises(RotationError) as raised:
            harness.store().read()
        assert "rotation record" in raised.value.message
        assert "remove the record: run '" in raised.value.hint
        assert CANARY not in shown(raised.value)

    def test_a_record_that_could_not_be_read_back_is_not_saved(self, harness, old):
        store = harness.store()
        seen = store.read()
        for phase, pending in (
            (Phase.SET, {PendingValue.OLD: old}),
            (Phase.CLAIMED, {}),
            (Phase.IDLE, {PendingValue.OLD: old}),
            (Phase.REVERTED, {PendingValue.OLD: old}),  # without the next value
        ):
            with pytest.raises(RotationError):
                store.save(seen, record(phase), pending)
        assert store.read() == seen

    # ---------------------------------------------------------------- results of writes

    def test_a_write_returns_what_a_fresh_read_returns(self, harness, old, new):
        store = harness.store()
        both = {PendingValue.OLD: old, PendingValue.NEW: new}
        seen = store.read()
        for write in (
            lambda seen: store.save(seen, record(), {PendingValue.OLD: old}),
            store.rehearse,
            lambda seen: store.save(seen, record(Phase.STAGED, settle_until=1.5), both),
            lambda seen: store.publish(seen, new),
            lambda seen: store.publish(seen, {harness.fields[0]: Secret("alone")}),
            lambda seen: store.save(seen, record(Phase.IDLE, issued=("ab",), retired_at=7.0), {}),
            lambda seen: store.publish(seen, old),
        ):
            seen = write(seen)
            assert seen == harness.store().read()
            assert store.record_version() == harness.store().record_version()
            assert store.record_version() == seen.record_version
            assert CANARY not in repr(seen)

    def test_a_store_gives_access_to_the_fields_beside_the_rotated_ones(self, harness, old):
        store = harness.store()
        store.read()
        expected = {harness.other: "stays"} if harness.has_fields_beside else {}
        assert texts(store.beside) == expected

    def test_a_rehearsal_changes_nothing_but_the_version(self, harness, old, new):
        store = harness.store()
        slow = store.read()
        before = harness.stored()
        seen = store.rehearse(slow)
        assert harness.stored() == before
        assert seen.version != slow.version
        assert conflicts(lambda: harness.store().publish(slow, new))
        store.publish(seen, new)
        assert harness.stored() == {**texts(new), harness.other: "stays"}

    def test_a_rehearsal_after_a_foreign_write_is_a_conflict(self, harness, old):
        store = harness.store()
        seen = store.read()
        theirs = {**texts(old), harness.other: "theirs"}
        harness.put(theirs)
        assert conflicts(lambda: store.rehearse(seen))
        assert harness.stored() == theirs
        harness.remove()
        assert conflicts(lambda: store.rehearse(store.read()))

    def test_a_store_publishes_without_a_previous_read_of_its_own(self, harness, old, new):
        seen = harness.store().read()
        assert harness.store().publish(seen, new) == harness.store().read()
        assert harness.stored() == {**texts(new), harness.other: "stays"}

    # ---------------------------------------------------------------- two fields of one secret

    def claimed(self, store):
        """Claim with a store, and return its next snapshot."""
        seen = store.read()
        return store.save(seen, record(owner=store.fields[0]), {PendingValue.OLD: seen.current})

    def test_two_fields_of_one_secret_have_separate_records(self, harness, old):
        one, other = (harness.store((field,)) for field in (harness.fields[0], harness.other))
        assert one.identity != other.identity
        first = self.claimed(one)
        assert other.read().record is None
        second = self.claimed(other)
        assert one.record_version() == first.record_version
        one.save(first, record(Phase.IDLE, owner="done"), {})
        assert harness.store((harness.other,)).read() == second
        other.save(second, record(Phase.IDLE, owner="too"), {})
        assert one.read().record.owner == "done"
        assert CANARY not in harness.left()

    def test_saves_for_different_fields_of_one_secret_do_not_conflict(self, harness, old):
        stores = [harness.store((field,)) for field in (harness.fields[0], harness.other)]

        def save_often(store):
            seen = self.claimed(store)
            for number in range(3):
                seen = store.save(seen, record(owner=f"{number}"), seen.pending)
            return seen == harness.store(store.fields).read()

        assert at_once([lambda store=store: save_often(store) for store in stores]) == [True, True]

    def test_a_broken_record_breaks_only_its_own_rotation(self, harness, old):
        self.claimed(harness.store((harness.fields[0],)))
        seen = self.claimed(harness.store((harness.other,)))
        deep = json.loads('{"a":' * 200 + "1" + "}" * 200)
        for broken in ({"record": {"version": 2}, "values": [CANARY]}, {"record": deep}, deep):
            harness.put_envelope(broken)
            with pytest.raises(RotationError) as raised:
                harness.store().read()
            assert raised.value.hint
            assert CANARY not in shown(raised.value)
            assert harness.store((harness.other,)).read() == seen
        other = harness.store((harness.other,))
        assert other.save(other.read(), seen.record, seen.pending) == other.read()

    def test_an_idle_record_contains_no_value(self, harness, old, new):
        store = harness.store()
        for phase in (Phase.CLAIMED, Phase.SET, Phase.TESTED):
            store.save(store.read(), record(phase), {PendingValue.OLD: old, PendingValue.NEW: new})
        assert CANARY in harness.left()
        store.save(store.read(), record(Phase.IDLE), {})
        assert CANARY not in harness.left()
        assert store.read().record == record(Phase.IDLE)
        assert store.read().pending == {}

    # ---------------------------------------------------------------- the secret

    def test_publish_changes_the_rotated_fields_and_nothing_else(self, harness, old, new):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old, PendingValue.NEW: new})
        store.publish(store.read(), new)
        assert harness.stored() == {**texts(new), harness.other: "stays"}
        seen = store.read()
        assert seen.current == new
        assert (seen.record, seen.pending) == (
            record(),
            {PendingValue.OLD: old, PendingValue.NEW: new},
        )

    def test_publish_removes_a_field_without_a_value(self, harness, old):
        store = harness.store()
        store.publish(store.read(), {harness.fields[0]: Secret("x")})
        assert harness.stored() == {harness.fields[0]: "x", harness.other: "stays"}

    def test_publish_adds_a_field_that_was_missing(self, harness, new):
        harness.put({harness.fields[0]: "x", harness.other: "stays"})
        store = harness.store()
        store.publish(store.read(), new)
        assert harness.stored() == {**texts(new), harness.other: "stays"}

    def test_publish_does_not_overwrite_a_foreign_write(self, harness, old, new):
        store = harness.store()
        seen = store.read()
        theirs = {**texts(old), harness.other: "theirs"}
        harness.put(theirs)
        assert conflicts(lambda: store.publish(seen, new))
        assert harness.stored() == theirs

    def test_publish_of_the_same_value_makes_an_outdated_publish_a_conflict(
        self, harness, old, new
    ):
        store = harness.store()
        slow = store.read()
        store.publish(store.read(), old)
        assert conflicts(lambda: store.publish(slow, new))
        assert store.read().current == old

    def test_one_of_many_threads_publishes(self, harness, old):
        seen = harness.store().read()
        name = harness.fields[0]
        late = at_once(
            [
                lambda n=n: conflicts(
                    lambda: harness.store().publish(seen, {**old, name: Secret(f"from-{n}")})
                )
                for n in range(RACERS)
            ]
        )
        assert sorted(late) == [False] + [True] * (RACERS - 1), late
        assert harness.stored()[name] == f"from-{late.index(False)}"

    def test_publish_does_not_recreate_a_deleted_secret(self, harness, old, new):
        store = harness.store()
        seen = store.read()
        harness.remove()
        assert store.read().current is None
        assert conflicts(lambda: store.publish(seen, new))

    # ---------------------------------------------------------------- whole rotations

    @cached_property
    def target(self):
        """What all rotations of one test change, with the value that `old` stores."""
        return Additive(f"{CANARY}-old", f"{CANARY}-")

    def job(self, harness, now, **options):
        self.target.fields = harness.fields[:1]
        return Job(
            "prod/db",
            harness.store(),
            self.target.open,
            lambda record, _: record.due_from + 1 if record else 0.0,
            **options,
        )

    def rotate(self, harness, now, me="host:1"):
        job = self.job(harness, now)
        return advance(job, deadline=Deadline(60), clock=lambda: now, me=me)

    def test_a_whole_rotation_leaves_only_the_new_value(self, harness, old):
        outcome = self.rotate(harness, 100.0)
        assert outcome.status == OutcomeStatus.ROTATED, outcome
        stored = harness.stored()
        assert stored.keys() == {*harness.fields, harness.other}
        assert stored[harness.fields[0]] != f"{CANARY}-old"
        self.target.check_nothing_is_left(stored, {})
        assert CANARY not in harness.left()
        assert self.rotate(harness, 100.5).status == OutcomeStatus.NOT_DUE
        assert self.rotate(harness, 102.0).status == OutcomeStatus.ROTATED

    def test_racing_runs_rotate_a_secret_once_a_round(self, harness, old):
        for number in range(2):
            now = 100.0 * (number + 1)
            outcomes = at_once(
                [
                    lambda n=n, now=now: self.rotate(harness, now, me=f"host:{n}")
                    for n in range(RACERS)
                ]
            )
            assert not any(isinstance(outcome, Exception) for outcome in outcomes), outcomes
            statuses = [outcome.status for outcome in outcomes]
            assert statuses.count(OutcomeStatus.ROTATED) == 1, outcomes
            assert set(statuses) <= {
                OutcomeStatus.ROTATED,
                OutcomeStatus.BUSY,
                OutcomeStatus.NOT_DUE,
            }, outcomes
            assert harness.store().read().record.last_rotated_at == now
            self.target.check_nothing_is_left(harness.stored(), {})
            assert CANARY not in harness.left()

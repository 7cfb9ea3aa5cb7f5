"""What every store of rotations must do, whatever it is made of.

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
    """Say whether a call was too late; any other error is one of the test."""
    try:
        call()
    except ConflictError as conflict:
        if CANARY in shown(conflict):
            raise
        return True
    return False


def at_once(calls):
    """Call all of them at the same moment, each in a thread; return what came of each."""
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


def claim_elsewhere(opener, number):
    """Claim in another process what was not claimed when this one looked."""
    function, arguments = opener
    store = function(*arguments)
    return conflicts(
        lambda: store.save(
            store.read()._replace(record=None, record_version=None),
            record(owner=f"process-{number}"),
            {},
        )
    )


class RotationStoreContract:
    """The tests; `processes` is whether other processes can reach the store."""

    processes = True

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

    def test_at_first_there_is_the_secret_and_no_record(self, harness, old):
        store = harness.store()
        store.check()
        seen = store.read()
        assert seen.current == old
        assert (seen.record, seen.record_version, seen.pending) == (None, None, {})

    def test_a_secret_that_is_not_there(self, harness):
        seen = harness.store().read()
        assert (seen.current, seen.record) == (None, None)

    def test_a_field_that_is_not_there(self, harness):
        harness.put({harness.fields[0]: "x", harness.other: "y"})
        assert texts(harness.store().read().current) == {harness.fields[0]: "x"}

    def test_nothing_shows_a_value(self, harness, old, new):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old, PendingValue.NEW: new})
        assert CANARY not in repr(store.read())
        assert CANARY not in store.location

    # ---------------------------------------------------------------- the record

    def test_what_was_saved_comes_back(self, harness, old, new):
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
    def test_values_come_back_as_they_are(self, harness, old, name):
        store = harness.store()
        pending = {PendingValue.OLD: {harness.fields[0]: Secret(VALUES[name])}}
        store.save(store.read(), record(), pending)
        assert store.read().pending == pending

    def test_who_saw_something_older_is_too_late(self, harness, old, new):
        store = harness.store()
        first = store.read()
        store.save(first, record(owner="one"), {PendingValue.OLD: old})
        second = store.read()
        assert conflicts(lambda: store.save(first, record(owner="two"), {PendingValue.OLD: new}))
        store.save(second, record(Phase.SET, owner="one"), {PendingValue.OLD: old})
        assert conflicts(lambda: store.save(second, record(owner="two"), {PendingValue.OLD: new}))
        assert store.read().record == record(Phase.SET, owner="one")
        assert store.read().pending == {PendingValue.OLD: old}

    def test_of_many_at_once_one_claims(self, harness, old):
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

    def test_of_many_at_once_one_goes_on(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        seen = store.read()
        late = at_once(
            [
                lambda n=n: conflicts(
                    lambda: harness.store().save(
                        seen, record(Phase.SET, owner=str(n)), {PendingValue.OLD: old}
                    )
                )
                for n in range(RACERS)
            ]
        )
        assert sorted(late) == [False] + [True] * (RACERS - 1), late
        assert harness.store().read().record.owner == str(late.index(False))

    def test_of_many_processes_one_claims(self, harness, old):
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
    def test_what_is_no_record_is_refused(self, harness, old, envelope):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        harness.put_envelope(envelope)
        with pytest.raises(RotationError) as raised:
            harness.store().read()
        assert CANARY not in str(raised.value)

    def test_values_that_cannot_be_read_are_refused(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), {PendingValue.OLD: old})
        for values in ({"strange": {}}, {"old": [CANARY]}, {"old": {"x": 1}}, [CANARY]):
            envelope = harness.envelope()
            envelope["values"] = values
            harness.put_envelope(envelope)
            with pytest.raises(RotationError, match="no usable values"):
                harness.store().read()

    def test_at_rest_no_value_is_left(self, harness, old, new):
        store = harness.store()
        for phase in (Phase.CLAIMED, Phase.SET, "tested"):
            store.save(store.read(), record(phase), {PendingValue.OLD: old, PendingValue.NEW: new})
        assert CANARY in harness.left()
        store.save(store.read(), record(Phase.IDLE), {})
        assert CANARY not in harness.left()
        assert store.read().record == record(Phase.IDLE)
        assert store.read().pending == {}

    # ---------------------------------------------------------------- the secret

    def test_readers_get_what_is_published_and_nothing_else_changes(self, harness, old, new):
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

    def test_a_field_that_is_not_published_is_removed(self, harness, old):
        store = harness.store()
        store.publish(store.read(), {harness.fields[0]: Secret("x")})
        assert harness.stored() == {harness.fields[0]: "x", harness.other: "stays"}

    def test_a_field_that_was_not_there_is_added(self, harness, new):
        harness.put({harness.fields[0]: "x", harness.other: "stays"})
        store = harness.store()
        store.publish(store.read(), new)
        assert harness.stored() == {**texts(new), harness.other: "stays"}

    def test_what_somebody_else_wrote_is_not_overwritten(self, harness, old, new):
        store = harness.store()
        seen = store.read()
        theirs = {**texts(old), harness.other: "theirs"}
        harness.put(theirs)
        assert conflicts(lambda: store.publish(seen, new))
        assert harness.stored() == theirs

    def test_to_publish_the_same_keeps_others_from_publishing(self, harness, old, new):
        store = harness.store()
        slow = store.read()
        store.publish(store.read(), old)
        assert conflicts(lambda: store.publish(slow, new))
        assert store.read().current == old

    def test_of_many_at_once_one_publishes(self, harness, old):
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

    def test_a_secret_that_is_gone_is_not_made_again(self, harness, old, new):
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

    def test_a_whole_rotation_leaves_the_new_value_and_no_other(self, harness, old):
        outcome = self.rotate(harness, 100.0)
        assert outcome.status == OutcomeStatus.ROTATED, outcome
        stored = harness.stored()
        assert stored.keys() == {*harness.fields, harness.other}
        assert stored[harness.fields[0]] != f"{CANARY}-old"
        self.target.check_nothing_is_left(stored, {})
        assert CANARY not in harness.left()
        assert self.rotate(harness, 100.5).status == OutcomeStatus.NOT_DUE
        assert self.rotate(harness, 102.0).status == OutcomeStatus.ROTATED

    def test_in_a_race_it_is_rotated_once_a_round(self, harness, old):
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

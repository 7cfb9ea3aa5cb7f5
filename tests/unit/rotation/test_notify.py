"""Which host sends which notice, at most once a day."""

import json
import stat

import pytest

from envkit.errors import RotationError
from envkit.rotation.notify import events, notify
from envkit.rotation.outcome import Outcome, OutcomeStatus
from envkit.rotation_state.evidence import Evidence, Reader
from envkit.rotation_state.record import Record
from envkit.rotation_state.stores.memory import MemoryRotationStore, MemoryShelf
from envkit.secret import Secret
from support.hook_server import HookServer
from support.rotating import DAY, one_rotation, table

NOW = 1_795_577_472.0
NAME = "prod/key"
LATE = Record(NAME, id="1", last_rotated_at=NOW - 40 * DAY)


class World:
    """One rotation, its receivers, and hosts that share only its store."""

    def __init__(self, project, tmp_path, server):
        notify = f'notify = {{ webhook = "{server.address}" }}'
        project.profile("prod.toml", table("key", "KEY", notify))
        self.rotation = one_rotation(project.profiles)
        self.server = server
        self.folder = tmp_path
        self.shelf = MemoryShelf({"KEY": "x"})
        self.store = MemoryRotationStore(self.shelf, ("KEY",))
        self.now = NOW

    def tell(self, status, *, host="one", store=None, record=None):
        """Return the events of which this host sent notifications."""
        before = len(self.server.received)
        error = RotationError("it is so") if status in ("failed", "refused") else None
        failures = notify(
            self.rotation,
            Outcome(NAME, status, error=error, record=record),
            store,
            environ={"XDG_STATE_HOME": str(self.folder / host)},
            now=self.now,
        )
        assert failures == []
        return [json.loads(one.body)["event"] for one in self.server.received[before:]]

    def tell_with_store(self, status, **options):
        return self.tell(status, store=self.store, **options)

    def file(self, host="one"):
        return self.folder / host / "envkit" / "rotation-notices.json"


@pytest.fixture
def world(project, tmp_path):
    with HookServer() as server:
        yield World(project, tmp_path, server)


# ---------------------------------------------------------------- events


@pytest.mark.parametrize("status", OutcomeStatus)
def test_each_outcome_has_its_events(world, status):
    told = {"rotated": ["success"], "failed": ["failure"], "refused": ["failure"]}
    told |= {"quarantined": ["quarantine"], "blocked": ["blocked"]}
    assert events(world.rotation, Outcome(NAME, status), NOW) == told.get(status, [])
    more = [] if status == "rotated" else ["overdue"]
    late = Outcome(NAME, status, record=LATE)
    assert events(world.rotation, late, NOW) == told.get(status, []) + more


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        (Evidence(NOW, NOW, NOW, readers=(Reader("app_a", seen_at=NOW),)), ["blocked"]),
        (Evidence(NOW - 60, NOW, NOW), []),
        (Evidence(tried_at=NOW, error="denied"), ["blocked"]),
    ],
)
def test_an_old_value_in_use_is_told_once_a_day(world, evidence, told):
    record = Record(NAME, phase="grace", promoted_at=NOW - 60, retire_at=NOW, evidence=evidence)
    assert world.tell_with_store("in-use", record=record) == told
    assert world.tell_with_store("in-use", record=record) == []
    world.now += 86_400
    assert world.tell_with_store("in-use", record=record) == told


# ---------------------------------------------------------------- how often, and by whom


def test_a_lasting_failure_is_notified_once_a_day_by_one_host(world):
    assert world.tell_with_store("failed") == ["failure"]
    assert world.tell_with_store("failed") == []
    assert world.tell_with_store("failed", host="two") == [], "the record says that it was told"
    assert world.tell_with_store("quarantined", host="two") == ["quarantine"], "this is another"
    world.now += DAY - 1
    assert world.tell_with_store("failed", host="two") == []
    world.now += 1
    assert world.tell_with_store("failed", host="two") == ["failure"]
    assert world.tell_with_store("failed") == []
    assert not world.file().exists(), "no host stores its own state"


def test_each_success_is_notified(world):
    assert world.tell_with_store("rotated") == ["success"]
    assert world.tell_with_store("rotated") == ["success"]
    assert world.store.read().record is None, "and needs no record"


def test_a_record_that_another_process_owns_is_not_changed_by_a_notice(world):
    held = Record(NAME, id="1", phase="set", owner="other:1", busy_until=NOW + 60)
    values = {"KEY": Secret("x")}
    world.store.save(world.store.read(), held, {"old": values, "new": values})
    assert world.tell_with_store("failed") == []
    assert world.store.read().record == held
    world.now += 61
    assert world.tell_with_store("failed") == ["failure"]
    assert world.store.read().record == held._replace(notified={"failure": world.now})


def test_a_hanging_run_is_notified_by_its_own_host_once_a_day(world):
    held = LATE._replace(phase="set", owner="one:1", busy_until=NOW + 60)
    values = {"old": {"KEY": Secret("a")}, "new": {"KEY": Secret("b")}}
    world.store.save(world.store.read(), held, values)
    assert world.tell_with_store("failed", record=held) == ["failure", "overdue"]
    assert world.tell_with_store("failed", record=held) == []
    assert world.tell_with_store("busy", host="two", record=held) == [], "it may be at work"
    assert world.store.read().record == held
    world.now += DAY
    again = held._replace(busy_until=world.now + 60)
    world.store.save(world.store.read(), again, values)
    assert world.tell_with_store("failed", record=again) == ["failure", "overdue"]


def test_each_host_remembers_its_notices_without_a_store(world):
    assert world.tell("failed") == ["failure"]
    assert world.tell("failed") == []
    assert world.tell("failed", host="two") == ["failure"]
    assert world.tell("quarantined") == ["quarantine"]
    assert stat.S_IMODE(world.file().stat().st_mode) == 0o600
    assert stat.S_IMODE(world.file().parent.stat().st_mode) == 0o700
    world.now += DAY
    assert world.tell("failed") == ["failure"]
    assert json.loads(world.file().read_text()) == {"prod/key failure": world.now}, (
        "what is older than a day is forgotten"
    )


@pytest.mark.parametrize("text", ["", "[1]", "no JSON", '{"prod/key failure": "yesterday"}'])
def test_an_invalid_notices_file_is_replaced(world, text):
    world.file().parent.mkdir(parents=True)
    world.file().write_text(text)
    assert world.tell("failed") == ["failure"]
    assert world.tell("failed") == []


def test_a_notice_that_cannot_be_remembered_is_not_sent_every_minute(world):
    (world.folder / "one").write_text("no folder")
    assert world.tell("failed") == []
    assert world.tell_with_store("failed") == ["failure"], "the record can"


def test_a_clock_that_jumped_does_not_silence_notices_permanently(world):
    world.now += 400 * DAY
    assert world.tell_with_store("failed") == ["failure"]
    world.now = NOW
    assert world.tell_with_store("failed") == ["failure"]


def test_a_notice_for_a_record_of_another_version_is_remembered_in_the_file(world):
    world.store.save(world.store.read(), LATE, {})
    world.shelf.envelope = world.shelf.envelope.replace('"version": 3', '"version": 9')
    assert world.tell_with_store("failed") == ["failure"]
    assert world.tell_with_store("failed") == []
    assert '"version": 9' in world.shelf.envelope, "it is not written over"
    assert world.file().exists()

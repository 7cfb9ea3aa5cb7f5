"""A live environment of a real store: what it asks, how often, and what an outage means."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading

import pytest

from envkit.resident import login
from envkit.resident.live import Live
from support.fault_proxy import not_json, silent
from support.live_stores import CANARY
from support.living import look, until

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture
def live(store, project, monkeypatch):
    for name, value in store.environ.items():
        monkeypatch.setenv(name, value)
    project.profile("prod.toml", store.profile())
    with Live("prod", timeout_seconds=20) as made:
        made.snapshot()
        yield made


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, "envkit")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "envkit"]


def rotate(store, password):
    fields = {"user": "app", "password": f"{password}-{CANARY}"}
    if store.name == "vault":
        store.openbao.put(f"{store.folder}/db", fields)
    else:
        store.aws.put("db", json.dumps(fields))


def has(live, password):
    """Return whether an access gets this password now."""
    return live["DB_PASSWORD"].reveal() == f"{password}-{CANARY}"


def test_a_new_version_is_noticed_at_an_access(live, store):
    rotate(store, "second")
    look(live)
    until(lambda: has(live, "second"))


@pytest.mark.parametrize("store", ["vault"], indirect=True)
def test_looks_and_reads_share_one_login_and_one_list_of_mounts(live, store):
    asked = len(store.proxy.requests)
    for password in ("second", "third"):
        rotate(store, password)
        look(live)
        until(lambda: has(live, password))  # noqa: B023
    later = store.proxy.requests[asked:]
    assert later
    system = [r.path for r in later if r.path.startswith(("/v1/auth/", "/v1/sys/"))]
    # the policy forbids metadata: envkit checks once that the token still works
    assert len(system) <= 1, system


def test_a_refused_login_gets_the_new_version_at_once(live, store):
    refused = live.snapshot()
    rotate(store, "second")
    assert next(live.newer(refused, ["DB_PASSWORD"]))
    assert has(live, "second")


def test_an_outage_is_logged_once_and_ends_without_a_restart(live, store, log):
    before = live.snapshot()
    store.proxy.fault(not_json())
    look(live)
    until(lambda: live.snapshot() and log())
    assert live.snapshot().environment == before.environment
    store.proxy.heal()
    rotate(store, "second")
    look(live)
    until(lambda: has(live, "second"))
    until(lambda: len(log()) == 2)
    assert CANARY not in "".join(log())


def test_the_event_loop_runs_while_a_real_store_does_not_answer(live, store):
    store.proxy.fault(silent())
    asked = len(store.proxy.requests)

    async def main():
        def refuse(_):
            raise PermissionError

        async def attempt(values):
            refuse(values)

        connecting = asyncio.create_task(
            login.connect_async(live, ["DB_PASSWORD"], attempt, lambda _: True)
        )
        while len(store.proxy.requests) == asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        beats = 0
        while beats < 10:
            beats += 1
            look(live)
            live.snapshot()
            await asyncio.sleep(0)
        assert not connecting.done()
        connecting.cancel()

    asyncio.run(main())


def test_a_child_logs_in_itself_and_sees_changes_as_its_parent_does(live, store):
    rotate(store, "second")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            look(live)
            until(lambda: has(live, "second"))
            os.write(writer, b"seen")
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as stream:
        assert stream.read() == "seen"
    look(live)
    until(lambda: has(live, "second"))


def test_callbacks_hear_of_a_rotation(live, store):
    seen = threading.Event()
    live.on_change("DATABASE_URL", lambda _: seen.set())
    rotate(store, "second")
    look(live)
    until(seen.is_set)

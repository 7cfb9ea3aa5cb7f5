"""Logins with the values of a live environment."""

from __future__ import annotations

import asyncio
import threading

import pytest

from envkit.resident import login
from support.living import of_store, until


class Server:
    """Refuses every password but its own; may change it while a client logs in.

    Attributes:
        tried: the passwords, in their order.
    """

    def __init__(self, store, password, *rotates_to):
        self.store = store
        self.password = password
        self.rotates_to = list(rotates_to)
        self.tried = []

    def attempt(self, values):
        self.tried.append(values["PASSWORD"].reveal())
        if self.rotates_to:
            self.password = self.rotates_to.pop(0)
            self.store.rotate(self.password)
        if self.tried[-1] != self.password:
            raise PermissionError("refused")
        return "connected"

    async def attempt_async(self, values):
        return self.attempt(values)


def is_refusal(error):
    return isinstance(error, PermissionError)


def connect(live, server):
    return login.connect(live, ["USER", "PASSWORD"], server.attempt, is_refusal)


def connect_async(live, server):
    names = ["USER", "PASSWORD"]
    return asyncio.run(login.connect_async(live, names, server.attempt_async, is_refusal))


async def happened(condition):
    """Let the loop run until another thread has brought a condition about."""
    while not condition():  # noqa: ASYNC110 - no event of the loop says so
        await asyncio.sleep(0.001)


both = pytest.mark.parametrize("connect", [connect, connect_async])


@both
def test_a_refused_login_is_tried_again_with_the_newer_value(project, connect):
    live, store = of_store(project)
    server = Server(store, "old", "new")
    assert connect(live, server) == "connected"
    assert server.tried == ["old", "new"]


@both
def test_each_newer_value_is_tried_if_rotations_follow_each_other_at_once(project, connect):
    live, store = of_store(project)
    server = Server(store, "old", "new", "newer", "newest")
    assert connect(live, server) == "connected"
    assert server.tried == ["old", "new", "newer", "newest"]


@both
def test_a_login_that_is_refused_twice_raises_the_second_refusal(project, connect):
    live, store = of_store(project)
    live.snapshot()
    store.rotate("new")
    server = Server(store, "another")
    with pytest.raises(PermissionError):
        connect(live, server)
    assert server.tried == ["old", "new"]


@both
def test_a_login_that_stays_refused_without_a_newer_value_raises_the_refusal(project, connect):
    live, store = of_store(project)
    server = Server(store, "another")
    with pytest.raises(PermissionError):
        connect(live, server)
    assert server.tried == ["old"]


@both
def test_another_failure_is_not_retried_and_asks_no_store(project, connect):
    live, store = of_store(project)
    server = Server(store, "old")
    server.attempt = lambda _: 1 / 0
    with pytest.raises(ZeroDivisionError):
        connect(live, server)
    assert store.begun == 1


def test_the_event_loop_runs_while_a_store_does_not_answer(project):
    live, store = of_store(project)
    server = Server(store, "new")

    async def main():
        beats = 0

        async def heart():
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0)

        async def beating(condition):
            """Let the loop run until the store has been asked, and ten times more."""
            await happened(condition)
            before = beats
            await happened(lambda: beats >= before + 10)

        heartbeat = asyncio.create_task(heart())
        names = ["USER", "PASSWORD"]
        store.open.clear()
        first = asyncio.create_task(
            login.connect_async(live, names, server.attempt_async, is_refusal)
        )
        await beating(lambda: store.begun == 1)  # the first read
        store.open.set()
        await beating(lambda: server.tried)
        store.open.clear()
        store.rotate("new")
        await beating(lambda: store.begun > 1)  # after the refusal
        assert not first.done()
        store.open.set()
        assert await first == "connected"
        heartbeat.cancel()

    asyncio.run(main())
    assert server.tried == ["old", "new"]


def test_the_end_of_a_loop_does_not_wait_for_a_store_that_does_not_answer(project):
    live, store = of_store(project)
    server = Server(store, "old")
    store.open.clear()

    async def main():
        names = ["USER", "PASSWORD"]
        connecting = asyncio.create_task(
            login.connect_async(live, names, server.attempt_async, is_refusal)
        )
        await happened(lambda: store.begun)
        connecting.cancel()

    asyncio.run(main())
    store.open.set()
    until(lambda: "envkit-login" not in {thread.name for thread in threading.enumerate()})


def test_a_live_environment_is_used_by_one_loop_after_another(project):
    live, store = of_store(project)
    for password in ("first", "second"):
        assert connect_async(live, Server(store, password, password)) == "connected"

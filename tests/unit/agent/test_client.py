"""A client of an agent that lies, stalls or is not the user's gives up at once."""

import contextlib
import os
import socket
import threading

import pytest

from envkit.agent import client, wire
from envkit.agent.client import Unusable
from envkit.agent.question import Question

QUESTION = Question("1", "/x", None, ["dev"], (), (), (), (), "exec", "", 15.0)
ANSWER = (wire.pack([]), wire.pack([b"A"]), wire.pack([b"1"]), b"", b"")


def ask(path, environ, timeout_seconds=15.0):
    with client.Connection(path) as agent:
        agent.ask(QUESTION.items(), environ)
        return agent.answer(timeout_seconds)


def frame(kind, *items):
    return wire.frame(kind, items)


@pytest.fixture
def serve(runtime):
    """Let a function be the agent: it is given the connection."""
    path = f"{runtime}/agent"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    over = threading.Event()
    threads = []

    def start(act):
        def run():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                act(connection, over)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return path

    yield start
    over.set()
    listener.close()
    for thread in threads:
        thread.join(10)


def says(*frames):
    """Return an agent that sends these bytes, and then waits."""

    def act(connection, over):
        connection.recv(1 << 16)
        for one in frames:
            connection.sendall(one)
        over.wait(10)

    return act


def closes(connection, over):
    connection.recv(10)


def drips(connection, over):
    for byte in frame(wire.ANSWER, *ANSWER):
        connection.sendall(bytes((byte,)))
        if over.wait(0.05):
            return


def asks_for_ever(connection, over):
    while connection.recv(1 << 16):
        connection.sendall(frame(wire.NEED, b"HOME"))


def stalls(connection, over):
    over.wait(10)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (stalls, "does not answer in time"),
        (drips, "does not answer in time"),
        (closes, "(has closed|failed)"),
        (asks_for_ever, "does not answer in time"),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "makes no sense"),
        (says(b"EKA\x02\x43\xff\xff\xff\xff"), "makes no sense: too long"),
        (says(b"EKA\x01\x43\0\0\0\0"), "makes no sense: another version"),
        (says(frame(wire.ANSWER, b"x")), "makes no sense"),
        (says(frame(wire.OTHER_VERSION, b"2")), "another version of envkit"),
        (says(frame(200)), "does not answer"),
        (says(frame(wire.DECLINED, b"protected")), "does not answer: protected"),
        (says(b"EKA\x02\x43\0\0\0\x08\xff\xff\xff\xff1234"), "makes no sense"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_the_agent_does_wrong_is_a_reason_to_do_without_it(serve, act, told):
    path = serve(act)
    with pytest.raises(Unusable, match=told) as found:
        ask(path, {b"HOME": b"/h"})
    assert not found.value.absent


def test_an_agent_that_reads_is_waited_for_and_answers(serve):
    def act(connection, over):
        sent = connection.recv(1 << 16)
        assert wire.unpack(wire.unpack(sent[wire.HEADER_BYTES :])[-1]) == [b"HOME", b"/h"]
        connection.sendall(frame(wire.NEED, b"OWN", b"NO"))
        sent = connection.recv(1 << 16)
        assert wire.unpack(sent[wire.HEADER_BYTES :]) == [b"OWN", b"o"]
        for _ in range(5):
            connection.sendall(frame(wire.WAIT))
            over.wait(0.1)
        connection.sendall(frame(wire.ANSWER, *ANSWER))

    found = ask(serve(act), {b"HOME": b"/h", b"OWN": b"o", b"X": b"x"})
    assert (found.bootstrap, found.names, found.values) == ([], [b"A"], [b"1"])


def test_waiting_ends_with_the_timeout(serve):
    def act(connection, over):
        while not over.wait(0.05):
            connection.sendall(frame(wire.WAIT))

    with pytest.raises(Unusable, match="still waits") as found:
        ask(serve(act), {}, 0.3)
    assert found.value.declined, "the agent works"


def test_an_absent_agent_is_told_apart_from_a_broken_one(runtime):
    with pytest.raises(Unusable) as found:
        ask(f"{runtime}/none", {})
    assert found.value.absent
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{runtime}/stale")
    with pytest.raises(Unusable) as found:
        ask(f"{runtime}/stale", {})
    assert found.value.absent
    with open(f"{runtime}/file", "w"):
        pass
    os.chmod(f"{runtime}/file", 0)
    with pytest.raises(Unusable):
        ask(f"{runtime}/file", {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_nothing_is_sent_to_the_agent_of_another_user(runtime):
    os.chmod(runtime, 0o777)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(12345)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{runtime}/agent")
        listener.listen()
        os.write(writing, b"r")
        connection, _ = listener.accept()
        received = connection.recv(100)
        os._exit(len(received))
    assert os.read(reading, 1) == b"r"
    with pytest.raises(Unusable, match="belongs to another user"):
        ask(f"{runtime}/agent", {})
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(reading)
    os.close(writing)

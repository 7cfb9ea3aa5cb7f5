"""The agent's loop with clients that break the protocol: they are disconnected, others are not."""

import os
import socket
import time

import pytest

from envkit import __version__
from envkit.agent import asking, connection, control, server, wire
from envkit.agent.asking import Unusable
from envkit.agent.process import listening
from envkit.agent.question import Question
from support import agents


@pytest.fixture
def path(served):
    """The socket of a server."""
    return served


@pytest.fixture(autouse=True)
def patient_client(monkeypatch):
    """Let the client wait longer than 200 ms: the machine may be busy with other tests."""
    monkeypatch.setattr(asking, "SILENCE_SECONDS", 10)


@pytest.fixture
def connect(path):
    """Return a function that connects to the server."""
    connections = []

    def connected():
        connections.append(socket.socket(socket.AF_UNIX))
        connections[-1].settimeout(10)
        connections[-1].connect(path)
        return connections[-1]

    yield connected
    for one in connections:
        one.close()


def is_closed(one):
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True


QUESTION = Question(__version__, "/", None, ["dev"], (), (), (), (), "exec", "", 15.0)
ASKING = wire.frame(wire.ASK, [*agents.items_of(QUESTION), b""])


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"EKA\x03\x01\xff\xff\xff\xff",
        b"EKA\x01\x01\0\0\0\0",
        b"EKA\x03\x01\0\0\0\x08\xff\xff\xff\xff1234",
        wire.frame(99),
        wire.frame(wire.ASK, [b"nonsense"]),
        wire.frame(wire.ASK),
        wire.frame(wire.ASK, [*agents.items_of(QUESTION), wire.pack([b"A"])]),
        wire.frame(wire.ASK, [*agents.items_of(QUESTION), wire.pack([b"ENVKIT_AUDIT", b"/a\0b"])]),
        wire.frame(wire.VARIABLES, [b"A", b"b"]),
        wire.frame(wire.ANSWER, [b""] * 5),
        os.urandom(1 << 16),
    ],
    ids=range(12),
)
def test_a_client_that_sends_nonsense_is_disconnected(connect, path, data):
    one = connect()
    one.sendall(data)
    assert is_closed(one)
    assert control.command(path, wire.STATUS)


def test_a_client_that_sends_slowly_is_disconnected(connect, path, monkeypatch):
    monkeypatch.setattr(connection, "FRAME_SECONDS", 0.3)
    one, silent = connect(), connect()
    with pytest.raises(OSError, match=r"Broken pipe|reset"):
        _drip(one)
    assert is_closed(silent)
    assert control.command(path, wire.STATUS)


def _drip(one):
    for byte in ASKING * 10:
        one.sendall(bytes((byte,)))
        time.sleep(0.01)


def test_a_client_that_does_not_read_costs_no_other_one_time(connect, path):
    for _ in range(20):
        connect().sendall(ASKING)
    assert control.command(path, wire.STATUS)


def test_more_clients_than_the_limit_are_turned_away(connect, path, monkeypatch):
    monkeypatch.setattr(server, "MAX_CLIENTS", 3)
    held = [connect() for _ in range(3)]
    assert is_closed(connect())
    held[0].close()
    while True:
        try:
            served = control.command(path, wire.STATUS)
        except Unusable:
            time.sleep(0.01)
        else:
            break
    assert served


def test_an_agent_of_another_release_does_not_answer(path):
    with pytest.raises(Unusable, match="another version"):
        agents.ask(path, QUESTION._replace(release="0.0.1"), {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_client_of_another_user_gets_nothing(path, runtime):
    os.chmod(runtime, 0o755)
    os.chmod(path, 0o777)
    child = os.fork()
    if child == 0:
        os.setuid(12345)
        one = socket.socket(socket.AF_UNIX)
        one.connect(path)
        try:
            one.sendall(wire.frame(wire.STATUS))
            os._exit(len(one.recv(100)))
        except OSError:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert control.command(path, wire.STATUS)


def test_an_agent_that_has_answered_nothing_from_memory_ends_sooner(runtime):
    found = f"{runtime}/agent"
    one = server.Server(
        listening(found),
        found,
        max_age_seconds=300,
        idle_seconds=300,
        life_seconds=300,
        unused_seconds=0.01,
    )
    one.serve()
    one.close()


def test_an_agent_ends_when_its_code_is_replaced(runtime, monkeypatch):
    found = f"{runtime}/agent"
    one = server.Server(
        listening(found), found, max_age_seconds=300, idle_seconds=300, life_seconds=300
    )
    monkeypatch.setattr(server, "signature", lambda _: "another")
    one.serve()
    one.close()

"""A client of an agent that lies, stalls or is not the user's gives up at once.

The folder of the socket: only the user's own will do.
"""

import contextlib
import os
import socket
import sys
import threading

import pytest

from envkit.agent import wire
from envkit.agent.asking import Unusable, socket_path
from envkit.agent.question import Question
from support import agents
from support.process import run_program

QUESTION = Question("1", "/x", None, ["dev"], (), (), (), (), "exec", "", 15.0)
ANSWER = (wire.pack([]), wire.pack([b"A"]), wire.pack([b"1"]), b"")


def ask(path, environ, timeout_seconds=15.0):
    return agents.ask(path, QUESTION, environ, timeout_seconds)


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
        (says(b"EKA\x03\x43\xff\xff\xff\xff"), "makes no sense: too long"),
        (says(b"EKA\x01\x43\0\0\0\0"), "makes no sense: another version"),
        (says(frame(wire.ANSWER, b"x")), "makes no sense"),
        (says(frame(wire.ANSWER, *ANSWER)), "does not answer in time"),
        (says(frame(wire.ANSWER, *ANSWER) * 2), "makes no sense: an answer is not recorded"),
        (says(frame(wire.ANSWER, *ANSWER), frame(wire.RECORDED)), "makes no sense"),
        (says(frame(wire.OTHER_VERSION, b"2")), "another version of envkit"),
        (says(frame(200)), "does not answer"),
        (says(frame(wire.DECLINED, b"protected")), "does not answer: protected"),
        (says(b"EKA\x03\x43\0\0\0\x08\xff\xff\xff\xff1234"), "makes no sense"),
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
        connection.sendall(frame(wire.ANSWER, *ANSWER) + frame(wire.RECORDED, b"used", b"1"))

    found = ask(serve(act), {b"HOME": b"/h", b"OWN": b"o", b"X": b"x"})
    assert (found.bootstrap, found.names, found.values) == ([], [b"A"], [b"1"])
    assert (found.unrecorded, found.pristine) == (b"used", True)


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


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


def environ(runtime):
    return {"XDG_RUNTIME_DIR": str(runtime)}


def test_the_folder_is_created_for_the_user_alone(runtime):
    path = socket_path(environ(runtime), create=True)
    assert os.path.dirname(path) == f"{runtime}/envkit"
    assert os.stat(f"{runtime}/envkit").st_mode & 0o777 == 0o700
    assert socket_path(environ(runtime)) == path


def test_the_folder_is_usable_whatever_the_umask_is(runtime):
    before = os.umask(0o777)
    try:
        socket_path(environ(runtime), create=True)
    finally:
        os.umask(before)
    assert os.stat(f"{runtime}/envkit").st_mode & 0o777 == 0o700


@as_root
@pytest.mark.parametrize(
    "command",
    [
        ["unshare", "--mount"],
        ["unshare", "--net"],
        ["unshare", "--user", "--map-root-user"],
        ["unshare", "--pid", "--fork", "--mount-proc"],
        ["unshare", "--uts"],
        ["setpriv", "--groups", "12345"],
    ],
)
def test_a_process_with_another_view_of_the_system_has_another_agent(runtime, command):
    program = (
        "import os; from envkit.agent.asking import socket_path;"
        f"print(socket_path({environ(runtime)!r}, create=True))"
    )
    own, same = (run_program(sys.executable, "-c", program).stdout for _ in range(2))
    other = run_program(*command, sys.executable, "-c", program)
    assert other.returncode == 0, other.stderr
    assert own == same != other.stdout


def test_without_a_folder_there_is_no_agent(runtime):
    with pytest.raises(Unusable, match="there is no folder") as found:
        socket_path(environ(runtime))
    assert found.value.absent


def _open_to_others(runtime):
    os.mkdir(f"{runtime}/envkit")
    os.chmod(f"{runtime}/envkit", 0o750)


def _link(runtime):
    os.mkdir(f"{runtime}/elsewhere", 0o700)
    os.symlink(f"{runtime}/elsewhere", f"{runtime}/envkit")


def _file(runtime):
    with open(f"{runtime}/envkit", "w"):
        pass


def _stranger(runtime):
    os.mkdir(f"{runtime}/envkit", 0o700)
    os.chown(f"{runtime}/envkit", 12345, -1)


def _above_writable(runtime):
    os.mkdir(f"{runtime}/envkit", 0o700)
    os.chmod(runtime, 0o770)


def _above_of_a_stranger(runtime):
    os.mkdir(f"{runtime}/envkit", 0o700)
    os.chown(runtime, 12345, -1)


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (_open_to_others, "other users may enter"),
        (_link, "is not a folder"),
        (_file, "is not a folder"),
        pytest.param(_stranger, "belongs to another user", marks=as_root),
        (_above_writable, "other users may write in"),
        pytest.param(_above_of_a_stranger, "belongs to another user", marks=as_root),
    ],
)
def test_a_folder_that_others_could_use_is_refused(runtime, prepare, told):
    prepare(runtime)
    with pytest.raises(Unusable, match=told) as found:
        socket_path(environ(runtime), create=True)
    assert not found.value.absent


def test_a_link_above_the_folder_is_refused(runtime):
    os.mkdir(f"{runtime}/real", 0o700)
    os.symlink(f"{runtime}/real", f"{runtime}/link")
    with pytest.raises(Unusable, match="is a link"):
        socket_path(environ(f"{runtime}/link"), create=True)


def test_a_path_that_is_too_long_for_a_socket_is_refused(runtime):
    with pytest.raises(Unusable, match="longer than 100 bytes"):
        socket_path(environ(f"{runtime}/{'x' * 100}"))


def test_a_folder_that_cannot_be_created_is_a_reason(runtime):
    with pytest.raises(Unusable, match="cannot create"):
        socket_path(environ(f"{runtime}/none"), create=True)


@pytest.mark.parametrize("given", [{}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "relative"}])
def test_without_a_runtime_folder_the_users_own_one_is_used(given):
    user = os.geteuid()
    try:
        path = socket_path(given)
    except Unusable as reason:
        path = str(reason)
    assert f"/run/user/{user}/envkit" in path or f"/tmp/envkit-{user}" in path

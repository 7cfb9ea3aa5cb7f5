"""The folder of the socket: only the user's own will do."""

import os
import sys

import pytest

from envkit.agent.client import Unusable, socket_path
from support.process import run_program

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
        "import os; from envkit.agent.client import socket_path;"
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

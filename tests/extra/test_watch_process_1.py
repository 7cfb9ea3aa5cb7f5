"""`envkit exec --watch` as process 1 of a container: a new namespace of processes."""

import os
import signal

import pytest

from support.supervised import Supervised, wait_until

pytestmark = pytest.mark.extra

CONTAINER = ("unshare", "--fork", "--pid", "--mount-proc", "--map-root-user")
WAITS = "while :; do sleep 0.01; done"
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
os.wait()
"""


def contained(*args):
    return Supervised(*args, under=CONTAINER)


def process_1(run):
    """Return the id of the supervisor outside of its container."""
    [pid] = run.children()
    return pid


def inside(run):
    """Return the processes of the container but the first, by their ids outside."""
    space = os.readlink(f"/proc/{process_1(run)}/ns/pid")
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/ns/pid") == space:
                found.append(int(name))
        except OSError:
            continue
    return sorted(set(found) - {process_1(run)})


@pytest.mark.parametrize(
    ("app", "status"),
    [("exit 3", 3), ("kill -TERM $$", 128 + signal.SIGTERM), ("kill -KILL $$", 137)],
)
def test_process_1_ends_with_the_status_of_the_app_or_128_and_its_signal(app, status):
    with contained("--watch", "--", "sh", "-c", app) as run:
        assert (run.wait(), run.said()) == (status, "")


def test_a_signal_to_process_1_ends_the_app_and_its_children():
    app = f"trap 'echo app; exit 4' TERM; (trap 'echo child; exit' TERM; echo on; {WAITS}) & wait"
    with contained("--watch", "--", "sh", "-c", app) as run:
        run.expect("on\n")
        os.kill(process_1(run), signal.SIGTERM)
        assert sorted(run.rest().split()) == ["app", "child"]
        assert run.wait() == 4


def test_process_1_reaps_every_orphan():
    app = "for i in 1 2 3; do (sh -c 'exit' &); done; echo on; exec sleep 3600"
    with contained("--watch", "--", "sh", "-c", app) as run:
        run.expect("on\n")
        wait_until(lambda: len(inside(run)) == 1, "zombies remain")


def test_a_restart_in_a_container_leaves_nothing_of_the_old_app():
    script = f"{DAEMON}\nprint('on', flush=True)\ntime.sleep(3600)"
    with contained("--watch", "--", "python3", "-c", script) as run:
        run.expect("on\n")
        before = inside(run)
        run.announce(A="2")
        run.expect("on\n")
        assert len(before) == 2
        wait_until(lambda: len(inside(run)) == 2)
        assert not set(before) & set(inside(run))


def test_a_container_that_ignores_the_signal_ends_after_the_stop_timeout():
    app = f"trap '' TERM; echo on; {WAITS}"
    with contained("--watch", "--stop-timeout", "0.2", "--", "sh", "-c", app) as run:
        run.expect("on\n")
        os.kill(process_1(run), signal.SIGTERM)
        assert run.wait() == 128 + signal.SIGTERM

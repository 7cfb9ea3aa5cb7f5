"""A live environment in servers: before a fork, across a reload, in a loop, at the end.

The apps log in to a real Valkey. Once a rotation has ended, only its new password works: a
request that makes a new connection succeeds only if its process has found that password.
"""

import http.client
import itertools
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from support.fault_proxy import HOST, free_port
from support.living import until
from support.process import environment

pytestmark = pytest.mark.usefixtures("trusted")

GUNICORN_APP = """
import itertools
import os

import redis

import envkit
from envkit.integrations.redis import options

changes = []
live = envkit.live("prod")
client = redis.Redis(**options(live, "REDIS_URL"))
client.ping()  # a connection that the workers must not use
live.on_change("REDIS_URL", changes.append)


def app(environ, start_response):
    if environ["PATH_INFO"] == "/login":
        client.connection_pool.disconnect(inuse_connections=False)
    client.ping()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {len(changes)}".encode()]
"""
UVICORN_APP = """
import os

import redis.asyncio

import envkit
from envkit.integrations.redis import options

changes = []
live = envkit.live("prod")
client = redis.asyncio.Redis(**options(live, "REDIS_URL"))
live.on_change("REDIS_URL", changes.append)


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/login":
        await client.connection_pool.disconnect(inuse_connections=False)
    await client.ping()
    body = f"{os.getpid()} {len(changes)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""
WORKERS = 2
THREADS = 3


class App:
    """A server with one of the apps, as a process.

    Attributes:
        failures: responses that were not 200.
        pids: of the processes that have answered.
        changes: by process, how often its callback was called when it last answered.
    """

    def __init__(self, port, log):
        self.port = port
        self.log = log
        self.failures = []
        self.pids = set()
        self.changes = {}

    def get(self, path="/"):
        """Ask for a page, and return the process that answered; None if it failed."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            self.failures.append((response.status, body, self.log.read_text()))
            return None
        pid, self.changes[pid] = map(int, body.split())
        self.pids.add(pid)
        return pid

    def answers(self):
        try:
            return self.get()
        except (OSError, http.client.HTTPException):
            return None

    @contextmanager
    def under_load(self):
        """Let threads ask for pages that need a login."""
        stop = threading.Event()

        def work():
            while not stop.is_set():
                self.get("/login")

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@contextmanager
def serving(project, text, *command):
    """Run a server in the project until the end of the block, when TERM must end it cleanly."""
    (project.root / "shop.py").write_text(text)
    port = free_port()
    log = project.root / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *(word.replace("PORT", str(port)) for word in command)],
            cwd=project.root,
            env=environment(project.root),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    app = App(port, log)
    try:
        until(lambda: app.answers() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield app
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM), log.read_text()
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text(), log.read_text()


def test_workers_of_gunicorn_that_preloads_the_app_use_the_new_login(cache):
    workers = ("--workers", str(WORKERS), "--bind", f"{HOST}:PORT")
    with serving(cache.project, GUNICORN_APP, "gunicorn", "shop:app", "--preload", *workers) as app:
        with app.under_load():
            until(lambda: len(app.pids) == WORKERS)
            cache.rotate()
            cache.rotate()
        app.pids.clear()
        until(lambda: app.get("/login") and len(app.pids) == WORKERS)
        until(lambda: app.get() and all(app.changes[pid] for pid in app.pids))
        assert app.failures == []


def test_uvicorn_that_reloads_uses_the_new_login_before_and_after(cache):
    reload = ("--reload", "--host", HOST, "--port", "PORT")
    with serving(cache.project, UVICORN_APP, "uvicorn", "shop:app", *reload) as app:
        with app.under_load():
            cache.rotate()
        (before,) = app.pids
        tries = itertools.count()

        def reloads():
            if (number := next(tries)) % 400 == 0:  # uvicorn may miss a change at its own start
                (cache.project.root / "shop.py").write_text(f"{UVICORN_APP}\n# {number}\n")
            return app.answers() not in (None, before)

        until(reloads)
        with app.under_load():
            cache.rotate()
        assert app.failures == []


ENDS = {
    "after a login": "client.ping()",
    "in the main thread's exception": "client.ping(); raise SystemExit(3)",
    "with threads that log in": """
def work():
    while True:
        client.connection_pool.disconnect(inuse_connections=False)
        client.ping()

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
client.ping()
""",
    "in asyncio": """
async def main():
    client = redis.asyncio.Redis(**options(live, "REDIS_URL"))
    await client.ping()
    await client.aclose()

asyncio.run(main())
asyncio.run(main())
""",
    "in a child of a fork": """
client.ping()
pid = os.fork()
client.ping()
if pid:
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_program_with_a_live_environment_ends_silently(cache, end):
    program = """
import asyncio, os, threading
import redis, redis.asyncio
import envkit
from envkit.integrations.redis import options

live = envkit.live("prod")
live.on_change("REDIS_URL", print)
client = redis.Redis(**options(live, "REDIS_URL"))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + ENDS[end]],
        cwd=cache.project.root,
        env=environment(cache.project.root),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert done.returncode == (3 if "SystemExit(3)" in ENDS[end] else 0)

"""One app with one login that `envkit rotate` replaces, again and again.

    with Servers(folder) as servers, Survivor(servers, folder, row, 5) as survivor:
        survivor.rotate()

The login is in `.env.prod`. envkit reaches PostgreSQL by a socket and the app by TCP: this is how
the server's log distinguishes a login of the app that was refused from envkit's own check that
a retired password is refused.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

from support import openbao, postgres, valkey
from support.fault_proxy import HOST, free_port
from support.process import environment
from support.rotators import AlternateHarness, RedisHarness, SingleHarness

APPS = Path(__file__).parent / "apps"
LOOK_SECONDS = 1.5  # between two `envkit rotate` of one row
HELD_GRACES = 2  # how many more grace periods an old login in use must outlive
ENOUGH_SECONDS = 120.0  # for one rotation
INTERRUPTED = threading.Event()  # set to end all rows
WAITING = ("in-grace", "in-use", "waiting", "busy")
_LOG_PREFIX = "%r "  # where the client is: 127.0.0.1(PORT), or [local]
PROFILE = """\
[variables]
{name} = {{ value = "{{{{ {name} }}}}"{kind} }}

[rotation.it]
secret = "dotenv:{name}"
rotator = "{rotator}"
strategy = "{strategy}"
every = "30d"
grace = "{grace:.0f}s"
timeout = "60s"
{more}
"""


class RowError(Exception):
    """A row cannot be run, or a rotation does not end."""


class Row(NamedTuple):
    """One kind of app, and how its login is rotated.

    Attributes:
        name: for people.
        command: that starts the app in its folder; PORT is replaced.
        watch: the options of `envkit exec`; None for an app with `envkit.live`.
        strategy: of the rotation.
        retire_when: of the rotation; empty for its default.
        target: `postgres` or `redis`; `lease` for users that OpenBao creates and drops.
        file: whether the app gets the login as a file.
        restarts: whether the app is restarted by hand once an old login was kept.
        node: whether it needs Node.
        control: whether requests must fail.
    """

    name: str
    command: tuple[str, ...]
    watch: tuple[str, ...] | None = None
    strategy: str = "alternate"
    retire_when: str = ""
    target: str = "postgres"
    file: bool = False
    restarts: bool = False
    node: bool = False
    control: bool = False

    @property
    def title(self) -> str:
        return f"{self.name} ({self.strategy})"

    @property
    def ends_once(self) -> bool:
        """Whether its login ends once, and is never replaced."""
        return self.control and self.target == "lease"


class Servers:
    """PostgreSQL, Valkey and OpenBao, for all rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.postgres = self._stack.enter_context(
            postgres.running(
                log_connections="on",
                log_line_prefix=_LOG_PREFIX,
                log_statement="none",
                max_connections="300",
                scram_iterations="256",
            )
        )
        with (self.postgres.data / "pg_hba.conf").open("a") as rules:
            rules.write("local all all scram-sha-256\n")
        with self.postgres.connect() as connection:
            connection.execute("SELECT pg_reload_conf()")
        folder = self._folder / "valkey"
        folder.mkdir()
        self.valkey = self._stack.enter_context(valkey.Valkey(folder))
        folder = self._folder / "openbao"
        folder.mkdir()
        self.openbao = self._stack.enter_context(openbao.OpenBao(folder))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def logged(self, users: list[str]) -> tuple[int, int]:
        """Return how many logins of an app the log of PostgreSQL shows: accepted, refused."""
        text = self.postgres.log.read_text(errors="replace")
        names = "|".join(map(re.escape, users))
        start = rf"^{re.escape(HOST)}\(\d+\) "
        accepted = rf"{start}LOG:  connection authorized: user=({names}) "
        refused = (
            rf'{start}FATAL:  (password authentication failed for user "({names})"'
            rf'|role "({names})" is not permitted to log in)'
        )
        return tuple(len(re.findall(what, text, re.MULTILINE)) for what in (accepted, refused))


class Survivor:
    """See the module's docstring.

    Args:
        servers: of all rows.
        root: the folder to create for the project.
        row: what to run.
        grace_seconds: of its rotations.

    Attributes:
        port: of the app.
        users: the users of PostgreSQL that the app logs in as.
        held: how many old logins were kept because they were in use.
    """

    def __init__(self, servers: Servers, root: Path, row: Row, grace_seconds: float) -> None:
        self._stack = ExitStack()
        self._grace = grace_seconds
        self._row, self._root = row, root
        self.port = free_port()
        self.held = 0
        self._app: subprocess.Popen[bytes] | None = None
        shutil.copytree(APPS, root)
        (root / "profiles").mkdir()
        self.users: list[str] = []
        self._environ = {
            **environment(root),
            "ENVKIT_TRUST": "1",  # the profile's target
            "PORT": str(self.port),
        }
        self._prepare(servers)
        if row.node:
            self._install_pg()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    # ---------------------------------------------------------------- the login

    def _prepare(self, servers: Servers) -> None:
        if self._row.target == "postgres":
            login, self.users = self._prepare_postgres(servers)
        else:
            login = self._prepare_redis(servers)
        path = self._root / ".env.prod"
        path.write_text(login)
        path.chmod(0o600)

    def _prepare_postgres(self, servers: Servers) -> tuple[str, list[str]]:
        kind = AlternateHarness if self._row.strategy == "alternate" else SingleHarness
        harness = kind(servers.postgres, self._stack)
        socket = f"host={servers.postgres.folder}&port={servers.postgres.port}"
        admin = f"{harness.role('envkit')}:{harness.admin_password}"
        dsn = f"postgresql://{admin}@/{harness.database.name}?{socket}"
        self._write_profile("DATABASE_URL", {**harness.target, "dsn": "{{ dotenv:DSN }}"})
        url = harness.current()["url"].reveal().partition("?")[0]
        users = [harness.role(name) for name in harness.role_names if name != "app"]
        return f"DATABASE_URL={url}\nDSN={dsn}\n", users or [harness.role("app")]

    def _prepare_redis(self, servers: Servers) -> str:
        harness = RedisHarness(servers.valkey, self._stack)
        self._write_profile("REDIS_URL", {**harness.target, "url": "{{ dotenv:ADMIN_URL }}"})
        url = harness.current()["url"].reveal().partition("?")[0]
        return f"REDIS_URL={url}\nADMIN_URL={harness.url}\n"

    def _write_profile(self, name: str, target: dict[str, object]) -> None:
        row = self._row
        items = ", ".join(f"{key} = {json.dumps(value)}" for key, value in target.items())
        lines = [f'retire_when = "{row.retire_when}"'] if row.retire_when else []
        text = PROFILE.format(
            name=name,
            kind=', as = "file"' if row.file else "",
            rotator=row.target,
            strategy=row.strategy,
            grace=self._grace,
            more="\n".join([*lines, f"target = {{ {items} }}"]),
        )
        (self._root / "profiles" / "prod.toml").write_text(text)

    def _install_pg(self) -> None:
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            raise RowError("needs node and npm; --without-node leaves this row out")
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", "pg@8"],
            cwd=self._root,
            env={**os.environ, "HOME": str(Path.home())},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise RowError(
                "'npm install pg@8' failed; --without-node leaves this row out: "
                f"{done.stderr.strip()[-300:]}"
            )

    # ---------------------------------------------------------------- the app

    def start(self) -> None:
        """Start the app, and wait until it listens."""
        command = [word.replace("PORT", str(self.port)) for word in self._row.command]
        if self._row.watch is not None:
            envkit = (sys.executable, "-m", "envkit", "exec", "--env", "prod")
            command = [*envkit, *self._row.watch, "--", *command]
        with (self._root / "app.log").open("ab") as log:
            self._app = subprocess.Popen(
                command,
                cwd=self._root,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Stop the app, and wait for its end."""
        if self._app is not None:
            self._app.send_signal(signal.SIGTERM)
            try:
                self._app.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._app.pid, signal.SIGKILL)
                self._app.wait()
            self._app = None

    def said(self) -> str:
        """Return what the app, and `envkit exec`, printed."""
        return (self._root / "app.log").read_text(errors="replace")

    def check_lives(self) -> None:
        if self._app is None or self._app.poll() is not None:
            raise RowError(f"the app ended by itself: {self.said()[-500:]}")

    # ---------------------------------------------------------------- its rotation

    def rotate(self) -> None:
        """Rotate once, until the old login is retired.

        Raises:
            RowError: that takes too long, or fails.
        """
        begin = time.monotonic()
        outcome = self._envkit_rotate("it")
        held_at = 0.0
        while outcome["outcome"] != "rotated":
            self.check_lives()
            now = time.monotonic()
            if outcome["outcome"] not in WAITING or now > begin + ENOUGH_SECONDS:
                raise RowError(f"a rotation ends as {outcome['outcome']}: {outcome['reason']}")
            if outcome["outcome"] == "in-use" and not held_at:
                held_at = now
                self.held += 1
            if self._row.restarts and held_at and now > held_at + HELD_GRACES * self._grace:
                self.stop()  # as a deployment does
                self.start()
                held_at = float("inf")
            if INTERRUPTED.wait(LOOK_SECONDS):
                raise RowError("interrupted")
            outcome = self._envkit_rotate()
        if self._row.restarts and not held_at:
            raise RowError("the old login was retired while the app used it")

    def _envkit_rotate(self, *names: str) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "envkit", "rotate", *names, "--format", "json"],
            cwd=self._root,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=False,
        )
        try:
            [found] = json.loads(done.stdout)["rotations"]
        except ValueError:
            raise RowError(f"envkit rotate: {done.stderr.strip()[-500:]}") from None
        return found

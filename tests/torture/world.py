"""One secret in one store, rotated by one rotator, with a stopper in front of every server.

    with Servers(folder) as servers, World(servers, root, "vault", RedisTarget) as world:
        run = world.start(warm)         # one `envkit rotate`, as cron would start it
        world.pass_grace()              # no time passes: later processes have clocks that are ahead
        world.wrong(before)             # problems after a rotation

Worlds share the servers; each has its own secret, users and profile.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from support import openbao, postgres, valkey
from support.aws import REGION, moto_running
from support.fault_proxy import HOST
from torture import shelves
from torture.shelves import AwsShelf, DotenvShelf, VaultShelf
from torture.stopping import Stopper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torture.warm import Run, Warm

SHELVES = {"vault": VaultShelf, "aws": AwsShelf, "dotenv": DotenvShelf}
EVERY_SECONDS = 30 * 86400.0
LEASE_SECONDS = 3600.0  # longer than a process can own a rotation
PROFILE = """\
{sources}
[variables]
NODE_ENV = "production"

[rotation.it]
secret = "{secret}"
rotator = "{rotator}"
strategy = "{strategy}"
every = "30d"
grace = "{grace}"
timeout = "60s"
target = {target}
"""


class Servers:
    """All servers that a matrix needs, started on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._started: dict[str, object] = {}

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def openbao(self) -> openbao.OpenBao:
        return self._once("openbao", lambda: openbao.OpenBao(self._made("openbao")))

    @property
    def postgres(self) -> postgres.Postgres:
        # the iterations of the hash take most of the time of a login
        return self._once("postgres", lambda: postgres.running(scram_iterations="64"))

    @property
    def valkey(self) -> valkey.Valkey:
        return self._once("valkey", lambda: valkey.Valkey(self._made("valkey")))

    @property
    def moto(self) -> str:
        return self._once("moto", moto_running)

    def _once(self, name: str, start):
        if name not in self._started:
            self._started[name] = self._stack.enter_context(start())
        return self._started[name]

    def _made(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder


class World:
    """See the module's docstring."""

    def __init__(self, servers: Servers, root: Path, store: str, kind, *, grace="15m") -> None:
        root.mkdir()
        self.root = root
        self._stack = ExitStack()
        self.stopper = self._stack.enter_context(Stopper())
        self.target = kind(servers, self._stack)
        field = self.target.fields[0]
        where = {"vault": lambda: servers.openbao, "aws": lambda: servers.moto}
        self.shelf = SHELVES[store](where.get(store, lambda: root)(), field)
        self.shelf.put(self.target.first())
        self.ahead_seconds = 0.0
        self.prepare = ""  # called in each process, to break it
        self._report = root / "killed"
        doors: dict[int, int] = {}
        for one in (self.shelf, self.target):
            if one.port and one.port not in doors:
                doors[one.port] = self.stopper.before(one.port, http=one.http)
        door = {0: 0, **doors}
        self.environ = {
            "PATH": os.environ["PATH"],
            "ENVKIT_TRUST": "1",  # of programs and targets
            "HOME": str(root),
            "ENVKIT_AUDIT": str(root / "audit.jsonl"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(root / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(root / "none"),
            **self.shelf.environ(door[self.shelf.port]),
        }
        moto = [one for one in (self.shelf, self.target) if one.name in ("aws", "aws-iam-key")]
        if moto:
            self.environ["AWS_ENDPOINT_URL"] = f"http://{HOST}:{door[moto[0].port]}"
        (root / "profiles").mkdir()
        self._port, self._grace = door[self.target.port], grace
        self.edit()

    def edit(self, *, rotator: str = "", strategy: str = "", more: str = "", **target) -> None:
        """Write the profile again; without arguments, as at the beginning.

        Args:
            rotator: another type.
            strategy: another one.
            more: text to add to it.
            target: keys to change; None removes one.
        """
        table = {**self.target.table(self._port), **target}
        text = PROFILE.format(
            sources=self.shelf.sources,
            secret=self.shelf.secret,
            rotator=rotator or self.target.rotator,
            strategy=strategy or self.target.strategy,
            grace=self._grace,
            target=_toml({key: value for key, value in table.items() if value is not None}),
        )
        (self.root / "profiles" / "prod.toml").write_text(text + more)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # ---------------------------------------------------------------- time and processes

    def start(
        self,
        warm: Warm,
        *names: str,
        die_at: int = 0,
        prepare: str = "",
        act: Callable[[Run], object] | None = None,
        **more: object,
    ) -> Run:
        """Start `envkit rotate` as cron does, or with a name as a person does.

        Args:
            warm: the process that starts it.
            names: rotations and options.
            die_at: an operation on the files of the store; 0 for none.
            prepare: called in the process first, with `more`.
            act: the action of the stopper (default: kill the process).
            more: as above.
        """
        prepare = prepare or self.prepare
        if die_at:
            prepare = "torture.files:die_at"
            more = {"folder": self.shelf.folder, "number": die_at, "report": str(self._report)}
        options = ["--profiles", str(self.root / "profiles"), "--format", "json"]
        run = warm.start(
            ["rotate", *names, *options],
            self.environ,
            ahead_seconds=self.ahead_seconds,
            prepare=prepare,
            **more,
        )
        self.stopper.aim(run.kill if act is None else partial(act, run))
        return run

    @property
    def died_by_itself(self) -> bool:
        """Whether the last process with `die_at` reached its operation."""
        found = self._report.exists()
        self._report.unlink(missing_ok=True)
        return found

    def become_due(self) -> None:
        self.ahead_seconds += EVERY_SECONDS + 60

    def pass_lease(self) -> None:
        """Let what a dead process holds be free for others."""
        self.ahead_seconds += LEASE_SECONDS

    pass_grace = pass_lease

    # ---------------------------------------------------------------- existing state

    def current(self) -> dict[str, str]:
        found = self._reader().current()
        return {name: found[name] for name in self.target.fields}

    def writes(self) -> int | None:
        return self.shelf.writes()

    def wrong(self, before: dict[str, str]) -> list[str]:
        """Return the problems after a rotation."""
        current = self.current()
        wrong = [*self.shelf.left(), *self.target.left(current)]
        if pending := self._reader().pending():
            wrong.append(f"the values {sorted(pending)} are still pending")
        if current == before:
            wrong.append("nothing was rotated")
        if not self.target.works(current, current):
            wrong.append("the new credential does not log in")
        if self.target.works(before, current):
            wrong.append("the old credential logs in")
        return wrong

    def _reader(self):
        name, arguments = self.shelf.reader()
        return getattr(shelves, name)(*arguments)


def _toml(table: dict[str, object]) -> str:
    texts = {
        key: _toml(value) if isinstance(value, dict) else json.dumps(value)
        for key, value in table.items()
    }
    return "{ " + ", ".join(f"{key} = {text}" for key, text in texts.items()) + " }"

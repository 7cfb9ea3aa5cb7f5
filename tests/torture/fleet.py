"""A fleet with faults: every rotation must run once. Also measures the speed.

    python tests/torture/fleet.py [--rotations 2000] [--measured 240] [--seed 7]

Three workers use one PostgreSQL and one OpenBao, and all rotations are due in the same minute.
Every few seconds a worker is killed and another one is started. In the middle, PostgreSQL is down
for ten seconds. Afterwards every secret must have exactly one new value, no rotation may be in
progress, and no file of PostgreSQL may contain a value.

Then the same without faults, with 1, 2 and 4 workers: rotations per second.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from support import openbao, postgres  # noqa: E402
from support.serving import Serving  # noqa: E402

CANARY = "canary-5d20c9e7"
WORKERS = 3
AWAY_SECONDS = 10
KILL_SECONDS = (3.0, 8.0)
LIMIT_SECONDS = 480  # for the part with faults
PROFILES = 20
PACE = {
    "periodic": "*/5 * * * * *",
    "poll_seconds": 0.5,
    "heartbeat_seconds": 2,
    "gone_seconds": 8,
    "margin_seconds": 10,
    "patience_seconds": 5,
}
# given at first, with KEY_previous, and without the old one
VERSIONS_OF_ONE_ROTATION = 3
PROFILE = """\
[sources.vault]
mount = "secret"
[variables]
NODE_ENV = "production"
"""
ROTATION = """\
[rotation.{name}]
secret = "vault:{path}#key"
rotator = "random"
{when}
grace = "0s"
timeout = "20s"
"""


class World(NamedTuple):
    """The project of the workers."""

    root: Path
    bao: openbao.OpenBao
    server: postgres.Postgres
    database: postgres.Database
    names: list[str]

    @property
    def environ(self) -> dict[str, str]:
        return {
            "ENVKIT_QUEUE": self.database.dsn(),
            "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}",
            "VAULT_ADDR": self.bao.address,
            "VAULT_TOKEN": self.bao.root_token,
        }

    def worker(self) -> Serving:
        program = (sys.executable, "-m", "support.fleet_worker", str(self.root / "profiles"))
        return Serving(self, json.dumps(PACE), program=program, env=self.environ)

    def settled(self) -> int:
        """Return the number of rotations that wait for a time far away."""
        [(number,)] = self.database.run(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'envkit.rotate'"
            " AND status = 'todo' AND scheduled_at > now() + interval '1 minute'"
        )
        return number


def build(folder: Path, bao, server, label: str, number: int, when: str) -> World:
    """Create secrets, profiles and a database."""
    root = folder / label
    (root / "profiles").mkdir(parents=True)
    names = [f"{label}/r{index}" for index in range(number)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: bao.put(name, {"key": f"{CANARY}-{name}"}), names))
    for index in range(min(PROFILES, number)):
        text = "".join(
            ROTATION.format(name=name.rpartition("/")[2], path=name, when=when)
            for name in names[index::PROFILES]
        )
        (root / "profiles" / f"p{index}.toml").write_text(PROFILE + text)
    return World(root, bao, server, server.database(), names)


def wait_until(condition, what: str, limit_seconds: float = LIMIT_SECONDS):
    end = time.monotonic() + limit_seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.2)
    return found


# ---------------------------------------------------------------- with faults


def under_fire(folder: Path, bao, server, number: int, chance: random.Random) -> None:
    lead_seconds = 45 + number // 25  # until workers have looked at all of them once
    due_at = (int(time.time() + lead_seconds) // 60 + 1) * 60
    due = time.gmtime(due_at)
    when = f'schedule = "{due.tm_min} {due.tm_hour} {due.tm_mday} {due.tm_mon} *"\nwindow = "2h"'
    world = build(folder, bao, server, "fire", number, when)
    begun = time.time()
    workers = [world.worker() for _ in range(WORKERS)]
    killed = 0
    try:
        wait_until(lambda: known(world) >= number, "a job for each rotation")
        print(f"{number} rotations have a job after {time.time() - begun:.0f} s")
        time.sleep(max(0.0, due_at - time.time()))
        away, next_kill = None, time.monotonic()
        end = time.monotonic() + LIMIT_SECONDS
        while (done := world.settled()) < number:
            assert time.monotonic() < end, f"only {done} of {number} are done"
            if away is None and done >= number // 4:
                for worker in workers:  # a worker that cannot reach its queue at the start ends
                    worker.wait_for(" rotations in ")
                away = time.time() - due_at
                server.stop()
                time.sleep(AWAY_SECONDS)
                server.start()
            if time.monotonic() >= next_kill:
                victim = chance.randrange(WORKERS)
                workers[victim].kill()
                workers[victim].__exit__()
                workers[victim] = world.worker()
                killed += 1
                next_kill = time.monotonic() + chance.uniform(*KILL_SECONDS)
            time.sleep(0.2)
        took = time.time() - due_at
        assert away is not None, "PostgreSQL was never away"
        for worker in workers:  # a worker that has just started cannot be stopped yet
            worker.wait_for(" rotations in ")
        statuses = [worker.stop() for worker in workers]
        assert statuses == [0] * WORKERS, [worker.text[-2000:] for worker in workers]
    finally:
        for worker in workers:
            worker.__exit__()
    new = check(world, due_at)
    print(
        f"{number} rotations due at once, {WORKERS} workers: all done once after {took:.0f} s; "
        f"{killed} workers were killed, PostgreSQL was away for {AWAY_SECONDS} s after {away:.0f} s"
    )
    scanned = scan(world, new)
    print(f"no value is in {scanned / 2**20:.0f} MB of PostgreSQL's files")


def known(world: World) -> int:
    """Return the number of rotations with a job that waits for its time."""
    if not world.database.run("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")[0][0]:
        return 0
    [(number,)] = world.database.run(
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'envkit.rotate'"
        " AND status = 'todo' AND scheduled_at > now()"
    )
    return number


def check(world: World, due_at: float) -> set[str]:
    """Check every secret and every record; return the new values."""
    bao, new = world.bao, set()

    def one(name: str) -> list[str]:
        wrong = []
        secret = bao.ask("GET", f"secret/data/{name}")["data"]
        version, fields = secret["metadata"]["version"], secret["data"]
        if version != VERSIONS_OF_ONE_ROTATION:
            wrong.append(f"{name} was written {version - 1} times")
        if CANARY in json.dumps(fields) or set(fields) != {"key", "key_previous"}:
            wrong.append(f"{name} has {sorted(fields)}, or an old value")
        new.update(fields.values())
        kept = bao.ask("GET", f"secret/data/envkit-rotation/{name}.key")["data"]["data"]
        record = json.loads(kept["record"]) if isinstance(kept.get("record"), str) else kept
        record = record.get("record", record)
        if record["phase"] != "idle" or record["last_rotated_at"] < due_at:
            wrong.append(f"{name} is {record['phase']}, {record['last_rotated_at'] - due_at:.0f} s")
        if any(value in json.dumps(kept) for value in fields.values()) or CANARY in json.dumps(
            kept
        ):
            wrong.append(f"{name} has left a value behind")
        return wrong

    with ThreadPoolExecutor(8) as pool:
        wrong = [line for lines in pool.map(one, world.names) for line in lines]
    assert not wrong, f"{len(wrong)} are wrong: {wrong[:10]}"
    assert len(new) == len(world.names)
    return new


def scan(world: World, new: set[str]) -> int:
    """Search all files of PostgreSQL and its log for values; return the number of bytes."""
    world.database.run("CHECKPOINT")
    size, lengths = 0, {len(value) for value in new}
    for path in [*world.server.data.rglob("*"), world.server.log]:
        if not path.is_file():
            continue
        data = path.read_bytes()
        size += len(data)
        assert CANARY.encode() not in data, f"{path.name} has an old value"
        for word in re.findall(rb"[A-Za-z0-9_-]{%d,}" % min(lengths), data):
            text = word.decode()
            parts = (text[i : i + n] for n in lengths for i in range(len(text) - n + 1))
            assert not new.intersection(parts), f"{path.name} has a new value"
    return size


# ---------------------------------------------------------------- speed


def throughput(folder: Path, bao, server, number: int, count: int) -> float:
    """Return the rotations per second of some workers, from the first one to the last."""
    world = build(folder, bao, server, f"speed{count}", number, 'every = "30d"')
    workers = [world.worker() for _ in range(count)]
    moments: list[float] = []

    def rotated() -> bool:
        found = sum(worker.text.count(": rotated") for worker in workers)
        now = time.monotonic()
        moments.extend([now] * (found - len(moments)))
        return found >= number

    try:
        workers[0].wait(rotated, "all rotated")
        assert [worker.stop() for worker in workers] == [0] * count
    finally:
        for worker in workers:
            worker.__exit__()
    return (number - 1) / (moments[-1] - moments[0])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rotations", type=int, default=2000)
    parser.add_argument("--measured", type=int, default=240)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    print(f"seed {options.seed}, {os.cpu_count()} cores")
    begun = time.monotonic()
    # committed data is not lost with the server
    settings = {"synchronous_commit": "on", "log_statement": "all"}
    with (
        tempfile.TemporaryDirectory(prefix="envkit-torture-") as place,
        openbao.OpenBao(Path(place)) as bao,
        postgres.running(**settings) as server,
    ):
        folder = Path(place)
        under_fire(folder, bao, server, options.rotations, random.Random(options.seed))
        for count in (1, 2, 4):
            speed = throughput(folder, bao, server, options.measured, count)
            print(f"{count} worker{'' if count == 1 else 's'}: {speed:.1f} rotations a second")
    print(f"{time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main()

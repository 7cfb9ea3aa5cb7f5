"""Workers of a fleet, as processes on a real PostgreSQL queue."""

import concurrent.futures
import json
import re
import sys
import time
from pathlib import Path

import pytest

from envkit.errors import DeniedError, ProtocolError, UnavailableError
from envkit.rotation.fleet.database import apply_schema, queue_dsn
from envkit.secret import Secret
from support.fault_proxy import HOST, free_port
from support.postgres import running
from support.rotating import values
from support.serving import Hook, Serving

CANARY = "canary-0d7a61c9"
PASSWORD = f"pw-{CANARY}-of-the-queue"
TESTS = Path(__file__).resolve().parents[1]
PROFILE = """\
[variables]
NODE_ENV = "production"
"""
LONG_SECONDS = 60


def rotation(name, every="30d", grace="0s", timeout="5s", **more):
    lines = [f"[rotation.{name}]", f'secret = "dotenv:{name.upper()}"', 'rotator = "random"']
    lines += [f'every = "{every}"', f'grace = "{grace}"', f'timeout = "{timeout}"']
    return "\n".join([*lines, *(f"{key} = {json.dumps(value)}" for key, value in more.items()), ""])


def until(condition, what):
    """Wait for a condition that no process of ours prints."""
    end = time.monotonic() + LONG_SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)
    return found


class Queue:
    """A database with an owner; the fleet logs in as the owner."""

    def __init__(self, database):
        self.database = database
        self.owner = database.role("queue_owner")
        database.run(
            f"CREATE ROLE {self.owner} LOGIN PASSWORD '{PASSWORD}';"
            f"GRANT CREATE ON SCHEMA public TO {self.owner};"
        )
        self.dsn = database.dsn(self.owner, PASSWORD)
        self.environ = {"ENVKIT_QUEUE": self.dsn}

    def jobs(self, where="true"):
        """The jobs of rotations: status, lock, args, attempts, seconds until its time."""
        return self.database.run(
            "SELECT status::text, lock, args, attempts,"
            " extract(epoch FROM scheduled_at - now())::float FROM procrastinate_jobs"
            f" WHERE task_name = 'envkit.rotate' AND {where} ORDER BY lock, id"
        )


@pytest.fixture
def queue(postgres):
    return Queue(postgres.database())


@pytest.fixture
def shop(project):
    project.dotenv("prod", "".join(f"R{n}={CANARY}-{n}\n" for n in range(6)))
    project.profile("prod.toml", PROFILE + "".join(rotation(f"r{n}") for n in range(6)))
    return project


def worker(project, queue):
    """Return a worker that notices everything quickly."""
    environ = {**queue.environ, "PYTHONPATH": str(TESTS)}
    program = (sys.executable, "-m", "support.fleet_worker", str(project.profiles))
    return Serving(project, program=program, env=environ)


def rotated(*workers):
    return sorted(re.findall(r"(\S+): rotated", "".join(one.text for one in workers)))


def published(folder, texts):
    """Which of these are in a file below a folder."""
    needles = [text.encode() for text in texts]
    return [
        (path.name, needle)
        for path in folder.rglob("*")
        if path.is_file()
        for needle in needles
        if needle in path.read_bytes()
    ]


def test_two_workers_rotate_each_secret_once_and_the_database_has_no_value(shop, queue, postgres):
    made = shop.run("rotate", "serve", "--migrate", env=queue.environ)
    assert (made.returncode, "created the tables" in made.stdout) == (0, True), made.stderr
    assert PASSWORD not in made.stdout
    # the permissions of a worker, from the guide
    role = queue.database.role("queue_worker")
    queue.database.run(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}';" + grants(role))
    environ = {"ENVKIT_QUEUE": queue.database.dsn(role, PASSWORD)}
    with (
        Serving(shop, "rotate", "serve", "--listen", "127.0.0.1:0", env=environ) as one,
        Serving(shop, "rotate", "serve", "--concurrency", "2", env=environ) as other,
    ):
        one.wait(lambda: len(rotated(one, other)) >= 6, "all rotated")
        until(lambda: len(queue.jobs("status = 'todo'")) == 6, "the next jobs")
        assert one.get("/healthz") == one.get("/readyz") == (200, "ok\n")
        assert one.stop() == other.stop() == 0
    assert rotated(one, other) == [f"prod/r{n}" for n in range(6)]

    jobs = queue.jobs()
    assert [(lock, args) for _, lock, args, *_ in jobs] == [
        (f"prod/r{n}", {"profile": "prod", "rotation": f"r{n}"}) for n in range(6)
    ]
    queue.database.run("CHECKPOINT")
    new = values(shop, "prod")
    assert not [value for name, value in new.items() if name in new and CANARY in value]
    assert published(postgres.data, [f"{CANARY}-", *new.values()]) == []
    printed = one.text + other.text
    assert not [text for text in (CANARY, *new.values()) if text in printed]


def grants(role):
    """The statements of the guide, for a role."""
    page = (TESTS.parent / "docs" / "guides" / "scheduler.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    return block.replace("envkit_worker", role)


def test_a_worker_resumes_the_rotation_of_a_killed_worker(shop, queue, tmp_path):
    hook = Hook(tmp_path)
    shop.profile("prod.toml", PROFILE + rotation("r0", before=[hook.command]))
    with worker(shop, queue) as one:
        hook.wait_until_it_runs()  # claimed, and nothing is created yet
        [job] = queue.jobs()
        assert job[0] == "doing"
        one.kill()
        hook.end()  # the hook has outlived it
    assert values(shop, "prod")["R0"] == f"{CANARY}-0"
    with worker(shop, queue) as other:
        hook.wait_until_it_runs()
        hook.end()
        other.wait_for(r"prod/r0: rotated")
        until(lambda: [job[0] for job in queue.jobs()] == ["todo"], "the next job alone")
        assert other.stop() == 0
    assert rotated(one, other) == ["prod/r0"]


def test_a_stalled_job_is_finished_when_a_newer_one_waits(shop, queue):
    apply_schema(Secret(queue.dsn))
    far = "now() + interval '1 day'"
    queue.database.run(
        "INSERT INTO procrastinate_jobs"
        " (queue_name, task_name, lock, queueing_lock, args, status, scheduled_at) VALUES"
        + ", ".join(
            f"('envkit', 'envkit.rotate', 'prod/r{n}', 'prod/r{n}',"
            f' \'{{"profile": "prod", "rotation": "r{n}"}}\', \'{status}\', {far})'
            for n, status in ((0, "doing"), (0, "todo"), (1, "doing"))
        )
    )
    with worker(shop, queue) as one:
        one.wait_for(r"prod/r1: rotated")  # nothing newer waits: it is done again
        until(lambda: not queue.jobs("status = 'doing'"), "the end of the stalled job")
        assert one.stop() == 0
    [newer] = queue.jobs("lock = 'prod/r0'")
    assert newer[0] == "todo"
    assert newer[4] > 1000, "it keeps its time"
    assert "prod/r0" not in one.text


def test_a_job_that_could_not_report_its_end_runs_again(shop, queue):
    shop.profile("prod.toml", PROFILE + rotation("r0", timeout="1s"))
    with worker(shop, queue) as one:
        one.wait_for(r"prod/r0: rotated")
        until(lambda: [job[0] for job in queue.jobs()] == ["todo"], "the next job")
        # as if the last word of a job had been lost, while its worker lives on
        queue.database.run(
            "UPDATE procrastinate_jobs SET status = 'doing',"
            " worker_id = (SELECT max(id) FROM procrastinate_workers)"
            " WHERE task_name = 'envkit.rotate'"
        )
        until(lambda: [job[0] for job in queue.jobs()] == ["todo"], "its revival")
        assert one.stop() == 0


def test_a_failed_job_is_retried_as_the_same_job(shop, queue):
    shop.profile("prod.toml", PROFILE + rotation("gone"))
    with worker(shop, queue) as one:
        one.wait_for(r"prod/gone: refused|prod/gone: failed")
        [job] = until(lambda: queue.jobs("status = 'todo'"), "the next try")
        assert one.stop() == 0
    assert 10 < job[4] < 1000


def test_a_worker_notices_changed_profiles(shop, queue):
    shop.profile("prod.toml", PROFILE + rotation("r0"))
    with worker(shop, queue) as one:
        one.wait_for(r"prod/r0: rotated")
        until(lambda: queue.jobs("status = 'todo' AND scheduled_at > now()"), "the next job")
        shop.profile("prod.toml", PROFILE + rotation("r0") + rotation("r1"))
        one.wait_for(r"prod/r1: rotated")
        # due every second from now on, and not in thirty days
        shop.profile("prod.toml", PROFILE + rotation("r0", every="1s") + rotation("r1"))
        one.wait_for(r"prod/r0: rotated", times=2)
        shop.profile("prod.toml", PROFILE + rotation("r1"))
        until(lambda: {job[1] for job in queue.jobs()} == {"prod/r1"}, "the end of r0")
        assert one.stop() == 0


def test_a_job_stopped_in_the_middle_waits_for_another_worker(shop, queue, tmp_path):
    hook = Hook(tmp_path)
    shop.profile("prod.toml", PROFILE + rotation("r0", before=[hook.command]))
    with worker(shop, queue) as one:
        hook.wait_until_it_runs()
        one.send(15)
        hook.end()
        assert one.wait_until_ended() == 0
        one.wait_for(r"prod/r0: stopped")
    assert [job[0] for job in queue.jobs()] == ["todo"]
    assert not queue.database.run("SELECT 1 FROM procrastinate_workers"), "it has signed off"
    with worker(shop, queue) as other:
        other.wait_for(r"prod/r0: rotated")
        assert other.stop() == 0


def test_workers_survive_a_restart_of_the_database(shop):
    shop.profile("prod.toml", PROFILE + rotation("r0"))
    with running(synchronous_commit="on") as server:  # finished work is not lost with it
        queue = Queue(server.database())
        with worker(shop, queue) as one:
            one.wait_for(r"prod/r0: rotated")
            server.stop()
            one.wait_for(r"error: the queue at 127\.0\.0\.1:\d+/\w+ cannot be reached")
            server.start()
            shop.profile("prod.toml", PROFILE + rotation("r0") + rotation("r1"))
            one.wait_for(r"prod/r1: rotated")
            assert one.stop() == 0
    assert "Traceback" not in one.text
    assert CANARY not in one.text


# ---------------------------------------------------------------- the database itself


def test_many_workers_that_start_at_once_create_the_tables_once(queue):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(apply_schema, [Secret(queue.dsn)] * 8))
    assert sorted(made) == [False] * 7 + [True]


def test_tables_of_another_version_are_refused_and_left_unchanged(queue):
    queue.database.run("CREATE TABLE procrastinate_jobs ()")
    with pytest.raises(ProtocolError, match="another version of procrastinate"):
        apply_schema(Secret(queue.dsn))
    assert queue.database.run("SELECT count(*) FROM procrastinate_jobs") == [(0,)]


def test_a_worker_without_the_right_to_create_tables_gets_a_hint(queue):
    queue.database.run(f"REVOKE CREATE ON SCHEMA public FROM {queue.owner}")
    with pytest.raises(DeniedError, match="this user may not create them") as told:
        apply_schema(Secret(queue.dsn))
    assert "--migrate" in told.value.hint


def test_a_wrong_database_password_is_reported_without_the_password(queue):
    with pytest.raises(DeniedError, match="refuses the login") as told:
        apply_schema(Secret(queue.dsn.replace(PASSWORD, f"x{CANARY}")))
    assert CANARY not in f"{told.value} {told.value.hint}"
    assert told.value.__cause__ is None


def test_an_unreachable_database_is_reported():
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:\d+/jobs cannot be reached"):
        apply_schema(Secret(f"postgresql://u:{CANARY}@{HOST}:{free_port()}/jobs"))


def test_the_database_address_comes_from_a_variable_or_a_file(tmp_path):
    dsn = f"postgresql://u:{CANARY}@h:5433/d"
    file = tmp_path / "dsn"
    file.write_text(f"{dsn}\n")
    assert queue_dsn(None, {"ENVKIT_QUEUE": dsn}) == Secret(dsn)
    assert queue_dsn("env:MINE", {"MINE": dsn, "ENVKIT_QUEUE": "x"}) == Secret(dsn)
    assert queue_dsn(f"file:{file}", {}) == Secret(dsn)
    assert queue_dsn("postgresql://u@h/d", {}) == Secret("postgresql://u@h/d")
    assert queue_dsn("host=/run/postgresql dbname=d", {}) is not None
    assert queue_dsn(None, {}) is None

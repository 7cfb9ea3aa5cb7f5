"""Dynamic secrets: users of a real PostgreSQL that OpenBao creates, renews and drops."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest
from psycopg_pool import ConnectionPool

import envkit
from envkit.integrations import psycopg as envkit_psycopg
from envkit.resident.watcher import Changed, Warned, Watcher, WatchRequest
from support.fault_proxy import FaultProxy
from support.leased import QUICK
from support.process import environment
from support.supervised import wait_until
from support.watching import turn, turns, until


def test_one_read_gives_both_fields_and_the_login_works_until_the_end(started, leased):
    watcher, environ = started()
    assert leased.users() == [environ[b"DB_USER"].decode()]
    assert leased.logs_in(environ)
    watcher.close()
    assert leased.all_dropped()
    assert leased.leases() == []


def test_a_lease_is_renewed_before_it_ends_and_no_other_user_is_created(started, leased):
    watcher, environ = started(ttl=3, max_ttl=3600)
    assert turns(watcher, lambda _: leased.is_renewed()) == []
    assert leased.users() == [environ[b"DB_USER"].decode()]
    assert leased.logs_in(environ)


def test_at_its_maximum_a_lease_is_replaced_while_the_old_login_still_works(started, leased):
    watcher, before = started(ttl=4, max_ttl=6)
    (changed,) = until(watcher, Changed)
    assert set(changed.names) == {"DB_USER", "DB_PASSWORD"}
    assert leased.logs_in(changed.environ)
    assert leased.logs_in(before)


def test_a_lease_that_an_operator_revokes_is_replaced_at_the_next_look(started, leased):
    watcher, before = started()
    leased.revoke()
    (changed,) = until(watcher, Changed)
    assert leased.users() == [changed.environ[b"DB_USER"].decode()]
    assert before[b"DB_USER"] != changed.environ[b"DB_USER"]
    watcher.close()
    assert leased.all_dropped()


def test_a_token_that_is_revoked_is_replaced_with_all_that_it_has_leased(started, leased):
    watcher, _ = started()
    leased.bao.ask("PUT", "auth/token/revoke-accessor", {"accessor": leased.accessor()})
    (changed,) = until(watcher, Changed)
    assert leased.logs_in(changed.environ)
    watcher.close()
    assert leased.all_dropped()


def test_a_token_at_its_maximum_is_replaced_while_what_it_has_leased_still_works(started, leased):
    login = leased.approle(token_ttl=10, token_max_ttl=10)
    watcher, before = started(login)
    (changed,) = until(watcher, Changed)
    assert leased.logs_in(changed.environ)
    assert leased.logs_in(before), "the pool of the app has time to follow"
    watcher.close()
    assert leased.all_dropped()


def test_a_lease_that_cannot_be_renewed_is_replaced_at_half_of_its_time(started, leased):
    watcher, before = started(leased.approle(token_no_default_policy=True), ttl=6, max_ttl=60)
    (changed,) = until(watcher, Changed)
    assert leased.logs_in(before)
    assert leased.logs_in(changed.environ)


def test_a_change_of_another_secret_reads_no_dynamic_one_again(started, leased, openbao):
    openbao.put("beside", {"key": "one"})
    policy = leased.policy(**{"secret/data/beside": ["read"], "secret/metadata/beside": ["read"]})
    watcher, before = started(leased.approle(policy), 'KEY = "{{ vault:secret/beside#key }}"')
    openbao.put("beside", {"key": "two"})
    watcher.poke()
    (changed,) = until(watcher, Changed)
    assert changed.names == ("KEY",)
    assert leased.users() == [before[b"DB_USER"].decode()]


def test_an_environment_that_fails_leaves_no_user(started, leased):
    from envkit.errors import ResolutionError

    with pytest.raises(ResolutionError):
        started(more='KEY = "{{ vault:secret/none#key }}"')
    assert leased.all_dropped()


def test_the_fields_of_one_secret_in_two_profiles_are_of_one_user(started, leased, project):
    login = leased.approle()
    leased.profile(project, os.environ, login)
    text = (project.profiles / "prod.toml").read_text()
    project.profile("base.toml", text)
    project.profile("prod.toml", "\n".join(x for x in text.splitlines() if "USER" not in x))
    watcher = Watcher(
        WatchRequest(["base", "prod"], str(project.profiles), timeout_seconds=10, **QUICK)
    )
    watcher.prepare()
    environ = watcher.first().environ
    assert leased.users() == [environ[b"DB_USER"].decode()]
    assert leased.logs_in(environ)
    watcher.close()
    assert leased.all_dropped()


# ---------------------------------------------------------------- tokens of others


def test_a_token_that_is_not_envkits_is_never_revoked_and_the_lease_ends_by_itself(started, leased):
    token = leased.bao.token(leased.policy())
    watcher, environ = started(token, ttl=4, max_ttl=60)
    watcher.close()
    assert leased.bao.ask("GET", "auth/token/lookup-self", token=token)["data"]["num_uses"] == 0
    assert leased.users() == [environ[b"DB_USER"].decode()]
    assert leased.all_dropped()


def test_with_a_policy_for_it_the_leases_of_such_a_token_are_revoked(started, leased):
    policy = leased.policy(**{f"sys/leases/revoke/{leased.path}/*": ["update"]})
    watcher, _ = started(leased.bao.token(policy))
    watcher.close()
    assert leased.all_dropped()


# ---------------------------------------------------------------- outages


def test_while_the_server_is_away_the_app_keeps_its_login_and_gets_another_if_that_has_ended(
    started, leased
):
    with FaultProxy(leased.bao.address) as proxy:
        watcher, before = started(ttl=4, max_ttl=3600, address=proxy.url)
        proxy.refuse()
        assert [type(event) for event in until(watcher, Warned)] == [Warned]
        wait_until(lambda: turn(watcher) is None or leased.users() == [])
        proxy.accept()
        events = until(watcher, Changed)
        assert leased.logs_in(events[-1].environ)
        assert before != events[-1].environ


# ---------------------------------------------------------------- commands

REFUSED = "is a dynamic secret, and this command would not renew and revoke it [lease-needed]"


@pytest.mark.parametrize(
    "command",
    [
        ("get", "DB_USER", "--env", "prod"),
        ("export", "--env", "prod"),
        ("exec", "--env", "prod", "--", "true"),
    ],
)
def test_a_command_that_does_not_last_says_which_one_does(leased, project, command):
    leased.profile(project, project.environ)
    project.environ["ENVKIT_TRUST"] = "1"
    done = project.run(*command)
    assert done.returncode == 3
    assert f"vault:{leased.path}#username {REFUSED.removesuffix(' [lease-needed]')}" in done.stderr
    assert "envkit exec --supervise" in done.stderr
    assert leased.users() == []


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (("check",), 0, "is a dynamic secret"),
        (("diff", "prod", "dev"), 3, "is a dynamic secret"),
        (("doctor", "--env", "prod"), 0, "may read 2 of 2 values"),
        (("show", "--env", "prod"), 3, "is a dynamic secret"),
        (("history", "DB_USER", "--env", "prod"), 3, "is a dynamic secret"),
        (("exec", "--env", "prod", "--dry-run", "--", "app"), 0, "creds/app#password"),
    ],
)
def test_a_command_that_only_looks_creates_no_user(leased, project, command, status, said):
    leased.profile(project, project.environ)
    project.profile("dev.toml", '[variables]\nDB_USER = "app"\nDB_PASSWORD = "none"\n')
    project.environ["ENVKIT_TRUST"] = "1"
    done = project.run(*command)
    assert said in done.stdout + done.stderr
    assert done.returncode == status, done
    assert leased.users() == []


def test_values_that_replace_all_dynamic_ones_need_no_lease(leased, project):
    leased.profile(project, project.environ)
    project.environ["ENVKIT_TRUST"] = "1"
    given = ("--set", "DB_USER=a", "--set", "DB_PASSWORD=b")
    done = project.run("exec", "--env", "prod", *given, "--", "printenv", "DB_USER")
    assert done.stdout == "a\n"
    assert leased.users() == []


def test_the_agent_creates_no_user_and_says_what_does(leased, project, agent):
    leased.profile(project, project.environ)
    project.environ.update(agent.environ, ENVKIT_TRUST="1")
    for _ in range(2):
        done = project.run("exec", "--env", "prod", "--", "true")
        assert done.returncode == 3
        assert "envkit exec --supervise" in done.stderr
    assert leased.users() == []


def test_doctor_says_of_which_token_the_leases_are_not_revoked(leased, project):
    for login, count in ((leased.bao.token(leased.policy()), 1), (leased.approle(), 0)):
        leased.profile(project, project.environ, login)
        project.environ["ENVKIT_TRUST"] = "1"
        shown = project.run("doctor", "--env", "prod").stdout
        assert " ".join(shown.split()).count("are not revoked when an app ends") == count, shown


# ---------------------------------------------------------------- exec


class Run:
    """`envkit exec` of `prod`, and the lines that the app prints."""

    def __init__(self, leased, project, *args, login=None, **environ):
        leased.profile(project, project.environ, login or leased.approle())
        project.environ |= {"ENVKIT_TRUST": "1", "XDG_STATE_HOME": str(project.root / "state")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "envkit", "exec", "--env", "prod", *args],
            cwd=project.root,
            env={**environment(project.root), **project.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def line(self):
        return self.process.stdout.readline().strip()

    def end(self, number=signal.SIGTERM):
        """End envkit with a signal; return its exit status and what it said."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=60)[1]
        return self.process.returncode, said


SHOW = ("--", "sh", "-c", 'echo "$DB_USER"; exec sleep 600')
LEDGERS = "state/envkit/leases/*"


def test_exec_watch_restarts_the_app_with_a_new_user_and_drops_both_at_the_end(leased, project):
    leased.role(ttl=4, max_ttl=6)
    with Run(leased, project, "--watch", "--debounce", "0", *SHOW) as app:
        before, after = app.line(), app.line()
        assert before != after
        assert {before, after} == set(leased.users())
        app.end()
    assert leased.all_dropped()
    assert not list(project.root.glob(LEDGERS))


def test_supervise_keeps_one_user_and_drops_it_when_the_app_ends(leased, project):
    leased.role(ttl=3, max_ttl=60)
    command = ("--supervise", "--", "sh", "-c", "read line; exit 3")
    with Run(leased, project, *command) as app:
        wait_until(leased.is_renewed)
        assert len(leased.users()) == 1
        app.process.communicate("\n", 60)
        assert app.process.returncode == 3
    assert leased.all_dropped()


def test_an_app_that_cannot_start_leaves_no_user(leased, project):
    with Run(leased, project, "--supervise", "--", "no-such-program") as app:
        assert app.process.wait(60) == 127
    assert leased.all_dropped()


def kill(leased, project, policy):
    """Kill envkit; return the text of its ledger, the values, and its AppRole."""
    login = leased.approle(policy)
    show = ("--", "sh", "-c", 'echo "$DB_USER $DB_PASSWORD"; exec sleep 600')
    with Run(leased, project, "--supervise", *show, login=login) as app:
        values = app.line().split()
        (file,) = project.root.glob(LEDGERS)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        app.process.kill()
        app.process.wait()
    assert leased.users() == [values[0]]
    return file.read_text(), values, login


ALLOWED = {"leases": "sys/leases/revoke/{path}/*", "token": "auth/token/revoke-accessor"}


@pytest.mark.parametrize("allowed", ALLOWED)
def test_the_next_start_revokes_what_a_killed_envkit_has_left(leased, project, allowed):
    policy = leased.policy(**{ALLOWED[allowed].format(path=leased.path): ["update"]})
    ledger, values, login = kill(leased, project, policy)
    assert not [value for value in (*values, login["secret_id"]) if value in ledger]
    with Run(leased, project, "--supervise", *SHOW, login=login) as app:
        user = app.line()
        wait_until(lambda: leased.users() == [user])  # the server drops users in the background
        app.end()
    assert leased.all_dropped()
    assert not list(project.root.glob(LEDGERS))


def test_a_lease_that_the_next_start_may_not_revoke_ends_by_itself_and_stops_nothing(
    leased, project
):
    leased.role(ttl=6, max_ttl=60)
    _, (before, _), login = kill(leased, project, "")
    with Run(leased, project, "--supervise", *SHOW, login=login) as app:
        after = app.line()
        assert set(leased.users()) == {before, after}
        app.end()
    assert not list(project.root.glob(LEDGERS))
    assert leased.all_dropped()


# ---------------------------------------------------------------- live


@pytest.fixture
def live(leased, project):
    made = []

    def start(more="", **role):
        leased.role(**role)
        leased.profile(project, os.environ, more=more)
        made.append(envkit.live("prod", profiles=str(project.profiles)))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_live_renews_by_itself_and_drops_the_user_when_it_is_closed(live, leased):
    one = live(ttl=3, max_ttl=60)
    user = one["DB_USER"].reveal()
    wait_until(leased.is_renewed)  # without any access
    assert leased.users() == [user]
    assert one["DB_USER"].reveal() == user
    one.close()
    assert leased.all_dropped()


def test_a_pool_of_live_follows_a_new_user_and_no_query_fails(live, leased):
    server = leased.database.server.dsn(leased.database.name, "U", "P").partition("@")[2]
    url = 'URL = "postgresql://{{ DB_USER }}:{{ DB_PASSWORD | urlencode }}@' + server + '"'
    one = live(url, ttl=4, max_ttl=6)
    first, seen = one["DB_USER"].reveal(), set()
    connection_class = envkit_psycopg.connection_class(one, "URL", recycle=True)
    with ConnectionPool(connection_class=connection_class, min_size=2, open=True) as pool:
        while len(seen) < 2 or first in leased.users():
            with pool.connection() as connection:
                seen.add(connection.execute("SELECT session_user").fetchone()[0])
    assert first in seen


WAITING = """
import envkit
live = envkit.live("prod", timeout_seconds=2)
print(live["DB_USER"].reveal(), flush=True)
input()
"""


def test_a_lease_that_a_program_could_not_revoke_is_revoked_by_the_next_program(leased, project):
    login = leased.approle(leased.policy(**{f"sys/leases/revoke/{leased.path}/*": ["update"]}))
    with FaultProxy(leased.bao.address) as proxy:
        leased.profile(project, os.environ, login, address=proxy.url)
        program = [sys.executable, "-c", WAITING]
        os.environ["XDG_STATE_HOME"] = str(project.root / "state")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(program, cwd=project.root, **pipes) as first:
            user = first.stdout.readline().strip()
            proxy.refuse()
            first.communicate("\n")
        assert first.returncode == 0
        assert leased.users() == [user]
        proxy.accept()
        subprocess.run(program, check=True, cwd=project.root, input="\n", text=True)
    assert leased.all_dropped()
    assert not list(project.root.glob(LEDGERS))


FORKING = """
import os, sys, envkit
live = envkit.live("prod")
user = live["DB_USER"].reveal()
child = os.fork()
if child == 0:
    assert live["DB_USER"].reveal() == user
    live.close()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(user, flush=True)
sys.stdin.readline()
"""


def test_a_fork_uses_the_login_and_only_the_process_that_read_it_drops_the_user(leased, project):
    leased.profile(project, os.environ)
    with subprocess.Popen(
        [sys.executable, "-c", FORKING],
        cwd=project.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        user = program.stdout.readline().strip()
        assert leased.users() == [user]
        program.communicate("\n")
    assert program.returncode == 0
    assert leased.all_dropped()

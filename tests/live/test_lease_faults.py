"""Dynamic secrets when something goes wrong: no user is left, and no token goes astray."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

import envkit
from envkit._internal.clock import Deadline
from envkit.errors import EnvkitError
from envkit.resident.watcher import Changed, Watcher, WatchRequest
from envkit.sources.model import SourceContext
from envkit.sources.vault.source import VaultSource
from support.fault_proxy import FaultProxy, respond, silent
from support.leased import QUICK
from support.vault import ref
from support.watching import turns, until

# ---------------------------------------------------------------- what is revoked


def test_leases_are_revoked_one_by_one_if_the_token_may_not_revoke_itself(started, leased):
    policy = leased.policy(**{f"sys/leases/revoke/{leased.path}/*": ["update"]})
    watcher, _ = started(leased.approle(policy, token_no_default_policy=True))
    watcher.close()
    assert leased.all_dropped()


def test_a_token_of_the_user_is_not_revoked_after_the_profile_lets_envkit_log_in(
    started, leased, project
):
    token = leased.bao.token(leased.policy())
    watcher, _ = started(token)
    leased.profile(project, os.environ)
    until(watcher, Changed)
    watcher.close()
    assert leased.bao.ask("GET", "auth/token/lookup-self", token=token)["data"]["num_uses"] == 0


def test_the_token_of_one_server_is_never_sent_to_the_next_one(started, leased, project):
    login = leased.approle()
    with FaultProxy(leased.bao.address) as proxy:
        watcher, before = started(login)
        leased.profile(project, os.environ, login)
        profile = project.profiles / "prod.toml"
        profile.write_text(
            profile.read_text().replace('poll = "1s"', f'poll = "1s"\naddress = "{proxy.url}"')
        )
        (changed,) = until(watcher, Changed)
        watcher.close()
        tokens = {request.headers.get("x-vault-token") for request in proxy.requests}
        logins = proxy.count(lambda request: request.path.endswith("/login"))
    assert before[b"DB_USER"] != changed.environ[b"DB_USER"]
    assert len(tokens - {None}) <= logins, "a token that was obtained elsewhere"


# ---------------------------------------------------------------- environments that fail

MISSING = 'KEY = "{{ vault:secret/none#key }}"'


def test_a_live_environment_that_never_succeeds_has_one_user_and_drops_it(leased, project):
    leased.profile(project, os.environ, more=MISSING)
    live = envkit.live("prod", profiles=str(project.profiles))
    for _ in range(3):
        with pytest.raises(EnvkitError):
            live["DB_USER"]
    assert len(leased.users()) == 1
    live.close()
    assert leased.all_dropped()


def test_later_reads_that_fail_create_one_user_and_not_one_each(leased, project, openbao):
    openbao.put("beside", {"key": "one"})
    policy = leased.policy(**{"secret/data/beside": ["read"], "secret/metadata/beside": ["read"]})
    more = 'KEY = "{{ vault:secret/beside#key }}"'
    leased.profile(project, os.environ, leased.approle(policy), more)
    live = envkit.live("prod", profiles=str(project.profiles))
    first = live["DB_USER"].reveal()
    openbao.put("beside", {"other": "one"})
    leased.revoke()
    for _ in range(3):
        live._engine._read_now()
    (second,) = leased.users()
    openbao.put("beside", {"key": "two"})
    live._engine._read_now()
    assert live["DB_USER"].reveal() == second != first
    live.close()
    assert leased.all_dropped()


def test_close_drops_the_user_that_a_read_in_progress_creates(leased, project):
    with FaultProxy(leased.bao.address) as proxy:
        leased.profile(project, os.environ, address=proxy.url)
        live = envkit.live("prod", profiles=str(project.profiles))
        before = live["DB_USER"].reveal()
        leased.bao.ask("PUT", "auth/token/revoke-accessor", {"accessor": leased.accessor()})
        asked, closing = threading.Event(), threading.Event()

        def answer_late(exchange):
            answer = exchange.ask_upstream()
            if answer.status == 200:
                asked.set()
                closing.wait(60)
            exchange.send(answer)

        proxy.fault(answer_late, when=lambda request: request.path.endswith(leased.path))
        reading = threading.Thread(target=live._engine._read_now)
        reading.start()
        asked.wait(60)
        threading.Timer(0.1, closing.set).start()  # while `close` waits
        live.close()
        reading.join()
    assert before not in leased.users()
    assert leased.all_dropped()


# ---------------------------------------------------------------- several


def test_a_look_at_one_of_two_profiles_sees_the_lease_that_they_have_in_common(leased, project):
    leased.profile(project, os.environ)
    text = (project.profiles / "prod.toml").read_text()
    project.profile("base.toml", text)
    project.profile("prod.toml", "\n".join(x for x in text.splitlines() if "USER" not in x))
    request = WatchRequest(["base", "prod"], str(project.profiles), timeout_seconds=10, **QUICK)
    watcher = Watcher(request)
    watcher.prepare()
    watcher.first()
    seen = set()
    for names in ({"prod/vault"}, {"base/vault", "prod/vault"}, {"prod/vault"}):
        watcher._look(frozenset(names), time.monotonic(), [])
        turns(watcher, lambda _: not watcher._looks)
        seen.add(tuple(watcher._state.sources["prod/vault"].tokens.values()))
    watcher.close()
    assert len(seen) == 1
    assert leased.all_dropped()


def source(leased, address, token):
    context = SourceContext(
        "vault",
        settings={"address": address},
        environ={"VAULT_TOKEN": token},
        deadline=Deadline(2),
    )
    made = VaultSource(context)
    made.hold_leases(os.getpid(), made)
    return made


def test_a_lease_that_cannot_be_renewed_now_delays_no_other(leased):
    other = leased.path.replace("creds/app", "creds/other")
    leased.role(name="other")
    token = leased.bao.token(leased.policy(**{other: ["read"]}))
    wanted = [ref(f"{path}#username") for path in (leased.path, other)]
    with FaultProxy(leased.bao.address) as proxy:
        first = source(leased, proxy.url, token)
        first.fetch(wanted)
        state = dict(first.login_state())
        state["leases"] = tuple(
            (*one[:3], (one[3][0], 0.0, *one[3][2:])) for one in state["leases"]
        )
        proxy.fault(
            respond(500),
            when=lambda asked: asked.path.endswith("/renew") and other.encode() in asked.body,
        )
        second = source(leased, proxy.url, token)
        second.resume_login(state)
        second.renew_login()
    after = {one[1].partition("/creds/")[2][:3]: one[3] for one in second.login_state()["leases"]}
    now = time.monotonic()
    assert after["app"][1] > now + 2000, "renewed: due at two thirds of an hour"
    assert now < after["oth"][1] < now + 400, "tried again soon"


def test_a_sweep_that_gets_no_answer_does_not_keep_an_app_from_starting(leased, project):
    policy = leased.policy(**{f"sys/leases/revoke/{leased.path}/*": ["update"]})
    login = leased.approle(policy)
    with FaultProxy(leased.bao.address) as proxy:
        leased.profile(project, project.environ, login, address=proxy.url)
        project.environ |= {"ENVKIT_TRUST": "1", "XDG_STATE_HOME": str(project.root / "state")}
        command = ("exec", "--env", "prod", "--timeout", "1", "--supervise", "--")
        project.run(*command, "sh", "-c", "kill -KILL $PPID")
        assert leased.users()
        proxy.fault(silent(), when=lambda request: "leases/revoke" in request.path)
        done = project.run(*command, "printenv", "DB_USER")
        assert done.returncode == 0, done.stderr
    assert list(project.root.glob("state/envkit/leases/*")), "for the next start"


# ---------------------------------------------------------------- forks


def test_a_fork_during_a_renewal_uses_the_leases_all_the_same(leased):
    token = leased.bao.token(leased.policy())
    one = source(leased, leased.bao.address, token)
    wanted = [ref(f"{leased.path}#username")]
    one.fetch(wanted)
    holding, done = threading.Event(), threading.Event()

    def renew():
        with one._leases.lock:  # as a renewal that waits for the server
            holding.set()
            done.wait(60)

    thread = threading.Thread(target=renew)
    thread.start()
    holding.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(10)  # which ends it
        os._exit(0 if one.versions(wanted) else 1)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert status == 0, "the child waits for a lock that no thread of it has"


# ---------------------------------------------------------------- commands


def test_doctor_says_when_leases_are_renewed(started, project):
    os.environ["XDG_STATE_HOME"] = project.environ["XDG_STATE_HOME"] = str(project.root / "state")
    watcher, _ = started()
    watcher.step(time.monotonic())
    (one,) = json.loads(project.run("doctor", "--watchers", "-fjson").stdout)["watchers"]
    assert one["sources"]["prod/vault"]["renew_at"]
    assert one["sources"]["prod/vault"]["replace_at"] is None
    shown = project.run("doctor", "--watchers").stdout
    assert "RENEWED" in shown
    assert "READ ANEW" not in shown

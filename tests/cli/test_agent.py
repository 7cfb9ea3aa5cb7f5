"""`envkit agent`, and `exec` and `get` through it: faster, and never another value."""

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE

import pytest

from envkit.agent import asking, wire
from envkit.agent.asking import Connection, Unusable
from support.agents import ask, items_of
from support.process import started


@pytest.fixture
def dev(project, agent):
    """A project whose commands use the agent."""
    project.environ.update(agent.environ)
    project.profile(
        "dev.toml", '[variables]\nX = "{{ PASSWORD }}"\nHOST = \'{{ env:OUR_HOST ?? "h" }}\'\n'
    )
    project.dotenv("dev", "PASSWORD=one\n")
    return project


def old():
    """Return when what was just written is old enough for the agent to keep it."""
    time.sleep(0.1)  # a tick of the kernel's clock


def value(project, name="X", **more):
    done = project.run("exec", "-e", "dev", "--", "printenv", name, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def from_memory(project, agent):
    """Let the agent answer from memory."""
    old()
    value(project)
    before = agent.hits()
    found = value(project)
    assert agent.hits() == before + 1
    return found


def test_agent_answers_from_memory_and_says_so(dev, agent):
    assert from_memory(dev, agent) == "one"
    found = agent.status()
    assert [name for name, _ in found.environments] == ["dev"]
    assert found.misses == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.dotenv("dev", "PASSWORD=two\n"),
        lambda p: p.profile("dev.toml", '[variables]\nX = "two"\n'),
        lambda p: (p.root / ".env.dev").write_text("PASSWORD=two"),
        lambda p: os.replace(p.dotenv("new", "PASSWORD=two\n"), p.root / ".env.dev"),
    ],
    ids=["env file", "profile", "same size", "renamed file"],
)
def test_agent_notices_a_changed_file_at_once(dev, agent, change):
    assert from_memory(dev, agent) == "one"
    change(dev)
    assert value(dev) == "two"


def test_agent_notices_a_nearer_folder_of_profiles(dev, agent, monkeypatch):
    inner = dev.root / "inner"
    inner.mkdir()
    from_memory(dev, agent)
    root, dev.root = dev.root, inner
    assert value(dev) == "one"
    (inner / "profiles").mkdir()
    (inner / "profiles" / "dev.toml").write_text('[variables]\nX = "nearer"\n')
    assert value(dev) == "nearer"
    dev.root = root
    assert value(dev) == "one"


def test_agent_asks_for_the_variables_that_a_profile_reads(dev, agent):
    from_memory(dev, agent)
    assert value(dev, "HOST") == "h"
    assert value(dev, "HOST", env={"OUR_HOST": "a"}) == "a"
    assert value(dev, "HOST", env={"OUR_HOST": "b"}) == "b"
    before = agent.status()
    assert value(dev, "HOST", env={"OUR_HOST": "a", "UNRELATED": "x"}) == "a"
    assert agent.status()._replace(age_seconds=0, environments=()) == before._replace(
        hits=before.hits + 1, age_seconds=0, environments=()
    )


def test_a_name_that_is_missing_in_a_file_is_looked_up_in_the_environment(dev, agent):
    dev.profile("dev.env", "X={{ PASSWORD }}-{{ OTHER }}\n")
    (dev.profiles / "dev.toml").unlink()
    old()
    env = {"OTHER": "o", "PASSWORD": "unused"}
    assert [value(dev, env=env) for _ in range(2)] == ["one-o"] * 2
    assert value(dev, env={**env, "PASSWORD": "still unused"}) == "one-o"
    assert agent.hits() == 2
    assert value(dev, env={**env, "OTHER": "p"}) == "one-p"
    (dev.root / ".env.dev").write_text("")
    assert value(dev, env=env) == "unused-o"


def test_agent_keeps_each_selection_apart(dev, agent):
    from_memory(dev, agent)
    dev.profile("other.toml", '[variables]\nX = "other"\n')
    assert value(dev, env={"ENVKIT_ENV": "other"}) == "one"
    run = dev.run("exec", "-e", "dev", "-e", "other", "--", "printenv", "X")
    assert run.stdout == "other\n"
    run = dev.run("exec", "-e", "dev", "--set", "X=set", "--", "printenv", "X", "HOST")
    assert run.stdout == "set\nh\n"
    for options, seen in ((("--only", "HOST"), ["HOST=h"]), (("--except", "HOST"), ["X=one"])):
        run = dev.run("exec", "-e", "dev", *options, "--", "env")
        lines = run.stdout.splitlines()
        assert [line for line in lines if line.startswith(("X=", "HOST="))] == seen


def test_a_write_of_envkit_clears_what_the_agent_has(dev, agent):
    from_memory(dev, agent)
    state = Path(os.environ["HOME"], ".local", "state", "envkit")
    state.mkdir(parents=True, exist_ok=True)
    before = agent.status().misses
    (state / "poke").touch()  # as each write does
    assert value(dev) == "one"
    assert agent.status().misses == before + 1


def test_agent_clear_and_hup_forget_everything(dev, agent):
    for forget in (
        lambda: dev.run("agent", "clear"),
        lambda: os.kill(agent.status().pid, signal.SIGHUP),
    ):
        from_memory(dev, agent)
        forget()
        while agent.status().environments:
            time.sleep(0.01)
        assert agent.status().environments == ()


def test_agent_is_started_shown_and_stopped_by_commands(dev):
    assert dev.run("agent", "status").returncode == 1
    assert dev.run("agent", "stop").stdout == "no agent runs\n"
    assert dev.run("agent", "clear").stdout == "no agent runs\n"
    assert json.loads(dev.run("agent", "status", "--format", "json").stdout) == {"running": False}
    done = dev.run("agent", "start", "--max-age", "1m", "--idle", "10m")
    assert re.fullmatch(r"agent started \(process \d+\)\n", done.stdout), done.stderr
    assert "already runs" in dev.run("agent", "start").stdout
    value(dev)
    shown = json.loads(dev.run("agent", "status", "--format", "json").stdout)
    assert shown["running"]
    assert "agent of envkit" in dev.run("agent", "status").stdout
    assert dev.run("agent", "stop").stdout == "agent stopped\n"
    assert dev.run("agent", "status").returncode == 1


@pytest.mark.parametrize("option", ["--max-age", "--idle"])
@pytest.mark.parametrize("text", ["0", "x", "8d"])
def test_agent_start_refuses_other_durations(dev, option, text):
    assert dev.run("agent", "start", option, text).returncode == 2


def test_exec_starts_an_agent_on_demand_for_the_next_command(dev, agent):
    env = {"ENVKIT_AGENT": "auto"}
    assert value(dev, env=env) == "one"
    while True:
        try:
            agent.status()
            break
        except Unusable:
            time.sleep(0.01)
    assert value(dev, env=env) == "one"
    assert agent.status().misses == 1


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("agent = true\n", True),
        ("trusted = []\nagent=true # faster\n[x]\n", True),
        ("agent = false\n", False),
        ("[agent]\nagent = true\n", False),
        ("", False),
    ],
)
def test_the_users_configuration_switches_the_agent_on(dev, agent, text, used):
    del dev.environ["ENVKIT_AGENT"]
    config = Path(os.environ["HOME"], ".config", "envkit", "config.toml")
    config.parent.mkdir(parents=True)
    config.write_text(text)
    agent.start()
    value(dev)
    value(dev, env={"ENVKIT_AGENT": "off"})
    assert agent.status().misses == used
    config.chmod(0o666)
    value(dev)
    assert agent.status().hits == 0


def test_a_repository_cannot_switch_the_agent_on(dev, agent):
    del dev.environ["ENVKIT_AGENT"]
    dev.profile("dev.toml", 'agent = true\n[variables]\nX = "x"\n')
    done = dev.run("exec", "-e", "dev", "--", "true")
    assert done.returncode == 3
    assert "agent" in done.stderr


def test_other_modes_are_refused(dev):
    done = dev.run("exec", "-e", "dev", "--", "true", env={"ENVKIT_AGENT": "yes"})
    assert done.returncode == 2
    assert done.stderr.startswith("envkit: error: ENVKIT_AGENT is 'yes', which is not a mode")


def test_require_fails_and_auto_goes_on_without_a_safe_folder(dev, agent, runtime):
    os.chmod(runtime, 0o777)
    done = dev.run("exec", "-e", "dev", "--", "true")
    told = f"the agent cannot be used: other users may write in {runtime} [agent-unusable]"
    assert (done.returncode, done.stderr.splitlines()[0]) == (5, f"envkit: error: {told}")
    assert value(dev, env={"ENVKIT_AGENT": "auto"}) == "one"


# ---------------------------------------------------------------- what is never kept


def test_protected_profiles_are_read_by_the_client(dev, agent):
    dev.logged()
    dev.profile("dev.toml", 'protected = true\n[variables]\nX = "{{ PASSWORD }}"\n')
    old()
    for _ in range(2):
        done = dev.run("exec", "-e", "dev", "--", "true")
        assert done.returncode == 6
        assert "a reason is required" in done.stderr
        done = dev.run("exec", "-e", "dev", "--reason", "test", "--", "printenv", "X")
        assert done.stdout == "one\n"
    assert [record["reason"] for record in dev.records()] == ["test"] * 2


@pytest.mark.parametrize(
    "text",
    [
        '[variables]\nX = { value = "{{ PASSWORD }}", as = "file" }\n',
        '[variables]\nX = "one"\nLD_PRELOAD = ""\n',
        (
            '[sources.vault]\naddress = "http://127.0.0.1:1"\nfallback = { max_age = "1h" }\n'
            '[variables]\nX = "one"\nY = { value = "{{ vault:kv/a#b }}", required = false }\n'
        ),
    ],
    ids=["as a file", "loads code", "with a fallback"],
)
@pytest.mark.usefixtures("trusted")
def test_an_environment_that_needs_a_cold_start_is_neither_stored_nor_listed_by_the_agent(
    dev, agent, text
):
    dev.profile("dev.toml", text)
    dev.environ["VAULT_MAX_RETRIES"] = "0"
    command = ("exec", "-e", "dev", "--", "sh", "-c", 'cat "$X" || echo "$X"')
    old()
    cold, *warm = (dev.run(*command, env={"ENVKIT_AGENT": m}) for m in ("off", *["require"] * 2))
    for one in warm:
        assert (one.returncode, one.stdout) == (cold.returncode, cold.stdout)
    found = agent.status()
    assert (found.environments, found.hits, found.misses) == ((), 0, 0)


def test_failures_are_not_kept(dev, agent):
    (dev.root / ".env.dev").unlink()
    for _ in range(2):
        done = dev.run("exec", "-e", "dev", "--", "true")
        assert done.returncode == 4
        assert "X (profiles/dev.toml:2): not in" in done.stderr or "no file" in done.stderr
    assert agent.status().environments == ()
    dev.dotenv("dev", "PASSWORD=two\n")
    assert value(dev) == "two"


def test_variables_that_load_code_are_read_by_the_client(dev, agent):
    dev.profile("dev.toml", '[variables]\nLD_PRELOAD = "x.so"\n')
    old()
    for _ in range(2):
        done = dev.run("exec", "-e", "dev", "--", "true")
        assert (done.returncode, "not trusted" in done.stderr) == (6, True)


def test_a_pipe_is_read_by_the_client(dev, agent):
    (dev.root / ".env.dev").unlink()
    os.mkfifo(dev.root / ".env.dev", 0o600)
    for text in ("first", "second"):
        writing = threading.Thread(
            target=(dev.root / ".env.dev").write_text, args=(f"PASSWORD={text}\n",), daemon=True
        )
        writing.start()
        assert value(dev) == text
        writing.join(10)


# ---------------------------------------------------------------- trust and audit


REMOTE = """\
[sources.vault]
address = "{address}"
mount = "secret"
[variables]
X = "{{{{ vault:app#x }}}}"
"""


class Store(ThreadingHTTPServer):
    """As much of Vault as a read takes; `gate` lets requests wait."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reads = []
        self.value = "one"
        self.status, self.failures = 200, 0
        self.gate = threading.Event()
        self.gate.set()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        token = self.headers.get("X-Vault-Token")
        if "/data/" in self.path:
            self.server.reads.append(token)
            self.server.gate.wait(30)
        data = {"data": {"x": f"{self.server.value}-{token}"}, "metadata": {"version": 7}}
        body = json.dumps({"data": data}).encode()
        self.server.failures += self.server.status != 200
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def store(dev):
    with Store() as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        dev.profile("dev.toml", REMOTE.format(address=found.address))
        dev.environ["VAULT_TOKEN"] = "t1"
        yield found
        found.gate.set()
        found.shutdown()
        thread.join()


@pytest.mark.usefixtures("trusted")
def test_nothing_is_kept_if_a_write_of_envkit_could_not_be_noticed(dev, store, agent):
    dev.environ["XDG_STATE_HOME"] = str(dev.root / ".env.dev")  # no folder
    old()
    assert [value(dev), value(dev)] == ["one-t1"] * 2
    assert len(store.reads) == 2
    assert agent.status().environments == ()


@pytest.mark.usefixtures("trusted")
def test_a_store_that_fails_is_asked_again_by_the_client_only(dev, store, agent):
    store.status = 503
    ends, requests = [], []
    for mode in ("off", "require"):
        environ = {"VAULT_MAX_RETRIES": "1", "ENVKIT_AGENT": mode}
        done = dev.run("exec", "-e", "dev", "--", "true", env=environ)
        ends.append((done.returncode, done.stderr))
        requests.append(store.failures)
    assert ends[0] == ends[1]
    assert ends[0][0] == 5
    client, both = requests[0], requests[1] - requests[0]
    assert both == client + client // 2, "the agent asks once, the client twice"


@pytest.mark.usefixtures("trusted")
def test_a_store_that_is_too_slow_is_reported_as_without_the_agent(dev, store, agent):
    dev.logged()
    agent.start()
    store.gate.clear()
    command = ("exec", "-e", "dev", "--timeout", "0.5", "--", "true")
    ends = [dev.run(*command, env={"ENVKIT_AGENT": mode}) for mode in ("off", "require")]
    assert ends[0].stderr == ends[1].stderr
    assert [end.returncode for end in ends] == [5, 5]
    assert [record["outcome"] for record in dev.records()] == ["store-unavailable"] * 2


@pytest.mark.usefixtures("trusted")
def test_a_changed_token_file_is_noticed(dev, store, agent):
    del dev.environ["VAULT_TOKEN"]
    dev.environ["VAULT_TOKEN_PATH"] = f"{dev.root}/token"
    dev.environ["PYTHONPATH"] = str(dev.root)  # a folder of libraries, too
    (dev.root / "token").write_text("t1")
    assert from_memory(dev, agent) == "one-t1"
    (dev.root / "token").write_text("t2")
    assert value(dev) == "one-t2"


@pytest.mark.usefixtures("trusted")
def test_an_answer_belongs_to_one_token(dev, store, agent):
    assert from_memory(dev, agent) == "one-t1"
    assert store.reads == ["t1"]
    store.value = "two"
    assert value(dev, env={"VAULT_TOKEN": "t2"}) == "two-t2"
    assert value(dev, env={"VAULT_TOKEN": "t2", "VAULT_NAMESPACE": "team"}) == "two-t2"
    assert store.reads == ["t1", "t2", "t2"]
    assert value(dev) == "one-t1"


def test_trust_is_required_as_without_the_agent(dev, agent):
    outside = dev.root.parent / "outside.env"
    outside.write_text("PASSWORD=outside\n")
    outside.chmod(0o600)
    dev.profile(
        "dev.toml",
        '[sources.dotenv]\ntype = "dotenv"\npath = "../outside.env"\n'
        '[variables]\nX = "{{ PASSWORD }}"\n',
    )
    old()
    for _ in range(2):
        done = dev.run("exec", "-e", "dev", "--", "true")
        assert (done.returncode, "is not trusted" in done.stderr) == (6, True), done.stderr
    assert agent.status().environments == ()
    assert value(dev, env={"ENVKIT_TRUST": "1"}) == "outside"
    assert value(dev, env={"ENVKIT_TRUST": "1"}) == "outside"
    assert agent.hits() == 1
    assert dev.run("exec", "-e", "dev", "--", "true").returncode == 6, "the trust has ended"
    config = Path(os.environ["HOME"], ".config", "envkit", "config.toml")
    config.parent.mkdir(parents=True)
    config.write_text(f"trusted = ['{dev.root}']\n")
    old()
    assert [value(dev), value(dev)] == ["outside"] * 2
    assert agent.hits() == 2
    config.unlink()
    assert dev.run("exec", "-e", "dev", "--", "true").returncode == 6, "the trust was revoked"


@pytest.mark.usefixtures("trusted")
def test_answers_are_audited_as_without_the_agent(dev, store, agent):
    dev.logged()
    old()
    for mode in ("off", "require", "require"):
        value(dev, env={"ENVKIT_AGENT": mode, "ENVKIT_REASON": "deploy"})
        done = dev.run("get", "X", "-e", "dev", env={"ENVKIT_AGENT": mode})
        assert done.stdout == "one-t1"
    records = dev.records()
    assert agent.hits() == 2
    for record in records:
        for varying in ("time", "pid", "seq", "previous", "hash"):
            del record[varying]
    assert records[0]["versions"] == {"X": ["7"]}
    assert records[:2] == records[2:4] == records[4:]
    assert dev.run("audit", "verify").returncode == 0


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "command", [("exec", "-e", "dev", "--", "true"), ("get", "X", "-e", "dev")]
)
def test_ctrl_c_is_audited_as_without_the_agent(dev, store, agent, command):
    dev.logged()
    agent.start()
    store.gate.clear()
    ends = []
    for mode in ("off", "require"):
        reads = len(store.reads)
        env = {"ENVKIT_AGENT": mode, "ENVKIT_REASON": "deploy"}
        process = started(dev, *command, env=env, stderr=PIPE)
        while len(store.reads) == reads:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        ends.append((process.communicate(), process.returncode, process.pid))
    assert ends[0][:2] == ends[1][:2] == ((None, b""), 130)
    cold, warm = dev.records()
    assert (cold["pid"], warm["pid"]) == (ends[0][2], ends[1][2])
    for record in (cold, warm):
        for varying in ("time", "pid", "seq", "previous", "hash"):
            del record[varying]
    assert cold == warm
    assert (cold["outcome"], cold["names"], cold["reason"]) == ("interrupted", ["X"], "deploy")


@pytest.mark.usefixtures("trusted")
def test_100_clients_at_once_cost_one_read_and_a_slow_store_delays_no_other_client(
    dev, store, agent
):
    dev.profile("quick.toml", '[variables]\nX = "quick"\n')
    old()
    assert dev.run("exec", "-e", "quick", "--", "printenv", "X").stdout == "quick\n"
    store.gate.clear()
    with ThreadPoolExecutor(100) as pool:
        clients = [pool.submit(_ask, dev, agent) for _ in range(100)]
        while not store.reads:
            time.sleep(0.01)
        done = dev.run("exec", "-e", "quick", "--", "printenv", "X")
        assert done.stdout == "quick\n"
        assert agent.hits() == 1
        store.gate.set()
        assert [client.result() for client in clients] == [b"one-t1"] * 100
    assert len(store.reads) == 1


@pytest.mark.usefixtures("trusted")
def test_a_read_that_ends_during_another_one_ends_no_connection(dev, store, agent, monkeypatch):
    monkeypatch.setattr(asking, "SILENCE_SECONDS", 10)  # the machine may be busy with other tests
    old()
    agent.start()
    store.gate.clear()
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(2) as pool:
        clients = [opened.enter_context(Connection(agent.path())) for _ in range(2)]
        for number, client in enumerate(clients):
            client.ask(items_of(_question(dev)), _environ(dev, VAULT_TOKEN=f"t{number}"))
            pool.submit(wire.receive_answer, client, 20.0)
            while len(store.reads) <= number:
                time.sleep(0.01)
        # its read ends; the child that reads for the other one has copies of all files
        clients[0].socket.shutdown(socket.SHUT_RDWR)
        agent.status()
        # whose files have free numbers
        idle = [opened.enter_context(Connection(agent.path())) for _ in range(4)]
        for _ in range(3):
            agent.status()
        try:
            for one in idle:
                one.send(wire.frame(wire.STATUS))
                assert wire.receive(one)[0] == wire.DONE
        finally:
            store.gate.set()


def _ask(project, agent):
    """Ask as a client does, from this process."""
    return ask(agent.path(), _question(project), _environ(project), 20.0).values[0]


def _question(project):
    from envkit import __version__
    from envkit.agent.question import Question

    dev = (__version__, str(project.root), None, ["dev"], (), (), (), ())
    return Question(*dev, "exec", "", 20.0)


def _environ(project, **more):
    environ = {**os.environ, **project.environ, **more}
    return {name.encode(): text.encode() for name, text in environ.items()}


@pytest.mark.usefixtures("trusted")
def test_a_client_that_asks_after_a_change_does_not_get_what_was_read_before(dev, store, agent):
    old()
    agent.start()
    store.gate.clear()
    state = Path(os.environ["HOME"], ".local", "state", "envkit")
    state.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(_ask, dev, agent)
        while not store.reads:
            time.sleep(0.01)
        (state / "poke").touch()
        second = pool.submit(_ask, dev, agent)
        store.gate.set()
        first.result()
        second.result()
    assert len(store.reads) == 2


# ---------------------------------------------------------------- faults


def _ignore_children():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def _block_signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGHUP))


@pytest.mark.parametrize("prepare", [_ignore_children, _block_signals])
def test_an_agent_that_a_command_with_other_signals_starts_is_like_any_other(dev, agent, prepare):
    for mode in ("auto", "require"):
        env = {"ENVKIT_AGENT": mode}
        command = started(
            dev, "exec", "-e", "dev", "--", "true", env=env, preexec_fn=prepare, stderr=PIPE
        )
        assert (command.communicate(), command.returncode) == ((None, b""), 0)
    pid = agent.status().pid
    os.kill(pid, signal.SIGTERM)
    while _state(pid) != "Z":
        time.sleep(0.01)


def test_a_killed_agent_is_replaced_and_its_socket_is_no_obstacle(dev, agent):
    from_memory(dev, agent)
    before = agent.status().pid
    os.kill(before, signal.SIGKILL)
    assert value(dev) == "one"
    assert agent.status().pid != before


@pytest.mark.usefixtures("trusted")
def test_an_agent_killed_during_a_read_is_bypassed(dev, store, agent):
    old()
    agent.start()
    store.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(value, dev, env={"ENVKIT_AGENT": "auto"})
        while not store.reads:
            time.sleep(0.01)
        os.kill(agent.status().pid, signal.SIGKILL)
        store.gate.set()
        assert client.result() == "one-t1"


def test_an_agent_whose_socket_was_replaced_ends(dev, agent):
    value(dev)
    pid = agent.status().pid
    os.unlink(agent.path())
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(agent.path())
        while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
            time.sleep(0.05)
        assert os.path.exists(agent.path()), "it removes only its own socket"
    os.unlink(agent.path())


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_agent_ends_when_idle(dev, agent):
    agent.start("--idle", "100ms")
    pid = agent.status().pid
    while _state(pid) != "Z":
        time.sleep(0.05)
    assert not os.path.exists(agent.path())


def test_agent_is_protected_from_other_processes_and_leaves_nothing_behind(dev, agent):
    canary = "canary-5f0c"
    dev.dotenv("dev", f"PASSWORD={canary}\n")
    from_memory(dev, agent)
    pid = agent.status().pid
    status = Path(f"/proc/{pid}/status").read_text()
    assert "Name:\tenvkit-agent\n" in status
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size +0 ", limits)
    assert b"PATH" in Path(f"/proc/{pid}/environ").read_bytes()
    assert b"ENVKIT" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert {os.readlink(f"/proc/{pid}/fd/{n}") for n in (0, 1, 2)} == {os.devnull}
    assert canary not in agent.log()
    folder = Path(agent.path()).parent
    assert {oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {"0o600"}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_get_passes_a_value_byte_for_byte(dev, agent):
    dev.profile(
        "dev.toml", '[variables]\nX = "a\\u00e4\\n"\nY = { value = "{{ NO }}", required = false }\n'
    )
    old()
    for mode in ("off", "require", "require"):
        done = dev.run("get", "X", "-e", "dev", env={"ENVKIT_AGENT": mode})
        assert (done.returncode, done.stdout) == (0, "aä\n")
        done = dev.run("get", "Y", "-e", "dev", env={"ENVKIT_AGENT": mode})
        assert done.returncode == 4
        done = dev.run("get", "Z", "-e", "dev", env={"ENVKIT_AGENT": mode})
        assert "no variable" in done.stderr

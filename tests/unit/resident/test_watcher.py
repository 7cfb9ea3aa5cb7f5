"""Watching an environment, with real files, child processes and a store that a plug-in reads."""

from __future__ import annotations

import json
import os
import resource

import pytest

import envkit
from envkit.errors import EnvkitError, UnavailableError
from envkit.resident.watcher import Changed, Recovered, Warned, Watcher, WatchRequest
from envkit.resolution.resolve import resolve
from envkit.sources.registry import set_guard
from envkit.trust.guard import Guard
from support.process import run_python
from support.watching import turn, turns, until

SITE = os.path.dirname(os.path.dirname(envkit.__file__))
# a store in a file, behind a "network"; the file says how it behaves
STORE = """
    import json, os, signal, time
    from envkit.errors import UnavailableError
    from envkit.secret import Secret
    from envkit.sources.base import Absent, Reading

    class Store:
        settings = {"path": str}
        remote = True

        def __init__(self, context):
            self.name, self.path = context.name, context.settings["path"]
            self.session = ""

        def check(self, ref): ...
        def locate(self, ref): return str(ref)

        def login_state(self):
            return {"session": self.session}

        def resume_login(self, state):
            self.session = state["session"]

        def fetch(self, refs):
            with open(self.path) as file:
                store = json.load(file)
            how = store.pop("how", "")
            if how == "down":
                raise UnavailableError("the store is down")
            if how == "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "silent":
                time.sleep(3600)
            if not self.session:
                self.session = "s"
                with open(self.path + ".logins", "a") as file:
                    file.write("x")
            return {
                ref: Reading(Secret(store[ref.path]), "7", "here")
                for ref in refs if ref.path in store
            }
"""
PROFILE = """
[sources.store]
type = "filed"
path = "store.json"
poll = "1s"

[variables]
URL = "{{ dotenv:URL }}"
PORT = { value = "{{ dotenv:PORT }}", type = "port" }
KEY = "{{ store:key }}"
"""
LOCAL = """
[variables]
URL = "{{ dotenv:URL }}"
PORT = { value = "{{ dotenv:PORT }}", type = "port" }
"""


@pytest.fixture
def local(project):
    project.profile("prod.toml", LOCAL)
    project.dotenv("prod", "URL=one\nPORT=1\n")
    return project


@pytest.fixture
def stored(local, install):
    install("filed", "envkit.sources", "filed = filed:Store", STORE)
    local.profile("prod.toml", PROFILE)
    set_store(local, key="k1")
    return local


def set_store(project, **content):
    (project.root / "new").write_text(json.dumps(content))
    (project.root / "new").rename(project.root / "store.json")


@pytest.fixture
def watch(project):
    """Return what starts a watcher, which is closed at the end."""
    started = []

    def watch(**more):
        quick = {"debounce_seconds": 0.05, "min_interval_seconds": 0.05, "timeout_seconds": 30}
        watcher = Watcher(WatchRequest(["prod"], str(project.profiles), **{**quick, **more}))
        started.append(watcher)
        watcher.prepare()
        return watcher, watcher.first()

    yield watch
    for watcher in started:
        watcher.close()
        assert watcher.children() == frozenset()


def test_the_first_environment_is_what_exec_passes_to_the_app(stored, watch):
    _, first = watch(only=["URL", "KEY"], overrides={"MORE": "m"})
    assert (first.environ[b"URL"], first.environ[b"KEY"], first.environ[b"MORE"]) == (
        *(b"one", b"k1", b"m"),
    )
    assert b"PORT" not in first.environ
    assert first.environ[b"PATH"] == os.environb[b"PATH"]
    assert set(first.names) == {"URL", "KEY", "MORE"}
    assert first.versions["KEY"] == ["7"]
    assert "k1" not in repr(first)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("URL=one\n", {}),
        ("URL=one\nPORT=x\n", {}),
        ("URL='\n", {}),
        ("URL=one\nPORT=1\n", {"only": ["PROT"]}),
    ],
    ids=["absent", "invalid", "not a file of its format", "no such variable"],
)
def test_a_first_environment_that_cannot_be_had_is_the_error_of_exec(local, watch, text, more):
    local.dotenv("prod", text)
    with pytest.raises(EnvkitError) as expected:
        resolve("prod", profiles=str(local.profiles), **more)
    with pytest.raises(type(expected.value)) as raised:
        watch(**more)
    assert raised.value.lines() == expected.value.lines()
    assert raised.value.exit_status == expected.value.exit_status
    assert raised.value.code == expected.value.code


def test_an_error_of_a_store_reaches_the_caller_of_the_first_read(stored, watch):
    set_store(stored, how="down")
    with pytest.raises(EnvkitError, match="the store is down") as raised:
        watch()
    assert raised.value.exit_status == UnavailableError.exit_status
    set_store(stored, how="crash")
    with pytest.raises(EnvkitError, match="has crashed"):
        watch()
    set_store(stored, how="silent")
    with pytest.raises(EnvkitError, match=r"no answer from 'store'"):
        watch(timeout_seconds=0.2)


def test_a_change_is_announced_once_with_the_names_that_have_changed(local, watch):
    watcher, _ = watch()
    local.dotenv("prod", "URL=two\nPORT=1\n")
    watcher.poke()
    (changed,) = until(watcher, Changed)
    assert changed.names == ("URL",)
    assert changed.environ[b"URL"] == b"two"
    local.dotenv("prod", "URL=two\nPORT=2\n")
    (changed,) = until(watcher, Changed)
    assert changed.names == ("PORT",)


def test_a_file_that_is_written_anew_with_the_same_values_changes_nothing(local, watch):
    watcher, _ = watch()
    local.dotenv("prod", "PORT=1\n# a comment\nURL=one\n")
    watcher.poke()
    while not watcher.children():  # until it is read
        assert turn(watcher) == []
    while watcher.children():
        assert turn(watcher) == []
    local.dotenv("prod", "URL=two\nPORT=1\n")
    (changed,) = until(watcher, Changed)
    assert changed.names == ("URL",)


def test_an_invalid_environment_is_told_once_and_the_next_valid_one_is_announced(local, watch):
    watcher, _ = watch()
    local.dotenv("prod", "URL=two\nPORT=none\n")
    watcher.poke()
    (warned,) = until(watcher, Warned)
    assert warned.text.startswith("the changed environment is not valid, and not used: ")
    assert "PORT" in warned.text
    assert "none" not in warned.text
    local.dotenv("prod", "URL=two\nPORT=2\n")
    recovered, changed = until(watcher, Changed)
    assert isinstance(recovered, Recovered)
    assert set(changed.names) == {"URL", "PORT"}


def test_a_profile_that_changes_is_followed(local, watch):
    watcher, _ = watch()
    local.profile("prod.toml", LOCAL.replace("PORT =", "MORE = 'm'\nPORT2 ="))
    watcher.poke()
    (changed,) = until(watcher, Changed)
    assert set(changed.names) == {"MORE", "PORT", "PORT2"}
    assert b"PORT" not in changed.environ
    local.profile("other.toml", '[variables]\nOTHER = "1"\n')
    local.profile("prod.toml", 'extends = ["other"]\n' + LOCAL)
    (changed,) = until(watcher, Changed)
    assert changed.environ[b"OTHER"] == b"1"
    local.profile("other.toml", '[variables]\nOTHER = "2"\n')
    (changed,) = until(watcher, Changed)
    assert changed.names == ("OTHER",)


def test_a_profile_that_becomes_invalid_keeps_the_old_environment(local, watch):
    watcher, _ = watch()
    local.profile("prod.toml", LOCAL + 'BAD = "{{"\n')
    watcher.poke()
    (warned,) = until(watcher, Warned)
    assert "profiles/prod.toml:5" in warned.text
    local.profile("prod.toml", LOCAL)
    assert [type(event) for event in until(watcher, Recovered)] == [Recovered]


def test_a_profile_that_needs_new_trust_is_refused_without_a_question(local, watch, tmp_path):
    asked = []
    guard = Guard(os.environ, ask=lambda *wanted: asked.append(wanted) or True)
    before = set_guard(lambda: guard)
    try:
        watcher, _ = watch()
        (tmp_path / "elsewhere").write_text("URL=two\nPORT=2\n")
        outside = f'[sources.dotenv]\npath = "{tmp_path}/elsewhere"\n'
        local.profile("prod.toml", outside + LOCAL)
        watcher.poke()
        (warned,) = until(watcher, Warned)
    finally:
        set_guard(before)
    assert "not trusted" in warned.text
    assert "envkit trust --env prod" in " ".join(warned.hints)
    assert asked == []


def test_what_the_caller_does_not_approve_is_not_announced(local, watch):
    def approve(prepared):
        if "LD_PRELOAD" in prepared[0].plan.selected:
            raise EnvkitError("LD_PRELOAD is not allowed")

    watcher, _ = watch(approve=approve)
    local.profile("prod.toml", LOCAL + 'LD_PRELOAD = "x"\n')
    watcher.poke()
    (warned,) = until(watcher, Warned)
    assert "LD_PRELOAD is not allowed" in warned.text


def test_an_environment_that_the_kernel_would_refuse_is_not_announced(local, watch):
    watcher, _ = watch(command=["app"])
    local.dotenv("prod", f"URL={'x' * 200_000}\nPORT=1\n")
    watcher.poke()
    (warned,) = until(watcher, Warned)
    assert "URL has 200,004 bytes" in warned.text


def test_a_change_in_a_store_is_announced(stored, watch):
    watcher, _ = watch()
    set_store(stored, key="k2")
    watcher.poke()
    (changed,) = until(watcher, Changed)
    assert changed.names == ("KEY",)
    assert changed.versions["KEY"] == ["7"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("down", "cannot look for changes in source 'store' of prod: the store is down"),
        ("crash", "has crashed"),
        ("silent", "no answer within 0.2 s"),
    ],
)
def test_an_outage_is_told_once_and_its_end_without_a_change(stored, watch, how, said):
    watcher, _ = watch()
    watcher._request = watcher._request._replace(timeout_seconds=0.2)
    watcher._deadline.timeout_seconds = 0.2
    set_store(stored, key="k1", how=how)
    watcher.poke()
    (warned,) = until(watcher, Warned)
    assert said in warned.text
    set_store(stored, key="k1")
    watcher.poke()
    events = until(watcher, Recovered)
    assert [event.text for event in events] == ["source 'store' of prod answers again"]


def test_an_environment_that_a_store_does_not_give_is_told_and_read_again(stored, watch):
    watcher, _ = watch()
    stored.dotenv("prod", "URL=two\nPORT=1\n")
    set_store(stored, key="k1", how="down")
    watcher.poke()
    warned = until(watcher, Warned)
    assert "the store is down" in warned[0].text
    set_store(stored, key="k1")
    watcher.poke()

    # a look and the read may each see that the store is down, and that it is back
    def is_over(events):
        kinds = [type(event) for event in [*warned, *events]]
        return Changed in kinds and kinds.count(Recovered) == kinds.count(Warned)

    changed = [event for event in turns(watcher, is_over) if isinstance(event, Changed)]
    assert [event.names for event in changed] == [("URL",)]


def test_a_process_that_cannot_be_started_is_an_outage_and_no_change(stored, watch):
    watcher, _ = watch()
    set_store(stored, key="k2")
    stored.dotenv("prod", "URL=two\nPORT=1\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        watcher.poke()
        (warned,) = until(watcher, Warned)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "cannot start a process that asks the stores: too many open files" in warned.text
    watcher.poke()
    events = until(watcher, Changed)
    assert set(events[-1].names) <= {"URL", "KEY"}


def test_a_login_survives_from_one_child_to_the_next(stored, watch):
    watcher, _ = watch()
    for key in ("k2", "k3"):
        set_store(stored, key=key)
        watcher.poke()
        until(watcher, Changed)
    assert (stored.root / "store.json.logins").read_text() == "x"


def test_closing_a_watcher_ends_a_child_that_waits_for_a_store(stored, watch):
    watcher, _ = watch()
    set_store(stored, how="silent")
    watcher.poke()
    turn(watcher)
    (child,) = watcher.children()
    watcher.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_clients_of_stores_are_never_loaded_by_the_watching_process(project):
    project.profile(
        "prod.toml",
        """
[sources.vault]
address = "http://127.0.0.1:9"
[sources.aws]
endpoint_url = "http://127.0.0.1:9"
region = "eu-west-1"
[variables]
A = "{{ vault:kv/a#b }}"
B = "{{ aws:c#d }}"
""",
    )
    code = """
import os, sys
from envkit.errors import EnvkitError
from envkit.resident.watcher import Watcher, WatchRequest
watcher = Watcher(WatchRequest(["prod"], timeout_seconds=1))
watcher.prepare()
try:
    watcher.first()
except EnvkitError as error:
    print(error.message)
    print(*sys.modules)
"""
    login = {"VAULT_TOKEN": "t", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    done = run_python(code, env={**os.environ, **login}, cwd=project.root)
    message, modules = done.stdout.splitlines()
    assert "A (profiles/prod.toml" in message
    assert "B (profiles/prod.toml" in message
    clients = {"hvac", "requests", "urllib3", "botocore", "boto3", "ctypes"}
    assert clients.isdisjoint(modules.split())


def test_a_file_that_is_written_while_it_is_read_is_read_again(project, install, watch):
    """The source between two looks at the file stands in for a program that writes it."""
    code = """
        from pathlib import Path
        from envkit.secret import Secret
        from envkit.sources.base import Reading

        class Writer:
            settings = {}
            remote = True

            def __init__(self, context):
                self.name = context.name

            def check(self, ref): ...
            def locate(self, ref): return str(ref)

            def fetch(self, refs):
                file = Path(".env.prod")
                if file.read_text() == "URL=half\\n":
                    Path("new").write_text("URL=whole\\n")
                    Path("new").rename(file)
                return {ref: Reading(Secret("w"), None, "here") for ref in refs}
    """
    install("writer", "envkit.sources", "writer = writer:Writer", code)
    project.profile(
        "prod.toml",
        """
[sources.writer]
type = "writer"
[variables]
URL = "{{ dotenv:URL }}"
W = "{{ writer:w }}"
""",
    )
    project.dotenv("prod", "URL=one\n")
    watcher, _ = watch()
    project.dotenv("prod", "URL=half\n")
    watcher.poke()
    (changed,) = until(watcher, Changed)
    assert changed.environ[b"URL"] == b"whole"


def test_watching_files_and_an_app_loads_no_slow_module(local):
    code = """
import select, sys, time
import envkit.resolution.resolve, envkit.audit.session, envkit.sources.dotenv, envkit.dotenv.file
before = set(sys.modules)
from envkit.resident.watcher import Watcher, WatchRequest
watcher = Watcher(WatchRequest(["prod"]))
watcher.prepare()
watcher.first()
select.select(watcher.filenos(), [], [], max(0.0, watcher.next_time() - time.monotonic()))
assert watcher.step(time.monotonic()) == []
import envkit.cli.exec.watching
from envkit.resident.kernel import adopt_orphans
adopt_orphans()
print(*set(sys.modules) - before)
"""
    done = run_python(code, options=["-S"], env={**os.environ, "PYTHONPATH": SITE}, cwd=local.root)
    slow = {"typing", "re", "threading", "contextlib", "signal", "random", "ctypes", "pickle"}
    slow |= {"enum", "functools", "collections", "resource"}
    assert slow.isdisjoint(done.stdout.split())

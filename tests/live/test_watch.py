"""Watching secrets of a real server."""

from __future__ import annotations

import os
import sys

import pytest

from envkit.resident.watcher import Changed, Recovered, Warned, Watcher, WatchRequest
from support.fault_proxy import FaultProxy
from support.process import run_python
from support.watching import until

PROFILE = """
[sources.vault]
poll = "1s"
[variables]
KEY = "{{ vault:secret/watched/app#key }}"
"""
QUICK = {"debounce_seconds": 0.05, "min_interval_seconds": 0.05, "timeout_seconds": 5}


@pytest.fixture
def proxy(openbao):
    with FaultProxy(openbao.address) as running:
        yield running


@pytest.fixture
def watcher(openbao, proxy, project, monkeypatch):
    openbao.put("watched/app", {"key": "one"})
    project.profile("prod.toml", PROFILE)
    monkeypatch.setenv("VAULT_ADDR", proxy.url)
    monkeypatch.setenv("VAULT_TOKEN", openbao.root_token)
    made = Watcher(WatchRequest(["prod"], str(project.profiles), **QUICK))
    made.prepare()
    assert made.first().environ[b"KEY"] == b"one"
    yield made
    made.close()


def test_a_new_version_is_announced_and_its_number_is_for_the_audit_log(openbao, watcher):
    openbao.put("watched/app", {"key": "two"})
    watcher.poke()
    (changed,) = until(watcher, Changed)
    assert (changed.names, changed.environ[b"KEY"]) == (("KEY",), b"two")
    assert changed.versions == {"KEY": ["2"]}


def test_an_outage_is_told_once_and_the_app_keeps_its_environment(openbao, proxy, watcher):
    proxy.refuse()
    watcher.poke()
    (warned,) = until(watcher, Warned)
    assert warned.text.startswith("cannot look for changes in source 'vault' of prod: ")
    proxy.accept()
    events = until(watcher, Recovered)
    assert [type(event) for event in events] == [Recovered]
    openbao.put("watched/app", {"key": "three"})
    (changed,) = until(watcher, Changed)
    assert changed.environ[b"KEY"] == b"three"


def test_the_client_of_a_store_is_loaded_only_by_children(project, watcher):
    code = """
import sys
from envkit.resident.watcher import Watcher, WatchRequest
from support.watching import turn
watcher = Watcher(WatchRequest(["prod"], timeout_seconds=5))
watcher.prepare()
assert watcher.first().environ[b"KEY"] == b"one"
begun = 0
while begun < 2:  # a look, and the read that compares what it saw
    before = watcher.children()
    assert turn(watcher) == []
    begun += len(watcher.children() - before)
while watcher.children():
    turn(watcher)
watcher.close()
print(*sys.modules)
"""
    watcher.close()
    path = os.pathsep.join(sys.path)
    done = run_python(code, env={**os.environ, "PYTHONPATH": path}, cwd=project.root)
    assert {"hvac", "requests", "urllib3", "ctypes"}.isdisjoint(done.stdout.split())

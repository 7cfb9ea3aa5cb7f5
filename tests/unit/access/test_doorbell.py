"""Who is told of a use, what of a channel that fails or hangs, and that no address is shown."""

from __future__ import annotations

import json
import os
import socket

import pytest

from envkit.access import doorbell
from envkit.access.doorbell import ring
from envkit.access.notice import Use
from envkit.access.rules import read_rules
from envkit.notification.delivery import NoticeError
from envkit.profile.loader import load
from support.hook_server import HookServer
from support.process import program

USE = Use("get", ("A", "B"), "INC-7", "alice")


@pytest.fixture
def rules(project):
    def read(*channels, name="prod"):
        project.profile(f"{name}.toml", f"[access]\nnotify = [{', '.join(channels)}]\n")
        return read_rules(load(name, str(project.profiles)))

    return read


def test_each_profile_reports_a_use_to_its_own_channels(rules):
    with HookServer() as server:
        found = [
            rules(f'{{ webhook = "{server.address}/prod", key = "k" }}'),
            rules(f'{{ slack = "{server.address}/eu" }}', name="eu"),
            rules(name="dev"),
        ]
        assert ring(found, USE, environ=os.environ) == (found, [])
    got = {one.path: one for one in server.received}
    assert set(got) == {"/prod", "/eu"}
    assert "envkit-signature" in got["/prod"].headers
    document = json.loads(got["/prod"].body)
    assert document.pop("at") > 0
    assert document == {
        "schema": "envkit.access-event/1",
        "event": "access",
        "profile": "prod",
        "user": "alice",
        "host": os.uname().nodename,
        "command": "get",
        "names": ["A", "B"],
        "reason": "INC-7",
        "text": f"alice@{os.uname().nodename} ran 'envkit get' on prod (A, B): INC-7",
    }
    assert "on eu (A, B)" in json.loads(got["/eu"].body)["text"]


def test_a_command_gets_the_facts_as_variables(rules, tmp_path):
    tell = program(tmp_path / "tell", f'#!/bin/sh\nenv > "{tmp_path}/said"\n')
    names = ("A", *(f"VARIABLE_{number}" for number in range(20_000)))  # more than Linux passes on
    used = USE._replace(names=names, reason="é" * 100_000)
    _, errors = ring([rules(f'{{ command = ["{tell}"] }}')], used, environ=os.environ)
    assert errors == []
    said = dict(line.split("=", 1) for line in (tmp_path / "said").read_text().splitlines())
    assert (said["ENVKIT_PROFILE"], said["ENVKIT_USER"]) == ("prod", "alice")
    assert said["ENVKIT_NAMES"].startswith("A VARIABLE_0 VARIABLE_1 ")
    assert set(said["ENVKIT_REASON"]) == {"é"}


def test_a_channel_that_fails_is_an_error_without_its_address_and_is_left_out_from_then_on(rules):
    with HookServer() as server:
        channels = (
            f'{{ webhook = "{server.address}/ok" }}',
            '{ webhook = "http://127.0.0.1:1/t0ken" }',
            '{ webhook = "{{ env:NO_SUCH_VARIABLE }}" }',
            '{ command = ["sh", "-c", "exit 3"] }',
        )
        left, errors = ring([rules(*channels)], USE, environ=os.environ)
        assert len(server.received) == 1
    assert len(errors) == 3
    assert "t0ken" not in " ".join(one.message for one in errors)
    ((still,),) = [one.channels for one in left]
    assert still.where == f"{server.address}/ok"


@pytest.mark.parametrize("kind", ["webhook", "command", "placeholder"])
def test_a_channel_that_hangs_is_given_up_and_named(rules, kind, monkeypatch):
    monkeypatch.setattr(doorbell, "TIMEOUT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("VAULT_ADDR", address)
        monkeypatch.setenv("VAULT_TOKEN", "t")
        channel = {
            "webhook": f'{{ webhook = "{address}/t0ken" }}',
            "command": '{ command = ["sleep", "600"] }',
            "placeholder": '{ slack = "{{ vault:secret/a#b }}" }',
        }[kind]
        (left,), (error,) = ring([rules(channel)], USE, environ=os.environ)
    assert left.channels == ()
    assert "t0ken" not in error.message
    if kind != "placeholder":
        assert isinstance(error, NoticeError)

"""What the pages on rotation say of keys, states, events and signatures is what the code has.

Their commands are run by `test_docs_commands`.
"""

import json
import re
import time

import pytest

from envkit.notification.channels import Channel, EventKind, Notice
from envkit.notification.delivery import deliver
from envkit.rotation.status import RotationState
from envkit.rotation_state import policy
from envkit.rotation_state.record import Record, encode
from support.hook_server import HookServer
from support.pages import ROOT, Shown, blocks, run, same

GUIDE = ROOT / "docs" / "guide"
PAGE = GUIDE / "rotation.md"
KEY = "k3y"


def table(heading):
    """What stands in backticks in the first column of the table below a heading of the page."""
    _, found, rest = PAGE.read_text(encoding="utf-8").partition(f"\n{heading}")
    assert found, f"{PAGE.name} has no {heading}"
    rows = rest[rest.index("\n|") + 1 :].partition("\n\n")[0]
    return re.findall(r"^\| `([^`]+)`", rows, re.MULTILINE)


def block(name):
    [found] = [one.text for one in blocks(PAGE) if one.file == name or one.language == name]
    return found


def test_every_key_of_a_rotation_is_in_the_table():
    assert sorted(table("## `[rotation.NAME]`")) == sorted(policy._KEYS)


def test_every_state_and_event_is_in_its_table():
    assert sorted(table("## Looking")) == sorted(RotationState)
    assert table("| `on` |") == list(EventKind)


def test_defaults_are_those_of_the_code():
    rows = PAGE.read_text(encoding="utf-8")
    said = dict(re.findall(r'^\| `(\w+)` \|.*\| `"(\w+)"` \|$', rows, re.MULTILINE))
    for key in ("grace", "timeout", "jitter"):
        assert policy.duration_seconds(said[key]) == policy.DEFAULTS[key], key
    assert '| with `schedule` `"1h"`, with `every` no end |' in rows
    assert policy.DEFAULTS["window"] == 3600


@pytest.fixture
def told():
    """What the page shows of a webhook's body, as one that was sent and signed."""
    shown = json.loads(block("json"))
    notice = Notice(**{key: shown[key] for key in Notice._fields})
    with HookServer() as server:
        deliver(notice, Channel("webhook", server.address, KEY, tuple(EventKind)))
        [received] = server.received
    return received


def verify():
    namespace = {}
    exec(compile(block("verify.py"), "verify.py", "exec"), namespace)
    return namespace["is_from_envkit"]


def headers_of(received):
    return {name.title(): text for name, text in received.headers.items()}


def test_the_body_of_a_webhook_is_as_it_is_shown(told):
    assert json.loads(told.body) == json.loads(block("json"))


def test_the_example_takes_what_is_signed_and_nothing_else(told):
    is_from_envkit, headers = verify(), headers_of(told)
    assert is_from_envkit(headers, told.body, KEY)
    assert not is_from_envkit(headers, told.body + b" ", KEY), "the body was changed"
    assert not is_from_envkit(headers, told.body, "another"), "it is another one's key"
    assert not is_from_envkit({}, told.body, KEY), "it is not signed"
    later = {**headers, "Envkit-Timestamp": "1"}
    assert not is_from_envkit(later, told.body, KEY), "the time was changed"


def test_the_example_refuses_what_is_old(told, monkeypatch):
    is_from_envkit, headers = verify(), headers_of(told)
    at = int(headers["Envkit-Timestamp"])
    monkeypatch.setattr("time.time", lambda: at + 301)
    assert not is_from_envkit(headers, told.body, KEY)


def test_what_is_overdue_is_shown_as_in_the_runbook(tmp_path):
    runbook = GUIDE / "runbook.md"
    [shown] = [one.text for one in blocks(runbook) if one.file == "overdue"]
    [profile] = [one.text for one in blocks(runbook) if one.file == "profiles/prod.toml"]
    project = tmp_path / "shop"
    (project / "profiles").mkdir(parents=True)
    without_other = profile.partition("[rotation.api-token]")[0]
    (project / "profiles" / "prod.toml").write_text(without_other, encoding="utf-8")
    (project / ".env.prod").write_text("HOOK_TOKEN=made-up\n", encoding="utf-8")
    record = Record("prod/hook-token", last_rotated_at=time.time() - 40.5 * 86_400)
    data = {"record": encode(record), "values": {}}
    (project / ".env.prod.HOOK_TOKEN.envkit-rotation").write_text(json.dumps(data))

    [told] = run([Shown("envkit rotate status", "")], project, {})
    expected = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "...", shown)
    assert same(expected, told), told

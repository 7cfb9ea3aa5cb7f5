"""What the agent answers is recorded as if its client had done that, or left to the client."""

import fcntl
import json
import os

import pytest

from envkit.agent.auditing import unrecorded
from envkit.agent.question import Question
from envkit.audit.log import Entry, line, used

QUESTION = Question("1", "/x", None, ["dev"], (), (), (), (), "get", "why", 15.0)
USED = used(["dev"], ["A", "B"], {"A": ["7"]}).encode()


def test_a_line_has_what_the_client_would_have_written(tmp_path):
    path = tmp_path / "state" / "envkit" / "audit.jsonl"
    variables = {b"HOME": b"/nowhere", b"XDG_STATE_HOME": os.fsencode(tmp_path / "state")}
    assert unrecorded(QUESTION, variables, 4711, USED) == b""
    written = json.loads(path.read_text())
    own = json.loads(line(Entry("get", ["dev"], ["A", "B"], {"A": ["7"]}, "why")) + "}")
    assert written.pop("pid") == 4711
    assert {key: written[key] for key in own if key not in ("pid", "time")} == {
        key: text for key, text in own.items() if key not in ("pid", "time")
    }


def test_the_log_is_in_the_home_of_the_client(tmp_path):
    assert unrecorded(QUESTION, {b"HOME": os.fsencode(tmp_path)}, 1, USED) == b""
    assert (tmp_path / ".local/state/envkit/audit.jsonl").exists()


@pytest.mark.parametrize(
    ("variables", "left"),
    [
        ({b"ENVKIT_AUDIT": b"off", b"HOME": b"/nowhere"}, b""),
        ({b"ENVKIT_AUDIT": b"syslog", b"HOME": b"/nowhere"}, USED),
        ({b"ENVKIT_AUDIT": b"wrong", b"HOME": b"/nowhere"}, USED),
        ({b"ENVKIT_AUDIT": b"/dev/null/x", b"HOME": b"/nowhere"}, USED),
        ({b"ENVKIT_AUDIT": b"/x\0y", b"HOME": b"/nowhere"}, USED),
        ({b"ENVKIT_AUDIT": b"/no" * 1300, b"HOME": b"/nowhere"}, USED),
        ({b"ENVKIT_AUDIT": b"/proc/self/cwd/audit.jsonl", b"HOME": b"/nowhere"}, USED),
        ({}, USED),
        ({b"HOME": b""}, USED),
        ({b"HOME": b"nowhere"}, USED),
    ],
    ids=[
        *("off", "syslog", "no destination", "no file", "no path", "a long path"),
        *("a file of one process", "no home", "an empty home", "a relative home"),
    ],
)
def test_what_the_agent_cannot_record_is_left_to_the_client(variables, left):
    assert unrecorded(QUESTION, variables, 1, USED) == left


def test_the_agent_does_not_wait_for_a_locked_log(tmp_path):
    path = tmp_path / "audit.jsonl"
    variables = {b"ENVKIT_AUDIT": os.fsencode(path), b"HOME": b"/nowhere"}
    path.touch(0o600)
    with path.open() as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        assert unrecorded(QUESTION, variables, 1, USED) == USED
    assert unrecorded(QUESTION, variables, 1, USED) == b""

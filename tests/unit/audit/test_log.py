"""The content of an audit record, and where the log is."""

import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from envkit.audit.log import destination, record, versions_of
from envkit.audit.verify import verify
from envkit.errors import UsageError
from envkit.resolution.environment import Origin, Variable
from envkit.secret import Secret
from support.audit_log import ENTRY, environ, read


@pytest.fixture
def log(tmp_path):
    return tmp_path / "state" / "audit.jsonl"


def test_a_line_says_who_did_what_with_which_and_why(log):
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    record(ENTRY, environ(log))
    [found] = read(log)
    assert before <= datetime.fromisoformat(found.pop("time")) <= datetime.now(UTC)
    assert len(found.pop("hash")) == 64
    assert found == {
        "user": subprocess.check_output(["id", "-un"], text=True).strip(),
        "uid": os.getuid(),
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "command": "get",
        "profiles": ["prod"],
        "names": ["URL", "KEY"],
        "versions": {"URL": ["3", "7"]},
        "reason": "INC-7",
        "outcome": "ok",
        "seq": 1,
        "previous": "0" * 64,
    }


def test_control_characters_and_line_ends_in_a_record_are_escaped(log):
    reason = 'a\n{"seq":9}\r\x1b[31m "quoted" \\ \u2028 é \udcff'
    record(ENTRY._replace(reason=reason), environ(log))
    text = log.read_text()
    assert text.count("\n") == 1
    assert text.isascii()
    assert text[:-1].isprintable()
    assert read(log)[0]["reason"] == reason.replace("\udcff", "?")
    assert verify(str(log)).problems == ()


def test_a_reason_that_looks_like_the_end_of_a_line_does_not_end_it(log):
    end = f',"seq":41,"previous":"{"a" * 64}","hash":"{"b" * 64}"}}'
    record(ENTRY._replace(reason=end), environ(log))
    record(ENTRY._replace(reason=end), environ(log))
    assert [one["seq"] for one in read(log)] == [1, 2]
    assert verify(str(log)).problems == ()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HOME": "/home/a"}, "/home/a/.local/state/envkit/audit.jsonl"),
        ({"XDG_STATE_HOME": "/state"}, "/state/envkit/audit.jsonl"),
        ({"XDG_STATE_HOME": "relative"}, "~/.local/state/envkit/audit.jsonl"),
        ({"ENVKIT_AUDIT": "off"}, "off"),
        ({"ENVKIT_AUDIT": "syslog"}, "syslog"),
        ({"ENVKIT_AUDIT": "", "XDG_STATE_HOME": "/s"}, "/s/envkit/audit.jsonl"),
        ({"ENVKIT_AUDIT": "/var/log/e.jsonl", "XDG_STATE_HOME": "/s"}, "/var/log/e.jsonl"),
    ],
)
def test_the_audit_log_goes_where_the_environment_says(variables, expected):
    assert destination(variables) == os.path.expanduser(expected)


@pytest.mark.parametrize("wanted", ["0", "OFF", "false", "audit.jsonl", "./audit.jsonl"])
def test_an_unknown_log_setting_is_refused_and_creates_no_file(wanted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as raised:
        record(ENTRY, {"ENVKIT_AUDIT": wanted})
    assert (
        raised.value.message
        == f"ENVKIT_AUDIT is '{wanted}', which is not a destination for the audit log"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_is_off_writes_nothing(tmp_path):
    record(ENTRY, {"ENVKIT_AUDIT": "off", "XDG_STATE_HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_versions_are_those_of_the_secrets_behind_a_variable():
    def variable(name, *versions):
        origins = tuple(Origin("r", "l", version) for version in versions)
        return Variable(name, Secret("x"), secret=True, profile="p", location=None, origins=origins)

    variables = [variable("A", "3", "7"), variable("B", None), variable("C")]
    assert versions_of(variables) == {"A": ["3", "7"]}

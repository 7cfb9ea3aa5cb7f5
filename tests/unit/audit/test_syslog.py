"""Audit records that go to syslog."""

import json
import os
import socket

import pytest

from envkit.audit.log import line
from envkit.audit.syslog import send
from envkit.errors import AuditError
from support.audit_log import ENTRY


def test_a_syslog_line_has_no_chain(tmp_path):
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(path)
        send(line(ENTRY) + "}", (str(tmp_path / "none"), path))
        message = daemon.recv(65536).decode()
    head, _, text = message.partition(f" envkit[{os.getpid()}]: ")
    assert head.startswith("<86>")
    assert json.loads(text)["names"] == ["URL", "KEY"]
    assert "hash" not in json.loads(text)


def test_a_system_without_syslog_is_an_error(tmp_path):
    with pytest.raises(AuditError, match="cannot write to the system log"):
        send("{}", (str(tmp_path / "none"),))

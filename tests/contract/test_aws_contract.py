"""The source contract over AWS Secrets Manager."""

import contextlib
import json

import pytest

from envkit.profile.placeholder import Reference
from envkit.testing import SourceContract
from support.fault_proxy import dead_address, silent_server

SHORTEST_VERSION = 32  # characters


class AwsHarness:
    def __init__(self, aws, stack):
        self._aws = aws
        self._stack = stack

    def source(self, *, timeout_seconds=15.0):
        return self._aws.source(timeout_seconds=timeout_seconds)

    def put(self, path, fields):
        self._aws.put(path, json.dumps(fields))

    def ref(self, path, field=None, version=None):
        return Reference("aws", path, field, version and version.zfill(SHORTEST_VERSION))

    def reads(self):
        return len(self._aws.operations)

    def denied(self):
        self.put("forbidden", {"password": "x"})
        self._aws.deny("forbidden")
        return self.source(), self.ref("forbidden", "password")

    def unavailable(self, timeout_seconds):
        return self._elsewhere(dead_address(), timeout_seconds)

    def silent(self, timeout_seconds):
        return self._elsewhere(silent_server(), timeout_seconds)

    def _elsewhere(self, server, timeout_seconds):
        address = self._stack.enter_context(server)
        return self._aws.source(timeout_seconds=timeout_seconds, endpoint_url=f"http://{address}")


class TestAws(SourceContract):
    @pytest.fixture
    def harness(self, aws):
        with contextlib.ExitStack() as stack:
            yield AwsHarness(aws, stack)

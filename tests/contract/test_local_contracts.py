"""The source contract over the sources that need no server."""

import pytest

from envkit._internal.clock import Deadline
from envkit.placeholder import Reference
from envkit.sources.base import SourceContext
from envkit.sources.memory import MemorySource
from envkit.testing import SourceContract


class MemoryHarness:
    def __init__(self):
        self._source = MemorySource(SourceContext("memory", deadline=Deadline(15)))

    def source(self, *, timeout_seconds=15.0):
        return self._source

    def put(self, path, fields):
        self._source.put(path, fields)

    def ref(self, path, field=None, version=None):
        return Reference("memory", path, field, version)

    def reads(self):
        return self._source.reads


class TestMemory(SourceContract):
    lacks = frozenset({"denied", "unavailable", "silent"})

    @pytest.fixture
    def harness(self):
        return MemoryHarness()

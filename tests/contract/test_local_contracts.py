"""The source contract over the sources that need no server."""

import sys
from contextlib import ExitStack

import pytest

from envkit._internal.clock import Deadline
from envkit.profile.placeholder import Reference
from envkit.sources.dotenv import DotenvSource
from envkit.sources.env import EnvSource
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext
from envkit.testing import SourceContract
from support import dotenvx
from support.permissions import as_nobody, folder_of_nobody

NO_NETWORK = frozenset({"unavailable", "silent"})


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
    lacks = NO_NETWORK | {"denied"}

    @pytest.fixture
    def harness(self):
        return MemoryHarness()


class EnvHarness:
    def __init__(self):
        self._environ = {}

    def source(self, *, timeout_seconds=15.0):
        deadline = Deadline(timeout_seconds)
        return EnvSource(SourceContext("env", environ=self._environ, deadline=deadline))

    def put(self, path, fields):
        (self._environ[path],) = fields.values()

    def ref(self, path, field=None, version=None):
        return Reference("env", path, version=version)


class TestEnv(SourceContract):
    lacks = NO_NETWORK | {
        "denied",
        "fields",
        "history",
        "implicit-field",
        "race",
        "reads",
        "versions",
        "write",
    }

    @pytest.fixture
    def harness(self):
        return EnvHarness()


class DotenvHarness:
    """Each path is a file, each field a variable of it."""

    opened: list[str] = []  # noqa: RUF012 - one audit hook for all, since it stays

    def __init__(self, root, stack):
        self._root = root
        self._stack = stack

    def source(self, *, timeout_seconds=15.0):
        deadline = Deadline(timeout_seconds)
        return DotenvSource(SourceContext("dotenv", root=str(self._root), deadline=deadline))

    def put(self, path, fields):
        lines = [f'{name}="{self._escaped(value)}"\n' for name, value in fields.items()]
        file = self._root / path
        file.write_text("".join(lines), encoding="utf-8")
        file.chmod(0o600)

    @staticmethod
    def _escaped(value):
        pairs = [("\\", "\\\\"), ('"', '\\"'), ("\r", "\\r"), ("\n", "\\n"), ("${", "\\${")]
        for char, escape in pairs:
            value = value.replace(char, escape)
        return value

    def ref(self, path, field=None, version=None):
        return Reference("dotenv", path, field, version)

    def reads(self):
        root = f"{self._root}/"
        return sum(path.startswith(root) for path in self.opened)

    def denied(self):
        self.put("secret", {"password": "canary"})
        source, ref = self.source(), self.ref("secret", "password")
        source.fetch([ref])  # lazily imported modules may be unreadable for another user
        (self._root / "secret").chmod(0)
        self._stack.enter_context(as_nobody())
        return source, ref


class EncryptedHarness(DotenvHarness):
    """Files in which every value is encrypted."""

    def put(self, path, fields):
        dotenvx.write_keys(self._root, dotenvx.KEY_FILE)
        file = self._root / path
        file.write_text(dotenvx.encrypted_text(fields), encoding="utf-8")
        file.chmod(0o600)

    def reads(self):
        keys = f"{self._root}/.env.keys"
        return super().reads() - sum(path == keys for path in self.opened)


def note_opened(event, args):
    if event == "open" and isinstance(args[0], str):
        DotenvHarness.opened.append(args[0])


sys.addaudithook(note_opened)


class TestDotenv(SourceContract):
    lacks = NO_NETWORK | {"implicit-field", "versions"}

    @pytest.fixture
    def harness(self):
        with folder_of_nobody() as root, ExitStack() as stack:
            yield DotenvHarness(root, stack)
        DotenvHarness.opened.clear()


class TestEncrypted(SourceContract):
    lacks = TestDotenv.lacks | {"denied"}  # another user cannot read the private key

    @pytest.fixture
    def harness(self):
        with folder_of_nobody() as root, ExitStack() as stack:
            yield EncryptedHarness(root, stack)
        DotenvHarness.opened.clear()

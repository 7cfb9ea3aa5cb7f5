"""The source contract over Vault's KV version 2 and, for reading, version 1."""

import contextlib
import secrets

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import InvalidReferenceError, NoVersionError
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.model import SourceContext
from envkit.sources.protocols import Source
from envkit.sources.vault.source import VaultSource
from envkit.testing import SourceContract
from envkit.testing.observe import read
from support.fault_proxy import dead_address, silent_server


class VaultHarness:
    """Secrets below a prefix that no other test uses."""

    def __init__(self, server, mount, version, stack):
        self._server = server
        self._mount = mount
        self._version = version
        self._stack = stack
        self._prefix = f"contract-{secrets.token_hex(6)}"

    def source(self, *, timeout_seconds=15.0, address=None, token=None):
        settings = {
            "address": address or self._server.address,
            "mount": self._mount,
            "prefix": self._prefix,
            "auth": {"token": token or self._server.root_token},
        }
        deadline = Deadline(timeout_seconds)
        return VaultSource(SourceContext("vault", settings=settings, deadline=deadline, environ={}))

    def put(self, path, fields):
        self._server.put(f"{self._prefix}/{path}", fields, mount=self._mount, version=self._version)

    def ref(self, path, field=None, version=None):
        return Reference("vault", path, field, version)

    def reads(self):
        return self._server.reads()

    def denied(self):
        below = self._mount + ("/data" if self._version == 2 else "")
        policy = self._server.policy(
            {
                f"{below}/{self._prefix}/*": ["read"],
                f"{below}/{self._prefix}/forbidden": ["deny"],
            }
        )
        self.put("forbidden", {"password": "not readable"})
        source = self.source(token=self._server.token(policy))
        return source, self.ref("forbidden", "password")

    def unavailable(self, timeout_seconds):
        return self._elsewhere(dead_address(), timeout_seconds)

    def silent(self, timeout_seconds):
        return self._elsewhere(silent_server(), timeout_seconds)

    def _elsewhere(self, address, timeout_seconds):
        url = f"http://{self._stack.enter_context(address)}"
        return self.source(timeout_seconds=timeout_seconds, address=url)


class TestKeyValueVersion2(SourceContract):
    @pytest.fixture
    def harness(self, openbao):
        with contextlib.ExitStack() as stack:
            yield VaultHarness(openbao, "secret", 2, stack)


class TestKeyValueVersion1(SourceContract):
    """The same class of source: only the server knows the KV version of a mount."""

    lacks = frozenset({"versions", "write", "race", "history"})

    @pytest.fixture
    def harness(self, openbao):
        with contextlib.ExitStack() as stack:
            yield VaultHarness(openbao, "kv1", 1, stack)

    def test_a_source_implements_the_protocol(self, harness):
        assert isinstance(harness.source(), Source)

    def test_a_store_without_versions_refuses_a_pinned_version(self, harness):
        harness.put("db", {"password": "one"})
        pinned = harness.ref("db", "password", "1")
        outcome = harness.source().fetch([pinned])[pinned]
        assert isinstance(outcome, InvalidReferenceError)
        assert "KV version 1" in outcome.message

    def test_kv_version_1_refuses_a_write(self, harness):
        harness.put("db", {"password": "before"})
        source, ref = harness.source(), harness.ref("db", "password")
        with pytest.raises(InvalidReferenceError, match="compare-and-set"):
            source.write(ref, Secret("after"), expected=None)
        assert read(source, ref).value.reveal() == "before"

    def test_kv_version_1_refuses_a_history(self, harness):
        harness.put("db", {"password": "before"})
        with pytest.raises(NoVersionError, match="KV version 1 does not store versions"):
            harness.source().history(harness.ref("db", "password"))

"""Every rotator fulfils the rotator contract on a real server."""

import secrets
from contextlib import ExitStack

import pytest
from cryptography.fernet import Fernet

from envkit.testing import RotatorContract
from support.rotators import (
    AlternateHarness,
    CommandHarness,
    IamHarness,
    KeyringHarness,
    RandomHarness,
    RedisHarness,
    SingleHarness,
)


class TestPostgresAlternate(RotatorContract):
    @pytest.fixture
    def harness(self, postgres):
        with ExitStack() as stack:
            yield AlternateHarness(postgres, stack, shared=True)


class TestPostgresSingle(RotatorContract):
    lacks = frozenset({"overlap"})

    @pytest.fixture
    def harness(self, postgres):
        with ExitStack() as stack:
            yield SingleHarness(postgres, stack, shared=True)


class TestRedis(RotatorContract):
    @pytest.fixture
    def harness(self, valkey):
        with ExitStack() as stack:
            yield RedisHarness(valkey, stack)


class TestAwsIamKey(RotatorContract):
    lacks = frozenset({"unavailable", "silent"})  # below: AWS's address is not in `target`

    @pytest.fixture
    def harness(self, aws):
        return IamHarness(aws)


class TestFernetKeys(RotatorContract):
    lacks = frozenset({"target", "overlap", "unavailable", "silent"})

    @pytest.fixture
    def harness(self):
        return KeyringHarness("fernet", [Fernet.generate_key().decode() for _ in range(2)])


class TestHs256Keys(RotatorContract):
    lacks = frozenset({"target", "overlap", "unavailable", "silent"})

    @pytest.fixture
    def harness(self):
        return KeyringHarness("hs256", [secrets.token_urlsafe(32)])


class TestRandom(RotatorContract):
    lacks = frozenset({"target", "overlap", "unavailable", "silent"})

    @pytest.fixture
    def harness(self):
        return RandomHarness()


class TestCommand(RotatorContract):
    lacks = frozenset({"unavailable"})

    @pytest.fixture
    def harness(self, tmp_path):
        return CommandHarness(tmp_path)

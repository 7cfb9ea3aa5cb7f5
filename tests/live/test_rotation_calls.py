"""What a rotation really asks of its store, against what `prices.toml` says of it."""

import json
import os
import secrets

import pytest
from cryptography.fernet import Fernet

from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation.simulate import read_prices
from support.fault_proxy import FaultProxy
from support.rotating import DAY, Rotating, table


class World(Rotating):
    """A secret in a store behind a proxy that counts; time goes when it is told to."""

    def __init__(self, project, proxy, environ):
        super().__init__(project.profiles, environ)
        self.proxy = proxy

    def run(self):
        """Carry the one rotation on; return what became of it, and the requests it took."""
        before = self.proxy.count()
        outcome = super().run()
        assert outcome.ok, outcome
        return outcome, self.proxy.requests[before:]

    def rotate(self):
        """Run it from due to done; return how many requests that took."""
        asked = 0
        outcome = None
        while outcome is None or outcome.status in (OutcomeStatus.WAITING, OutcomeStatus.IN_GRACE):
            outcome, requests = self.run()
            asked += len(requests)
            self.now = max(self.now, outcome.until)
        assert outcome.status == OutcomeStatus.ROTATED
        self.now += DAY
        return asked


@pytest.fixture(params=["aws-secrets-manager", "vault"])
def store(request, project, tmp_path):
    """Return a function that makes the world of one rotator, and what the store's calls cost."""
    environ = {"ENVKIT_AUDIT": str(tmp_path / "audit.jsonl")}
    price = read_prices()[request.param]
    fields = {"key": Fernet.generate_key().decode(), "other": "x"}
    if request.param == "vault":
        openbao = request.getfixturevalue("openbao")
        folder = f"calls-{secrets.token_hex(6)}"
        openbao.put(f"{folder}/db", fields)
        environ["VAULT_TOKEN"] = openbao.root_token
        with FaultProxy(openbao.address) as proxy:
            source = f'[sources.vault]\naddress = "{proxy.url}"\nmount = "secret"\n'

            def world(rotator):
                written = source + table("key", f"vault:{folder}/db#key", rotator=rotator)
                project.profile("prod.toml", written)
                return World(project, proxy, environ)

            yield world, price
        return
    aws = request.getfixturevalue("aws")
    aws.put("db", json.dumps(fields))

    def world(rotator):
        project.profile("prod.toml", table("key", f"aws:/{aws.prefix}db#key", rotator=rotator))
        return World(project, aws.proxy, {**os.environ, **environ})

    yield world, price


def test_the_rotator_that_asks_most_asks_what_the_prices_say(store):
    make, price = store
    world = make("keyring")
    assert world.rotate() == price["calls_per_rotation"]
    outcome, looked = world.run()
    assert outcome.status == OutcomeStatus.NOT_DUE
    assert len(looked) == price["calls_per_look"], looked


def test_others_ask_less_but_not_by_much(store):
    make, price = store
    asked = make("random").rotate()
    assert 0.7 * price["calls_per_rotation"] < asked < price["calls_per_rotation"]

"""The requests of a rotation to its store must match `prices.toml`."""

import json
import os
import secrets

import pytest
from cryptography.fernet import Fernet

from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation.scheduler.simulate import read_prices
from support.fault_proxy import FaultProxy
from support.rotating import DAY, Rotating, table

# which of them asks most: it depends on how a store writes several fields
MOST = {"aws-secrets-manager": "keyring", "vault": "command"}


class World(Rotating):
    """A secret in a store behind a proxy that counts; the test sets the time."""

    def __init__(self, project, proxy, environ):
        super().__init__(project.profiles, environ)
        self.proxy = proxy

    def run(self):
        """Advance the one rotation; return its outcome, and the number of requests."""
        before = self.proxy.count()
        outcome = super().run()
        assert outcome.ok, outcome
        return outcome, self.proxy.requests[before:]

    def rotate(self):
        """Run it from due to done; return how many requests each run took."""
        asked = []
        outcome = None
        while outcome is None or outcome.status in (OutcomeStatus.WAITING, OutcomeStatus.IN_GRACE):
            outcome, requests = self.run()
            asked.append(len(requests))
            self.now = max(self.now, outcome.until)
        assert outcome.status == OutcomeStatus.ROTATED
        self.now += DAY
        return asked


def written(secret, rotator):
    """Return the table of a rotation; `command` creates the value, and has a target."""
    program = (
        """grep -q '"step": "create"' || exit 0\n"""
        """echo '{"values": {"key": "made-by-the-target"}}'"""
    )
    target = f"target = {{ command = {json.dumps(['sh', '-c', program])}, verify_retired = false }}"
    return table("key", secret, *[target] * (rotator == "command"), rotator=rotator)


@pytest.fixture(params=["aws-secrets-manager", "vault"])
def store(request, project, tmp_path):
    """Return a function that creates the world of one rotator, and the prices of the store."""
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
                project.profile("prod.toml", source + written(f"vault:{folder}/db#key", rotator))
                return World(project, proxy, environ)

            yield world, {**price, "most": MOST[request.param]}
        return
    aws = request.getfixturevalue("aws")
    aws.put("db", json.dumps(fields))

    def world(rotator):
        project.profile("prod.toml", written(f"aws:/{aws.prefix}db#key", rotator))
        return World(project, aws.proxy, {**os.environ, **environ})

    yield world, {**price, "most": MOST[request.param]}


@pytest.mark.parametrize("rotator", ["keyring", "command", "random"])
def test_a_rotation_makes_at_most_the_documented_number_of_calls(store, rotator):
    make, price = store
    world = make(rotator)
    asked = sum(world.rotate())
    assert asked <= price["calls_per_rotation"]
    assert (asked == price["calls_per_rotation"]) == (rotator == price["most"]), asked
    assert asked > 0.6 * price["calls_per_rotation"], "the estimate is not far off for any"
    outcome, looked = world.run()
    assert outcome.status == OutcomeStatus.NOT_DUE
    assert len(looked) == price["calls_per_look"], looked


@pytest.mark.parametrize("store", ["vault"], indirect=True)
def test_a_random_rotation_in_vault_takes_at_most_16_requests_in_two_runs(store):
    make, _ = store
    asked = make("random").rotate()
    assert len(asked) == 2, "until the grace period, and after it"
    assert sum(asked) <= 16, asked


def test_plan_sends_two_requests_for_each_rotation_in_vault(project, openbao):
    count = 12
    folder = f"plan-{secrets.token_hex(6)}"
    for number in range(count):
        openbao.put(f"{folder}/{number}", {"key": "first"})
    with FaultProxy(openbao.address) as proxy:
        source = f'[sources.vault]\naddress = "{proxy.url}"\nmount = "secret"\n'
        tables = (table(f"n{n}", f"vault:{folder}/{n}#key") for n in range(count))
        project.profile("prod.toml", source + "\n".join(tables))
        done = project.run("rotate", "--plan", env={"VAULT_TOKEN": openbao.root_token})
        asked = list(proxy.requests)
    assert done.returncode == 0, done.stderr
    assert sum("capabilities" in one.path for one in asked) == 1
    of_the_command = 6  # the token and the mount, twice; the search for orphans; the policies
    assert len(asked) <= 2 * count + of_the_command, [one.path for one in asked]

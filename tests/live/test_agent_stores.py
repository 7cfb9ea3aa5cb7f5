"""The agent with the clients of real stores: answers are kept, and depend on the login."""

import time
from uuid import uuid4

import pytest


@pytest.fixture
def shop(project, agent):
    project.environ.update(agent.environ)
    return project


def read(project, **env):
    done = project.run("exec", "-e", "prod", "--", "printenv", "X", env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


@pytest.mark.usefixtures("trusted")
def test_aws_secrets_are_answered_from_memory_until_the_keys_change(shop, agent, aws):
    aws.put("app", "one")
    shop.environ.update(aws.environ)
    shop.profile("prod.toml", f"variables = {{ X = '{{{{ aws:{aws.prefix}app }}}}' }}\n")
    time.sleep(0.1)
    assert [read(shop) for _ in range(2)] == ["one"] * 2
    assert agent.hits() == 1
    before = len(aws.operations)
    assert read(shop, UNRELATED="x") == "one"
    assert len(aws.operations) == before
    aws.put("app", "two")
    assert read(shop, AWS_ACCESS_KEY_ID="other") == "two"


@pytest.mark.usefixtures("trusted")
def test_a_write_of_envkit_is_seen_by_the_next_command(shop, agent, openbao):
    path = f"agent-{uuid4()}"
    openbao.put(path, {"x": "one"})
    shop.environ.update(VAULT_ADDR=openbao.address, VAULT_TOKEN=openbao.root_token)
    shop.profile("prod.toml", f"variables = {{ X = '{{{{ vault:secret/{path}#x }}}}' }}\n")
    time.sleep(0.1)
    assert [read(shop) for _ in range(2)] == ["one"] * 2
    assert agent.hits() == 1
    openbao.put(path, {"x": "elsewhere"})
    assert read(shop) == "one", "a change by another machine is seen after the maximum age"
    done = shop.run("set", "X", "-e", "prod", input="two")
    assert done.returncode == 0, done.stderr
    assert read(shop) == "two"

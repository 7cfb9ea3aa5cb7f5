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


@pytest.mark.usefixtures("trusted")
def test_aws_files_are_noticed_when_they_change_or_appear(shop, agent, aws):
    aws.put("app", "one")
    shop.environ.update(aws.environ)
    shop.environ["AWS_SHARED_CREDENTIALS_FILE"] = "./credentials"
    shop.environ["AWS_CONFIG_FILE"] = str(shop.root / "config")
    login = [shop.environ.pop(f"AWS_{name}") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")]
    text = "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n".format(*login)
    credentials = shop.root / "credentials"
    credentials.write_text(text)
    shop.profile("prod.toml", f"variables = {{ X = '{{{{ aws:{aws.prefix}app }}}}' }}\n")
    time.sleep(0.1)
    assert [read(shop) for _ in range(2)] == ["one"] * 2
    assert agent.hits() == 1
    credentials.write_text(text.replace(login[0], "another"))
    assert read(shop) == "one"
    (shop.root / "config").write_text("[default]\nregion = eu-west-1\n")
    assert read(shop) == "one"
    assert agent.status().misses == 3


@pytest.mark.usefixtures("trusted")
def test_dynamic_secrets_are_refused_as_without_the_agent_and_never_read(shop, agent, leased):
    leased.role()
    leased.profile(shop, shop.environ)
    cold, warm = (
        shop.run("exec", "-e", "prod", "--", "true", env={"ENVKIT_AGENT": mode})
        for mode in ("off", "require")
    )
    assert "lease-needed" in cold.stderr
    assert (warm.returncode, warm.stdout, warm.stderr) == (
        cold.returncode,
        cold.stdout,
        cold.stderr,
    )
    assert leased.users() == []
    assert agent.status().environments == ()

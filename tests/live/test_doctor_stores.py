"""`envkit doctor` at real stores: who is there, as whom we are known, and what is wrong."""

import os

import pytest

from envkit.checks.doctor import CheckStatus, examine
from support.aws import ACCOUNT, CANARY, REGION, xml_error


@pytest.fixture
def check(project):
    """Examine a profile with these sources; return the checks of the stores."""

    def examined(sources, **environ):
        project.profile("prod.toml", sources)
        report = examine(["prod"], timeout_seconds=15.0, environ={**os.environ, **environ})
        assert CANARY not in repr(report)
        found = {one.source: one for one in report.checks if one.source}
        assert report.healthy is all(one.status == CheckStatus.OK for one in found.values())
        return found

    return examined


def aws_profile(settings=""):
    return f'[sources.aws]\n{settings}\n[variables]\nA = "{{{{ aws:db#password }}}}"\n'


def test_aws_says_who_we_are_and_reads_no_secret(aws, check):
    found = check(aws_profile())["aws"]
    assert found.status == CheckStatus.OK
    assert found.message.startswith("botocore ")
    assert f"region {REGION}; logged in as arn:aws:sts::{ACCOUNT}:" in found.message
    # the metadata says whether a rotation that no profile names was left
    assert aws.operations == ["GetCallerIdentity", "DescribeSecret"]


def test_aws_says_which_role_was_assumed(aws, check):
    settings = 'role_arn = "arn:aws:iam::222222222222:role/reader"'
    found = check(aws_profile(settings))["aws"]
    assert "logged in as arn:aws:sts::222222222222:assumed-role/reader/envkit" in found.message
    looks = ["AssumeRole", "DescribeSecret"]
    assert aws.operations == ["AssumeRole", "GetCallerIdentity", *looks]


def test_aws_does_not_take_the_credentials(aws, check):
    aws.proxy.fault(xml_error("InvalidClientTokenId"))
    found = check(aws_profile())["aws"]
    assert_wrong(found, "cannot use aws: ")
    assert found.message.startswith("cannot use aws: ")


def vault_profile(server, settings=""):
    return (
        f'[sources.vault]\naddress = "{server.address}"\n{settings}\n'
        '[variables]\nA = "{{ vault:secret/doctor/db#password }}"\n'
    )


def assert_wrong(found, what):
    assert (found.status, bool(found.hint)) == (CheckStatus.ERROR, True)
    assert what in found.message


def test_vault_says_who_it_is_and_who_we_are_and_no_secret_is_read(openbao, check):
    policy = openbao.policy({"secret/data/doctor/*": ["read"]})
    token = openbao.token(policy, ttl="330m", display_name="ci")
    before = openbao.reads()
    found = check(vault_profile(openbao), VAULT_TOKEN=token)["vault"]
    assert found.status == CheckStatus.OK, found
    version = openbao.ask("GET", "sys/seal-status")["version"]
    assert f"; vault at {openbao.address}, version {version}; " in found.message
    login = f"; logged in as token-ci, policies default, {policy}, for 5 hours"
    assert found.message.endswith(login)
    assert token not in repr(found)
    assert openbao.reads() == before


def test_vault_logs_in_by_the_method_of_the_profile(openbao, check):
    mount = openbao.enable_auth("userpass")
    openbao.ask("POST", f"auth/{mount}/users/bob", {"password": CANARY})
    auth = (
        f'auth = {{ method = "userpass", mount = "{mount}", username = "bob",'
        ' password = "{{ env:PW }}" }'
    )
    found = check(vault_profile(openbao, auth), PW=CANARY)["vault"]
    assert f"logged in as {mount}-bob, policies default, for " in found.message
    found = check(vault_profile(openbao, auth), PW="wrong")["vault"]
    assert_wrong(found, "does not accept the userpass login")


def test_vault_and_a_token_that_never_expires(openbao, check):
    root = openbao.root_token
    found = check(vault_profile(openbao), VAULT_TOKEN=root)["vault"]
    assert found.message.endswith("policies root, for ever")


def test_vault_does_not_take_the_token(openbao, check):
    found = check(vault_profile(openbao), VAULT_TOKEN=CANARY)["vault"]
    assert_wrong(found, "does not accept the token")


def test_vault_and_a_token_that_may_not_ask_about_itself(openbao, check):
    policy = openbao.policy({"secret/data/doctor/*": ["read"]})
    token = openbao.token(policy, no_default_policy=True)
    found = check(vault_profile(openbao), VAULT_TOKEN=token)["vault"]
    assert found.status == CheckStatus.OK
    assert found.message.endswith("logged in, with a token that may not look itself up")


def test_vault_is_sealed(sealable_openbao, check):
    text = vault_profile(sealable_openbao, f'ca_cert = "{sealable_openbao.ca_file}"')
    sealable_openbao.seal()
    try:
        found = check(text, VAULT_TOKEN=sealable_openbao.root_token)["vault"]
    finally:
        sealable_openbao.unseal()
    assert_wrong(found, "sealed")


def test_one_store_that_is_wrong_hides_no_other(openbao, aws, check):
    text = vault_profile(openbao) + 'B = "{{ aws:db#password }}"\n'
    found = check(text, VAULT_TOKEN=CANARY)
    found = {name: one.status for name, one in found.items()}
    assert found == {"vault": CheckStatus.ERROR, "aws": CheckStatus.OK}


@pytest.mark.parametrize("prefix", ["VAULT", "BAO"])
@pytest.mark.parametrize("name", ["AGENT_ADDR", "SRV_LOOKUP", "WRAP_TTL", "MFA"])
def test_a_variable_of_the_vault_command_that_is_not_used_is_named(project, openbao, prefix, name):
    project.profile("prod.toml", '[variables]\nA = "{{ vault:secret/db#a }}"\n')
    server = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    nobody = {**server, "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_MAX_RETRIES": "0"}
    for environ in (server, nobody, {}):
        given = {"HOME": "/nowhere", **environ, f"{prefix}_{name}": "canary"}
        report = examine(["prod"], timeout_seconds=2.0, environ=given)
        told = [one.message for one in report.checks if f"{prefix}_{name} is set" in one.message]
        assert len(told) == 1, "also where the server cannot be reached, which may be why"
        assert "canary" not in repr(report)

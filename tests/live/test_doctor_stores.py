"""`envkit doctor` at real stores: who is there, as whom we are known, and what is wrong."""

import os

import pytest

from envkit.checks.doctor import CheckStatus, examine
from support.aws import ACCOUNT, CANARY, REGION
from support.fault_proxy import respond


@pytest.fixture
def check(project):
    """Examine a profile with these sources; return the checks of the stores."""

    def examined(sources, *, timeout_seconds=15.0, **environ):
        project.profile("prod.toml", sources)
        report = examine(
            ["prod"], timeout_seconds=timeout_seconds, environ={**os.environ, **environ}
        )
        assert CANARY not in repr(report)
        found = {one.source: one for one in report.checks if one.source}
        assert report.healthy is all(one.status == CheckStatus.OK for one in found.values())
        return found

    return examined


AWS = """\
[sources.aws]
{settings}
[variables]
A = "{{{{ aws:db#password }}}}"
"""


def test_aws_says_who_we_are_and_reads_no_secret(aws, check):
    found = check(AWS.format(settings=""))["aws"]
    assert found.status == CheckStatus.OK
    assert found.message.startswith("botocore ")
    assert f"region {REGION}; logged in as arn:aws:sts::{ACCOUNT}:" in found.message
    # the metadata says whether a rotation that no profile names was left
    assert aws.operations == ["GetCallerIdentity", "DescribeSecret"]


def test_aws_says_which_role_was_assumed(aws, check):
    settings = 'role_arn = "arn:aws:iam::222222222222:role/reader"'
    found = check(AWS.format(settings=settings))["aws"]
    assert "logged in as arn:aws:sts::222222222222:assumed-role/reader/envkit" in found.message
    looks = ["AssumeRole", "DescribeSecret"]
    assert aws.operations == ["AssumeRole", "GetCallerIdentity", *looks]


def test_aws_does_not_take_the_credentials(aws, check):
    body = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>"
        f"<Message>{CANARY}</Message></Error></ErrorResponse>"
    )
    aws.proxy.fault(respond(403, body, {"Content-Type": "text/xml"}))
    found = check(AWS.format(settings=""))["aws"]
    assert found.status == CheckStatus.ERROR
    assert found.message.startswith("cannot use aws: ")
    assert found.hint


VAULT = """\
[sources.vault]
address = "{server.address}"
{settings}
[variables]
A = "{{{{ vault:secret/doctor/db#password }}}}"
"""


def test_vault_says_who_it_is_and_who_we_are_and_no_secret_is_read(openbao, check):
    policy = openbao.policy({"secret/data/doctor/*": ["read"]})
    token = openbao.token(policy, ttl="330m", display_name="ci")
    before = openbao.reads()
    found = check(VAULT.format(server=openbao, settings=""), VAULT_TOKEN=token)["vault"]
    assert found.status == CheckStatus.OK, found
    version = openbao.ask("GET", "sys/seal-status")["version"]
    assert f"; vault at {openbao.address}, version {version}; " in found.message
    assert found.message.endswith(
        f"; logged in as token-ci, policies default, {policy}, for 5 hours"
    )
    assert token not in repr(found)
    assert openbao.reads() == before


def test_vault_logs_in_by_the_method_of_the_profile(openbao, check):
    mount = openbao.enable_auth("userpass")
    openbao.ask("POST", f"auth/{mount}/users/bob", {"password": CANARY})
    auth = (
        f'auth = {{ method = "userpass", mount = "{mount}", username = "bob",'
        ' password = "{{ env:PW }}" }'
    )
    found = check(VAULT.format(server=openbao, settings=auth), PW=CANARY)["vault"]
    assert f"logged in as {mount}-bob, policies default, for " in found.message
    found = check(VAULT.format(server=openbao, settings=auth), PW="wrong")["vault"]
    assert found.status == CheckStatus.ERROR
    assert "does not accept the userpass login" in found.message


def test_vault_and_a_token_that_never_expires(openbao, check):
    root = openbao.root_token
    found = check(VAULT.format(server=openbao, settings=""), VAULT_TOKEN=root)["vault"]
    assert found.message.endswith("policies root, for ever")


def test_vault_does_not_take_the_token(openbao, check):
    found = check(VAULT.format(server=openbao, settings=""), VAULT_TOKEN=CANARY)["vault"]
    assert (found.status, bool(found.hint)) == (CheckStatus.ERROR, True)
    assert "does not accept the token" in found.message


def test_vault_and_a_token_that_may_not_ask_about_itself(openbao, check):
    policy = openbao.policy({"secret/data/doctor/*": ["read"]})
    token = openbao.token(policy, no_default_policy=True)
    found = check(VAULT.format(server=openbao, settings=""), VAULT_TOKEN=token)["vault"]
    assert found.status == CheckStatus.OK
    assert found.message.endswith("logged in, with a token that may not look itself up")


def test_vault_is_sealed(sealable_openbao, check):
    settings = f'ca_cert = "{sealable_openbao.ca_file}"'
    text = VAULT.format(server=sealable_openbao, settings=settings)
    sealable_openbao.seal()
    try:
        found = check(text, VAULT_TOKEN=sealable_openbao.root_token)["vault"]
    finally:
        sealable_openbao.unseal()
    assert (found.status, bool(found.hint)) == (CheckStatus.ERROR, True)
    assert "sealed" in found.message


def test_one_store_that_is_wrong_hides_no_other(openbao, aws, check):
    text = VAULT.format(server=openbao, settings="") + 'B = "{{ aws:db#password }}"\n'
    found = check(text, VAULT_TOKEN=CANARY)
    assert {name: one.status for name, one in found.items()} == {
        "vault": CheckStatus.ERROR,
        "aws": CheckStatus.OK,
    }

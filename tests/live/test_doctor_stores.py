"""`envkit doctor` with real stores: servers, identities and problems."""

import os

import pytest

from envkit.checks.doctor import examine
from envkit.checks.doctor_stores import CheckStatus
from support.aws import ACCOUNT, CANARY, REGION, xml_error


@pytest.fixture
def check(project):
    """Examine a profile with these sources; return the checks of the stores.

    Each store that takes us says that no value was read, in a note that is not returned.
    """

    def examined(sources, **environ):
        project.profile("prod.toml", sources)
        report = examine(["prod"], timeout_seconds=15.0, environ={**os.environ, **environ})
        assert CANARY not in repr(report)
        found = {}
        for one in report.checks:
            if one.message.startswith("values not read: "):
                assert (one.status, one.profile) == (CheckStatus.NOTE, "prod")
                assert "envkit check --env prod" in one.hint
            elif one.source:
                found[one.source] = one
        assert report.healthy is all(one.status == CheckStatus.OK for one in found.values())
        return found

    return examined


def aws_profile(settings=""):
    return f'[sources.aws]\n{settings}\n[variables]\nA = "{{{{ aws:db#password }}}}"\n'


def test_doctor_names_the_aws_identity_and_reads_no_secret(aws, check):
    found = check(aws_profile())["aws"]
    assert found.status == CheckStatus.OK
    assert found.message.startswith("botocore ")
    assert f"region {REGION}; logged in as arn:aws:sts::{ACCOUNT}:" in found.message
    # the metadata says whether a rotation that no profile names was left
    assert aws.operations == ["GetCallerIdentity", "DescribeSecret"]


def test_doctor_names_the_assumed_aws_role(aws, check):
    settings = 'role_arn = "arn:aws:iam::222222222222:role/reader"'
    found = check(aws_profile(settings))["aws"]
    assert "logged in as arn:aws:sts::222222222222:assumed-role/reader/envkit" in found.message
    looks = ["AssumeRole", "DescribeSecret"]
    assert aws.operations == ["AssumeRole", "GetCallerIdentity", *looks]


def test_doctor_reports_that_aws_refuses_the_credentials(aws, check):
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


def test_doctor_names_the_vault_server_and_identity_and_reads_no_secret(openbao, check):
    policy = openbao.policy({"secret/data/doctor/*": ["read"]})
    token = openbao.token(policy, ttl="330m", display_name="ci")
    before = openbao.reads()
    found = check(vault_profile(openbao), VAULT_TOKEN=token)["vault"]
    assert found.status == CheckStatus.OK, found
    version = openbao.ask("GET", "sys/seal-status")["version"]
    assert f"; vault at {openbao.address}, version {version}; " in found.message
    login = f"; logged in as token-ci, policies default, {policy}, for 5 hours (method token)"
    assert found.message.endswith(f"{login}; may read 1 of 1 values")
    assert token not in repr(found)
    assert openbao.reads() == before


def test_doctor_logs_in_to_vault_by_the_method_of_the_profile(openbao, check):
    mount = openbao.enable_auth("userpass")
    policy = openbao.policy({"secret/data/doctor/*": ["read"]})
    user = {"password": CANARY, "policies": policy}
    openbao.ask("POST", f"auth/{mount}/users/bob", user)
    auth = (
        f'auth = {{ method = "userpass", mount = "{mount}", username = "bob",'
        ' password = "{{ env:PW }}" }'
    )
    found = check(vault_profile(openbao, auth), PW=CANARY)["vault"]
    assert f"logged in as {mount}-bob, policies default, {policy}, for " in found.message
    found = check(vault_profile(openbao, auth), PW="wrong")["vault"]
    assert_wrong(found, "does not accept the userpass login")


def test_doctor_reports_a_vault_token_that_never_expires(openbao, check):
    root = openbao.root_token
    found = check(vault_profile(openbao), VAULT_TOKEN=root)["vault"]
    rest = "policies root, never expires (method token); may read 1 of 1 values"
    assert found.message.endswith(rest)


def test_doctor_reports_that_vault_refuses_the_token(openbao, check):
    found = check(vault_profile(openbao), VAULT_TOKEN=CANARY)["vault"]
    assert_wrong(found, "does not accept the token")


def test_doctor_reports_a_vault_token_that_may_not_look_itself_up(openbao, check):
    policy = openbao.policy({"secret/data/doctor/*": ["read"]})
    token = openbao.token(policy, no_default_policy=True)
    found = check(vault_profile(openbao), VAULT_TOKEN=token)["vault"]
    assert found.status == CheckStatus.OK
    rest = "logged in, with a token that may not look itself up (method token)"
    assert found.message.endswith(rest)


RULES = {
    "nothing": {},
    "another secret": {"secret/data/other/*": ["read"]},
    "the metadata alone": {"secret/metadata/doctor/*": ["read", "list"]},
    "to write": {"secret/data/doctor/*": ["create", "update"]},
    "to list": {"secret/data/doctor/*": ["list"]},
    "the path of version 1": {"secret/doctor/*": ["read"]},
    "denied": {"secret/data/doctor/*": ["read"], "secret/data/doctor/db": ["deny"]},
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_doctor_reports_a_vault_token_that_may_not_read(openbao, check, rules):
    token = openbao.token(openbao.policy({"sys/none": ["read"], **rules}))
    before = openbao.reads()
    found = check(vault_profile(openbao), VAULT_TOKEN=token)["vault"]
    assert_wrong(found, "cannot read vault:secret/doctor/db: permission denied")
    assert openbao.reads() == before


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("secrett/db", "no key-value engine is mounted at 'secrett'"),
        ("cubbyhole/db", "is in the 'cubbyhole' engine"),
        ("identity/db", "is in the 'identity' engine"),
        ("sys/mounts", "is part of Vault's own API"),
        ("kv1/db?version=1", "KV version 1 does not store versions"),
    ],
)
def test_doctor_reports_a_vault_path_without_a_secrets_engine(openbao, check, path, what):
    text = vault_profile(openbao).replace("secret/doctor/db", path)
    found = check(text, VAULT_TOKEN=openbao.root_token)["vault"]
    assert_wrong(found, what)


def test_doctor_names_each_value_that_may_not_be_read(openbao, check, project):
    names = ("B", "C", "D", "E", "F", "G")
    more = "".join(f'{name} = "{{{{ vault:secret/doctor/{name}#x }}}}"\n' for name in names)
    policy = openbao.policy({"secret/data/doctor/*": ["read"], "secret/data/doctor/D": ["deny"]})
    token = openbao.token(policy)
    check(vault_profile(openbao) + more, VAULT_TOKEN=token)
    environ = {**os.environ, "VAULT_TOKEN": token}
    checks = [one for one in examine(["prod"], environ=environ).checks if one.source]
    said = {one.message: one.status for one in checks}
    assert said == {
        "cannot read vault:secret/doctor/D: permission denied": CheckStatus.ERROR,
        "values not read: A, B, C, D, E and 2 more": CheckStatus.NOTE,
    }


def test_doctor_does_not_report_deleted_and_missing_secrets_as_ok(openbao, aws, check, project):
    """The check does not read values, and says so."""
    openbao.put("doctor/db", {"password": "x"})
    openbao.ask("DELETE", "secret/data/doctor/db")
    text = vault_profile(openbao) + 'B = "{{ aws:db#password }}"\n'
    check(text, VAULT_TOKEN=openbao.root_token)
    environ = {**os.environ, "VAULT_TOKEN": openbao.root_token}
    notes = {
        (one.source, one.message)
        for one in examine(["prod"], environ=environ).checks
        if one.source and one.status == CheckStatus.NOTE
    }
    assert notes == {("vault", "values not read: A"), ("aws", "values not read: B")}
    assert "values exist" not in repr(examine(["prod"], environ=environ))


def test_doctor_reports_a_sealed_vault(sealable_openbao, check):
    text = vault_profile(sealable_openbao, f'ca_cert = "{sealable_openbao.ca_file}"')
    sealable_openbao.seal()
    try:
        found = check(text, VAULT_TOKEN=sealable_openbao.root_token)["vault"]
    finally:
        sealable_openbao.unseal()
    assert_wrong(found, "sealed")


def test_doctor_continues_after_a_broken_store(openbao, aws, check):
    text = vault_profile(openbao) + 'B = "{{ aws:db#password }}"\n'
    found = check(text, VAULT_TOKEN=CANARY)
    found = {name: one.status for name, one in found.items()}
    assert found == {"vault": CheckStatus.ERROR, "aws": CheckStatus.OK}


@pytest.mark.parametrize("prefix", ["VAULT", "BAO"])
@pytest.mark.parametrize("name", ["AGENT_ADDR", "SRV_LOOKUP", "WRAP_TTL", "MFA"])
def test_doctor_names_a_variable_of_the_vault_command_that_envkit_ignores(
    project, openbao, prefix, name
):
    project.profile("prod.toml", '[variables]\nA = "{{ vault:secret/db#a }}"\n')
    server = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    nobody = {**server, "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_MAX_RETRIES": "0"}
    for environ in (server, nobody, {}):
        given = {"HOME": "/nowhere", **environ, f"{prefix}_{name}": "canary"}
        report = examine(["prod"], timeout_seconds=2.0, environ=given)
        told = [one.message for one in report.checks if f"{prefix}_{name} is set" in one.message]
        assert len(told) == 1, "also where the server cannot be reached, which may be why"
        assert "canary" not in repr(report)

"""Who can read a secret, as real stores tell: OpenBao's own answers are the reference."""

from __future__ import annotations

import json
import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envkit.sources.vault.readers.policy_text import parse_policy
from envkit.sources.vault.readers.rights import capabilities
from support.aws import ACCOUNT, REGION, admin_client, operation, xml_error
from support.pages import ROOT, blocks

PARTS = st.sampled_from(["a", "b", "+", "ab"])
PATTERNS = st.builds(
    lambda parts, end: "/".join(["secret/data", *parts]) + end,
    st.lists(PARTS, min_size=1, max_size=3),
    st.sampled_from(["", "*", "/*", "a*"]),
).filter(lambda pattern: "+*" not in pattern and "+a" not in pattern)  # the server refuses these
RIGHTS = st.sets(st.sampled_from(["read", "update", "delete", "deny"]), min_size=1)
POLICIES = st.lists(
    st.dictionaries(PATTERNS, RIGHTS, min_size=1, max_size=4), min_size=1, max_size=2
)
PATHS = ["secret/data/a", "secret/data/a/b", "secret/data/ab/a/b", "secret/data/b/a"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policies=POLICIES)
def test_envkit_evaluates_policies_as_the_server_does(openbao, policies):
    names = [openbao.policy(rules) for rules in policies]
    token = openbao.token(*names, no_default_policy=True)
    said = openbao.ask("POST", "sys/capabilities", {"token": token, "paths": PATHS})
    texts = [openbao.ask("GET", f"sys/policies/acl/{name}")["data"]["policy"] for name in names]
    rules = [rule for text in texts for rule in parse_policy(text)]
    for path in PATHS:
        expected = set(said[path]) - {"deny"}
        assert set(capabilities(rules, path)) == expected, (texts, path)


# ---------------------------------------------------------------- OpenBao, through the command


@pytest.fixture
def vault(project, openbao):
    """A project with one secret, and the people and machines of a team at its server."""
    path = f"shop-{secrets.token_hex(4)}"
    openbao.put(path, {"password": "hunter2"})
    project.profile("prod.toml", f'[variables]\nDB = "{{{{ vault:/secret/{path}#password }}}}"\n')
    project.environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    project.path = path
    return project


def run(project, *arguments, token=None):
    env = {} if token is None else {"VAULT_TOKEN": token}
    done = project.run("access", "-e", "prod", "--format", "json", *arguments, env=env)
    assert "hunter2" not in done.stdout + done.stderr
    return done, json.loads(done.stdout) if done.stdout else None


def told(project, **options):
    done, document = run(project, **options)
    assert done.returncode == 0, done.stderr
    (secret,) = document["secrets"]
    return secret, {one["who"]: (one["can"], one["by"]) for one in secret["readers"]}


def test_everyone_who_can_read_a_secret_of_vault_is_named_with_what_grants_it(vault, openbao):
    leads = openbao.policy(
        {
            f"secret/data/{vault.path}": ["read", "update"],
            f"secret/metadata/{vault.path}": ["delete"],
        }
    )
    cleaners = openbao.policy({f"secret/destroy/{vault.path}": ["update"]})
    all_ = openbao.policy({"secret/data/+": ["read"]})
    openbao.policy({"secret/data/elsewhere/*": ["read"]})
    users = openbao.enable_auth("userpass")
    openbao.ask(
        "POST", f"auth/{users}/users/alice", {"password": "p4ss-of-alice", "token_policies": [all_]}
    )
    roles = openbao.enable_auth("approle")
    openbao.ask("POST", f"auth/{roles}/role/ci", {"token_policies": [leads]})
    entity = openbao.ask("POST", "identity/entity", {"name": f"bob-{vault.path}"})["data"]["id"]
    openbao.ask(
        "POST",
        "identity/group",
        {"name": f"leads-{vault.path}", "policies": [leads], "member_entity_ids": [entity]},
    )
    secret, readers = told(vault)
    assert secret["place"] == f"vault:secret/{vault.path}"
    assert secret["variables"] == ["DB"]
    assert readers["you"] == (["read", "write", "delete"], "the token in use")
    assert readers[f"{users} user alice"] == (["read"], f"policy {all_}")
    all_rights = ["read", "write", "delete"]
    assert readers[f"{roles} role ci"] == (all_rights, f"policy {leads}")
    assert readers[f"entity bob-{vault.path}"] == (all_rights, f"policy {leads}")
    assert {"who": "tokens with the policy", "can": ["delete"], "by": f"policy {cleaners}"} in (
        secret["readers"]
    )
    assert any("root tokens" in text for text in secret["not_visible"])


def test_names_and_namespaces_of_a_server_hide_no_reader(vault, openbao):
    namespace = f"team-{vault.path}"
    openbao.ask("POST", f"sys/namespaces/{namespace}", {})
    at = openbao.policy({"secret/data/+": ["read"]})
    denied = openbao.policy({f"secret/data/{vault.path}": ["deny"]})
    odd = f"odd #1%2f {vault.path}"
    text = '{"path": {"secret/data/*": {"capabilities": ["read"]}}}'
    openbao.ask("PUT", f"sys/policies/acl/{odd}", {"policy": text})
    users = openbao.enable_auth("userpass", f"team/{vault.path}")
    openbao.ask(
        "POST",
        f"auth/{users}/users/carol",
        {"password": "p4ss-of-carol", "token_policies": [at.upper()]},  # the server ignores case
    )
    glob = [f"*{name.removeprefix('policy')}" for name in (at, denied)]
    openbao.ask("POST", f"auth/token/roles/any-{at}", {"allowed_policies_glob": glob})
    secret, readers = told(vault)
    assert readers[f"{users} user carol"] == (["read"], f"policy {at}")
    assert readers[f"token role any-{at}"] == (["read"], f"policy {at}")
    shown = vault.run("access", "-e", "prod").stdout
    assert f"policy {odd}" in shown
    assert not [text for text in secret["not_visible"] if "namespace" in text]
    vault.environ["VAULT_NAMESPACE"] = namespace
    openbao.mount("secret", version=2, namespace=namespace)
    secret, _ = told(vault)
    assert "policies, users and roles of the namespaces above" in secret["not_visible"]
    assert not [text for text in secret["not_visible"] if "ns_token" in text]


def test_a_token_that_may_not_read_policies_learns_its_own_rights_and_what_is_hidden(
    vault, openbao
):
    token = openbao.token(openbao.policy({f"secret/data/{vault.path}": ["read"]}))
    secret, readers = told(vault, token=token)
    assert readers == {"you": (["read"], "the token in use")}
    hidden = "\n".join(secret["not_visible"])
    for path in ("sys/policies/acl", "sys/auth", "identity/entity/id", "identity/group/id"):
        assert path in hidden


def test_a_token_without_rights_sees_that_it_has_none_and_what_depends_on_the_request_is_named(
    vault, openbao
):
    name = openbao.policy({"secret/data/{{identity.entity.name}}": ["read"]})
    limited = f"limited-{vault.path}"
    conditions = 'required_parameters = ["version"]\nexpiration = "2100-01-01T00:00:00Z"'
    text = f'path "secret/data/+" {{ capabilities = ["read"]\n{conditions} }}'
    openbao.ask("PUT", f"sys/policies/acl/{limited}", {"policy": text})
    hidden = told(vault)[0]["not_visible"]
    assert any(text.startswith(f"policy {name} on secret/data/") for text in hidden)
    unevaluated = "envkit does not evaluate expiration, required_parameters"
    assert f"policy {limited} on secret/data/+: {unevaluated}" in hidden
    _, readers = told(vault, token=openbao.token(openbao.policy({"x": ["read"]})))
    assert readers["you"] == ([], "the token in use")


def test_no_secret_is_read_to_find_its_readers(vault, openbao):
    told(vault)
    reads = {one.path for one in openbao.asked() if one.operation == "read"}
    assert f"secret/data/{vault.path}" not in reads


def test_a_store_that_cannot_be_reached_is_an_error_and_hides_no_other_store(vault):
    vault.profile(
        "prod.toml",
        '[variables]\nDB = "{{ vault:/secret/a#b }}"\nKEY = "{{ dotenv:KEY }}"\n',
    )
    vault.dotenv("prod", "KEY=x\n")
    vault.environ["VAULT_ADDR"] = "http://127.0.0.1:1"
    done, document = run(vault, "--timeout", "1")
    assert done.returncode == 5
    assert [one["place"] for one in document["secrets"]] == ["vault", ".env.prod"]


# ---------------------------------------------------------------- AWS


def policy(*actions, resource="*", **more):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_users_and_roles_of_aws_and_principals_of_the_secret_are_named(project, aws, moto_url):
    iam = admin_client(moto_url, "iam")
    suffix = secrets.token_hex(4)
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{aws.prefix}db-??????"
    reader = iam.create_policy(
        PolicyName=f"leads-{suffix}",
        PolicyDocument=policy("secretsmanager:GetSecretValue", resource=arn),
    )["Policy"]["Arn"]
    iam.create_group(GroupName=f"leads-{suffix}")
    iam.attach_group_policy(GroupName=f"leads-{suffix}", PolicyArn=reader)
    iam.create_user(UserName=f"alice-{suffix}")
    iam.add_user_to_group(GroupName=f"leads-{suffix}", UserName=f"alice-{suffix}")
    iam.create_user(UserName=f"bob-{suffix}")
    iam.put_user_policy(
        UserName=f"bob-{suffix}",
        PolicyName="elsewhere",
        PolicyDocument=policy("secretsmanager:*", resource=arn.replace("db-", "other-")),
    )
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "*"}
    iam.create_role(
        RoleName=f"app-{suffix}", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )
    iam.put_role_policy(
        RoleName=f"app-{suffix}",
        PolicyName="own",
        PolicyDocument=policy(
            "secretsmanager:*", Condition={"Bool": {"aws:SecureTransport": "true"}}
        ),
    )
    aws.put("db", '{"password": "hunter2"}')
    other = "arn:aws:iam::999999999999:root"
    aws.admin.put_resource_policy(
        SecretId=f"{aws.prefix}db",
        ResourcePolicy=policy("secretsmanager:GetSecretValue", Principal={"AWS": other}),
    )
    project.profile(
        "prod.toml",
        f'[sources.aws]\nprefix = "{aws.prefix}"\n[variables]\nDB = "{{{{ aws:db#password }}}}"\n',
    )
    project.environ = aws.environ
    secret, readers = told(project)
    assert secret["place"] == f"aws:{aws.prefix}db"
    assert readers[f"user alice-{suffix}"] == (["read"], f"policy leads-{suffix}")
    assert f"user bob-{suffix}" not in readers
    assert readers[f"role app-{suffix}, assumed by ecs.amazonaws.com"] == (
        ["read", "write", "delete"],
        "policy own, under conditions",
    )
    assert readers[other] == (["read"], "resource policy")
    assert any("service control policies" in text for text in secret["not_visible"])
    assert "GetSecretValue" not in aws.operations
    assert "BatchGetSecretValue" not in aws.operations


def test_policies_that_aws_does_not_show_are_named_and_are_not_an_error(project, aws):
    aws.put("db", "x")
    project.profile(
        "prod.toml",
        f'[sources.aws]\nprefix = "{aws.prefix}"\n[variables]\nDB = "{{{{ aws:db }}}}"\n',
    )
    project.environ = aws.environ
    aws.fail("GetResourcePolicy", "AccessDeniedException")
    is_iam = "GetAccountAuthorizationDetails"
    aws.proxy.fault(xml_error("AccessDenied"), when=lambda one: operation(one) == is_iam)
    secret, _ = told(project)
    hidden = "\n".join(secret["not_visible"])
    assert "the credentials may not use iam:GetAccountAuthorizationDetails" in hidden
    assert "the credentials may not use secretsmanager:GetResourcePolicy" in hidden


def test_the_policies_for_aws_on_the_page_about_production_access_mean_what_it_says(
    project, moto_url
):
    page = ROOT / "docs" / "guides" / "production-access.md"
    documents = {one.file: one.text for one in blocks(page) if one.file.endswith(".json")}
    assert set(documents) == {"prod-leads.json", "developers.json", "auditor.json"}
    iam, store = admin_client(moto_url, "iam"), admin_client(moto_url)
    suffix = secrets.token_hex(4)
    for file, text in documents.items():
        name = f"{file.removesuffix('.json')}-{suffix}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=text)
    variables = []
    for environment in ("prod", "dev", "staging"):
        name = f"shop/{environment}/{suffix}"
        store.create_secret(Name=name, SecretString="hunter2")
        variables.append(f'{environment.upper()} = "{{{{ aws:{name} }}}}"')
    project.profile("prod.toml", "[variables]\n" + "\n".join(variables) + "\n")
    project.environ = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done, document = run(project)
    assert done.returncode == 0, done.stderr
    who = {
        one["variables"][0]: {
            (reader["who"], tuple(reader["can"]), reader["by"])
            for reader in one["readers"]
            if suffix in reader["who"]
        }
        for one in document["secrets"]
    }
    leads = (f"user prod-leads-{suffix}", ("read", "write"), "policy own, under conditions")
    developers = (f"user developers-{suffix}", ("read", "write"), "policy own")
    assert who == {"PROD": {leads}, "DEV": {developers}, "STAGING": {developers}}

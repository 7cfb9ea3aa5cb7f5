"""What sources would do, as the text of their profile says."""

from __future__ import annotations

import os

import pytest

from envkit.errors import UntrustedError
from envkit.profile.loader import load
from envkit.trust.sources import all_of_sources, linked_profiles, outside, own_address_warning

TOKEN_TO = "$VAULT_TOKEN to https://vault.example.com:8200"


@pytest.fixture
def sentences(project):
    def told(text, **environ):
        project.profile("prod.toml", text)
        profile = load("prod", str(project.profiles))
        return [one.sentence for one in all_of_sources(profile, environ)]

    return told


def vault(settings):
    return f"[sources.vault]\n{settings}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[variables]\nA = "{{ env:GITHUB_TOKEN }}"\nB = "{{ B }}"\nC = "{{ vault:a#b }}"\n',
        vault('mount = "kv"\nprefix = "{{ env:TEAM }}"'),
        vault('auth = { method = "approle", role_id = "{{ env:ROLE }}" }'),
        vault('auth = { method = "kubernetes", role = "shop" }'),
        vault('address = "http://127.0.0.1:8200"\nauth = { token = "{{ env:X }}" }'),
        vault('address = "http://localhost:8200"'),
        vault('address = "{{ env:VAULT_ADDR }}"'),
        vault('address = "{{ env:BAO_ADDR | trim }}"'),
        vault("""address = '{{ env:VAULT_ADDR ?? "http://127.0.0.1:8200" }}'"""),
        vault('address = "{{ env:UNSET }}"'),
        vault('ca_cert = "certs/ca.pem"'),
        '[sources.aws]\nregion = "eu-west-1"\nrole_arn = "arn:aws:iam::1:role/x"\n',
        '[sources.aws]\nregion = "eu-west-1"\nmfa_serial = "a"\nmfa_token = "{{ env:MFA }}"\n',
        '[sources.aws]\nendpoint_url = "{{ env:AWS_ENDPOINT_URL }}"\n',
        '[sources.aws]\nprefix = "{{ env:TEAM }}/"\n',
        '[sources.dotenv]\npath = [".env", "config/.env.{{ env:STAGE }}"]\n',
        '[sources.more]\ntype = "memory"\nsecrets = { a = { b = "c" } }\n',
        '[sources.op]\ntype = "onepassword"\nvault = "Shop"\n',
    ],
)
def test_a_profile_that_sends_nothing_to_others_needs_no_trust(sentences, text):
    assert sentences(text, TEAM="shop", ROLE="r", STAGE="x", VAULT_ADDR="http://vault:8200") == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("", TOKEN_TO),
        ('auth = { token = "t" }', "requests to https://vault.example.com:8200"),
        ('auth = { token = "{{ env:T }}" }', "{{ env:T }} to https://vault.example.com:8200"),
        (
            'auth = { method = "approle", role_id = "{{ env:A }}", secret_id = "{{ env:B }}" }',
            "{{ env:A }} and {{ env:B }} to https://vault.example.com:8200",
        ),
        (
            'auth = { method = "kubernetes", role = "x" }',
            "the token of the Kubernetes service account to https://vault.example.com:8200",
        ),
        ('namespace = "{{ env:N }}"', TOKEN_TO.replace(" to", " and {{ env:N }} to")),
        # as a list of methods, of which the first that has its inputs counts
        (
            'auth = ["approle", { method = "token" }]',
            "$VAULT_ROLE_ID, $VAULT_SECRET_ID and $VAULT_TOKEN to https://vault.example.com:8200",
        ),
        # a login of a person
        ('auth = { method = "oidc" }', TOKEN_TO),
        ('auth = ["oidc", { method = "oidc", role = "people" }]', TOKEN_TO),
        (
            'auth = { method = "ldap" }',
            TOKEN_TO.replace(" to", " and the password that you type to"),
        ),
        # a method that is not plain text gets all that it may take
        ("""auth = { method = '{{ "token" }}' }""", TOKEN_TO),
        ("""auth = { method = '{{ "dG9rZW4=" | base64decode }}' }""", TOKEN_TO),
        (
            """auth = { method = '{{ env:M ?? "token" }}' }""",
            (
                "$VAULT_TOKEN, the token of the Kubernetes service account and {{ env:M }} "
                "to https://vault.example.com:8200"
            ),
        ),
        # the name of a file cannot pretend to be an address
        (
            'auth = { method = "jwt", jwt_file = "a to https://w, b" }',
            "the content of 'a to https://w, b' to https://vault.example.com:8200",
        ),
    ],
)
def test_a_vault_of_the_profile_needs_trust_in_what_it_gets(sentences, settings, sentence):
    assert sentences(vault(f'address = "https://vault.example.com:8200"\n{settings}')) == [sentence]


def test_an_mfa_code_in_the_environment_needs_trust_where_a_login_sends_it(sentences):
    address = 'address = "https://vault.example.com:8200"\n'
    approle = vault(f'{address}auth = {{ method = "approle", role_id = "r" }}')
    [found] = sentences(approle, ENVKIT_MFA_CODE="123456")
    assert "$ENVKIT_MFA_CODE" in found
    assert sentences(vault(address), ENVKIT_MFA_CODE="123456") == [TOKEN_TO]


@pytest.mark.parametrize(
    ("address", "rest"),
    [
        ("https://{{ env:HOST }}:8200", "and {{ env:HOST }} to https://{{ env:HOST }}:8200"),
        ("https://vault.{{ env:ZONE }}/", "and {{ env:ZONE }} to https://vault.{{ env:ZONE }}/"),
        ("{{ dotenv:VAULT_ADDR }}", "to {{ dotenv:VAULT_ADDR }}"),
        ("{{ env:OTHER }}", "to https://other.example.com"),
        ("{{ env:TEXT }}", "to {{ env:TEXT }}"),
        ("{{ env:VAULT_ADDR | base64decode }}", "to {{ env:VAULT_ADDR | base64decode }}"),
        ("{{ env:HIDDEN | base64decode }}", "to https://hidden.example.com"),
        (
            """{{ env:UNSET ?? "https://fallback.example.com" }}""",
            "to https://fallback.example.com",
        ),
        ("https://127.0.0.1@example.com", "to https://127.0.0.1@example.com"),
        # a placeholder that is a fixed text hides no address, and a fallback is one
        ("""https://{{ "evil.example.com" }}""", "to https://evil.example.com"),
        ("""{{ env:VAULT_ADDR ?? "https://evil.example.com" }}""", "to https://evil.example.com"),
        ("https://u:p@example.com", "to https://u:***@example.com"),
    ],
)
def test_an_address_from_another_source_needs_trust(sentences, address, rest):
    found = sentences(
        vault(f"address = '{address}'"),
        HOST="127.0.0.1",
        ZONE="x",
        OTHER="https://other.example.com",
        TEXT="no address",
        HIDDEN="aHR0cHM6Ly9oaWRkZW4uZXhhbXBsZS5jb20=",
        VAULT_ADDR="https://own.example.com",
    )
    assert found == [f"$VAULT_TOKEN {rest}"]


def test_the_type_of_a_source_and_not_its_name_makes_it_the_environment(sentences):
    found = sentences(
        '[sources.env]\ntype = "dotenv"\n' + vault('address = "{{ env:VAULT_ADDR }}"')
    )
    assert found == ["$VAULT_TOKEN to {{ dotenv:VAULT_ADDR }}"], "the question says so, too"


def test_files_outside_the_project_are_read_only_with_trust(sentences, project):
    away = os.path.realpath(project.root.parent)
    (project.root / "inside.pem").symlink_to(f"{away}/ca.pem")
    found = sentences(
        '[sources.dotenv]\npath = "../other/.env"\n'
        + vault(
            'ca_cert = "inside.pem"\nclient_key = "/etc/key.pem"\n'
            'auth = { method = "jwt", jwt_file = "{{ env:HOME }}/id" }'
        )
        + '[variables]\nX = "{{ dotenv:../third/.env#X }}"\n',
        HOME="/home/me",
    )
    assert sorted(found) == sorted(
        [
            "reads /etc/key.pem, outside the project, for client_key of [sources.vault]",
            f"reads {away}/ca.pem, outside the project, for ca_cert of [sources.vault]",
            "reads /home/me/id, outside the project, for jwt_file of [sources.vault]",
            f"reads {away}/other/.env, outside the project, as ../other/.env",
            f"reads {away}/third/.env, outside the project, as ../third/.env",
        ]
    )


def test_a_setting_that_reads_a_file_elsewhere_needs_trust_for_any_server(sentences, project):
    away = os.path.realpath(project.root.parent)
    text = vault('auth = { token = "{{ dotenv:../other/.env#STRIPE }}" }')
    assert sentences(text) == [f"reads {away}/other/.env, outside the project, as ../other/.env"]


def test_sources_that_refer_to_each_other_are_limited(sentences):
    text = '[sources.a]\ntype = "dotenv"\npath = "{{ b:X }}"\n[sources.b]\ntype = "dotenv"\n'
    assert sentences(text + 'path = "{{ a:X }}"\n')


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            'endpoint_url = "https://aws.example.com"',
            "your AWS credentials to https://aws.example.com",
        ),
        (
            'endpoint_url = "https://aws.example.com"\nprofile = "admin"',
            "your AWS credentials of profile admin to https://aws.example.com",
        ),
        (
            'role_arn = "arn:aws:iam::6:role/x"\nexternal_id = "{{ env:GITHUB_TOKEN }}"',
            "{{ env:GITHUB_TOKEN }} to arn:aws:iam::6:role/x",
        ),
        (
            'prefix = "arn:aws:secretsmanager:eu-west-1:6:secret:{{ env:T }}"',
            "{{ env:T }} to arn:aws:secretsmanager:eu-west-1:6:secret:{{ env:T }}",
        ),
    ],
)
def test_an_aws_endpoint_or_role_of_the_profile_needs_trust(sentences, settings, sentence):
    assert sentences(f"[sources.aws]\n{settings}\n") == [sentence]


def test_settings_of_a_plug_in_need_trust(sentences):
    settings = 'url = "https://op.example.com"\ntoken = "{{ env:T }}"\n'
    assert sentences(f'[sources.op]\ntype = "onepassword"\n{settings}') == [
        "{{ env:T }} and https://op.example.com to the plug-in 'onepassword', in [sources.op]"
    ]


@pytest.mark.parametrize(
    "address",
    ["http://vault:8200", "HTTP://10.0.0.1", "http://{{ env:HOST }}", "http://x@127.0.0.1"],
)
def test_an_unencrypted_address_is_refused(sentences, address):
    with pytest.raises(UntrustedError, match=r"prod\.toml:2: .*'address' is http") as caught:
        sentences(vault(f"address = '{address}'"), HOST="127.0.0.1")
    assert "allow_http = true" in caught.value.hint


def test_an_unencrypted_address_is_shown_as_such(sentences):
    found = sentences(vault('address = "http://vault:8200"\nallow_http = true'))
    assert found == ["$VAULT_TOKEN to http://vault:8200 (unencrypted)"]


def test_the_unencrypted_address_of_the_user_is_used_with_a_warning(project):
    project.profile("prod.toml", "")
    profile = load("prod", str(project.profiles))
    warning = "VAULT_ADDR is http: the traffic of 'vault' is not encrypted"
    assert own_address_warning(profile, "vault", {"VAULT_ADDR": "http://vault:8200"}) == warning
    assert own_address_warning(profile, "vault", {"VAULT_ADDR": "https://vault:8200"}) == ""
    assert own_address_warning(profile, "vault", {"VAULT_ADDR": "http://127.0.0.1"}) == ""
    assert own_address_warning(profile, "env", {"VAULT_ADDR": "http://vault:8200"}) == ""


def test_private_keys_outside_the_project_are_read_only_with_trust(sentences, project):
    other = project.root.parent / "other"
    other.mkdir()
    (other / ".env.keys").write_text("")
    (project.root / ".env.keys").symlink_to(other / ".env.keys")
    away = os.path.realpath(project.root.parent)
    keys = f"reads {away}/other/.env.keys, outside the project, as "
    assert sentences('[variables]\nA = "{{ A }}"\n') == [f"{keys}.env.prod"]
    assert sentences('[variables]\nA = "{{ dotenv:../other/.env#A }}"\n') == [
        f"reads {away}/other/.env, outside the project, as ../other/.env",
        f"{keys}../other/.env",
    ]


def test_a_file_is_outside_the_project_by_its_real_path(project):
    root = str(project.root)
    (project.root / "away").symlink_to(project.root.parent)
    assert outside(root, ".env") is None
    assert outside(root, "a/../.env") is None
    assert outside(root, "../project-2/.env") == f"{os.path.realpath(root)}-2/.env"
    assert outside(root, "away/x") == os.path.realpath(project.root.parent / "x")
    assert outside(root, "\0") is None
    assert outside("/", "etc/x") is None


def test_a_profile_that_links_out_of_the_project_is_reported(project):
    project.profile("prod.toml", "")
    (project.profiles / "dev.env").symlink_to("../../other/.env")
    (project.profiles / "same.toml").symlink_to("prod.toml")
    away = os.path.realpath(project.root.parent)
    assert [one.sentence for one in linked_profiles(str(project.profiles))] == [
        f"reads {away}/other/.env, outside the project, as a profile"
    ]


# ---------------------------------------------------------------- what a question must not hide


@pytest.mark.parametrize(
    ("sources", "reference", "shown"),
    [
        ('[sources.dotenv]\ntype = "env"\n', "dotenv:TOKEN", "{{ env:TOKEN }}"),
        ('[sources.public]\ntype = "env"\n', "public:TOKEN", "{{ env:TOKEN }}"),
        ('[sources.env]\ntype = "dotenv"\n', "env:TOKEN", "{{ dotenv:TOKEN }}"),
    ],
)
def test_a_credential_is_named_after_the_type_of_its_source(sentences, sources, reference, shown):
    settings = f'address = "https://v"\nauth = {{ token = "{{{{ {reference} }}}}" }}'
    assert sentences(sources + vault(settings)) == [f"{shown} to https://v"]


@pytest.mark.parametrize(
    "prefix",
    [
        """'{{ "arn:aws:secretsmanager:eu-west-1:6:secret:" }}{{ env:T }}'""",
        "'arn:aws:secretsmanager:eu-west-1:6:secret:{{ dotenv:T }}'",
        "'a{{ dotenv:T }}'",
        "'{{ env:ARN }}{{ env:T }}'",
    ],
)
def test_a_prefix_that_may_be_an_arn_needs_trust(sentences, prefix):
    found = sentences(f"[sources.aws]\nprefix = {prefix}\n", T="t", ARN="arn:aws:x:y:6:secret:")
    assert len(found) == 1
    assert " to " in found[0]


@pytest.mark.parametrize("prefix", ["shop/{{ dotenv:T }}", "{{ env:TEAM }}/{{ env:T }}"])
def test_a_prefix_that_is_a_name_needs_no_trust(sentences, prefix):
    assert sentences(f"[sources.aws]\nprefix = '{prefix}'\n", T="t", TEAM="shop") == []


@pytest.mark.parametrize(
    "setting",
    [
        *('host = "op.example.com"', 'host = "134744072"', 'host = "0x08080808"', 'x = "a:1"'),
        *('file = "/etc/passwd"', 'file = "../x"', 'hosts = ["a", { b = "c.d" }]'),
        'x = "b\u3002c"',
    ],
)
def test_a_plug_in_setting_that_may_be_an_address_or_a_file_needs_trust(sentences, setting):
    assert len(sentences(f'[sources.op]\ntype = "onepassword"\n{setting}\n')) == 1


def test_links_in_a_folder_of_certificates_are_checked(sentences, project):
    (project.root / "certs").mkdir()
    (project.root / "certs" / "0a1b2c3d.0").symlink_to("/etc/other.pem")
    (project.root / "certs" / "team").mkdir()
    (project.root / "certs" / "team" / "ca.pem").symlink_to("/etc/nested.pem")
    assert sentences(vault('ca_cert = "certs"')) == [
        f"reads /etc/{name}.pem, outside the project, for ca_cert of [sources.vault]"
        for name in ("other", "nested")
    ]


@pytest.mark.parametrize("region", ["{{ env:T }}", "eu-{{ env:T }}-1", "{{ dotenv:REGION }}"])
def test_a_region_that_may_be_a_secret_is_not_looked_up_by_name(sentences, region):
    found = sentences(f'[sources.aws]\nregion = "{region}"\n', T="ghp-abc")
    assert len(found) == 1
    assert found[0].endswith(f" to the name server, for an AWS region {region}")


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-east-1", "us-isob-east-1", "cn-north-1"])
def test_a_region_of_the_environment_needs_no_trust(sentences, region):
    assert sentences('[sources.aws]\nregion = "{{ env:REGION }}"\n', REGION=region) == []


def test_profiles_in_a_linked_folder_are_reported(project, tmp_path):
    away = tmp_path / "away"
    away.mkdir()
    (away / "prod.toml").write_text("")
    (away / "README").write_text("")
    folder = project.root / "linked"
    folder.symlink_to(away)
    assert [one.where for one in linked_profiles(str(folder))] == [str(away / "prod.toml")]

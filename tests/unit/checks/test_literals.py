"""Literal secrets in profiles: where they are found, and how they are accepted."""

import pytest

from envkit.checks.run import check
from support.checking import found

PASSWORD = "Zk3mQ8vT1xYp"
TOKEN = "gh" + "p_16C7e42F292c6912E7710c838347Ae178B4a"
CODES = ("literal-secret", "possible-secret")
BY_NAME = "contains a secret, by its name [literal-secret, prod]"


def literals(project, toml):
    project.profile("prod.toml", toml)
    return found(*CODES, offline=True)


@pytest.mark.parametrize(
    ("toml", "lines"),
    [
        (f'[variables]\nA = "x"\nDB_PASSWORD = "{PASSWORD}"\n', [f"3: DB_PASSWORD {BY_NAME}"]),
        (
            f'[variables.DB_PASSWORD]\ndescription = "x"\ndefault = "{PASSWORD}"\n',
            [f"3: DB_PASSWORD {BY_NAME}"],
        ),
        (
            '[variables]\nMIXPANEL = "a8Kd93jLs02mQpXz7Rt5"\n',
            ["2: MIXPANEL contains a text that looks random [possible-secret, prod]"],
        ),
        (
            (
                f"[variables]\nDB_PASSWORD = '{{{{ vault:a/b#c ?? \"{PASSWORD}\" }}}}'\n"
                f"API_TOKEN = '{{{{ \"{PASSWORD}\" | trim }}}}'\n"
            ),
            [f"2: DB_PASSWORD {BY_NAME}", f"3: API_TOKEN {BY_NAME}"],
        ),
        (
            (
                '[sources.vault]\nauth = { method = "approle", '
                'role_id = "8d1f0a7e-77a3-4c7e-9a32-9a3f0e6f5b11", '
                'secret_id = "3f2504e0-4f89-11d3-9a0c-0305e82c3301" }\n'
                f'[sources.eu]\ntype = "vault"\nauth = {{ method = "token", token = "{TOKEN}" }}\n'
            ),
            [
                f"2: 'secret_id' {BY_NAME}",
                "5: 'token' contains a GitHub token [literal-secret, prod]",
            ],
        ),
        (
            f'[variables]\nA = "x"  # was {TOKEN}\n',
            ["2: a comment contains a GitHub token [literal-secret, prod]"],
        ),
        (
            (
                f'[variables]\nSHARED = {{ value = "{TOKEN}", secret = false }}\n'
                'ID = { value = "a8Kd93jLs02mQpXz7Rt5", secret = false }\n'
            ),
            [],
        ),
        (
            (
                "[variables]\nPASSWORD = 12345678\n"
                'PASS = { value = "1h30m15s", type = "duration" }\n'
                'AUTH_TOKEN = { value = "bearer-or-basic-1", '
                'choices = ["bearer-or-basic-1", "no"] }\n'
            ),
            [],
        ),
    ],
    ids=[
        "a value",
        "the key of a table is the place",
        "what looks random is only possible",
        "an alternative and a quoted text",
        "the settings of a source",
        "a comment",
        "what everybody may see is none",
        "a number and one of a few words are none",
    ],
)
def test_a_literal_secret_is_found_where_it_is_written(project, toml, lines):
    assert literals(project, toml) == [f"profiles/prod.toml:{line}" for line in lines]


def test_a_literal_secret_in_the_env_form_is_found(project):
    project.profile("prod.env", f"# the database\nDB_PASSWORD='{PASSWORD}'\nPORT=80\n")
    assert found(*CODES, offline=True) == [f"profiles/prod.env:2: DB_PASSWORD {BY_NAME}"]


def test_a_literal_secret_that_another_profile_replaces_is_still_found(project):
    project.profile("base.toml", f'[variables]\nDB_PASSWORD = "{PASSWORD}"\n')
    project.profile("prod.toml", 'extends = "base"\n[variables]\nDB_PASSWORD = "{{ env:P }}"\n')
    project.profile("dev.toml", 'extends = "base"\n')
    told = "DB_PASSWORD contains a secret, by its name [literal-secret, dev and prod]"
    assert found(*CODES, offline=True) == [f"profiles/base.toml:2: {told}"]


def test_secret_false_may_be_set_in_another_file(project):
    project.profile("base.toml", "[variables]\nDB_PASSWORD = { secret = false }\n")
    assert literals(project, f'extends = "base"\n[variables]\nDB_PASSWORD = "{PASSWORD}"\n') == []


def test_the_hint_for_a_literal_depends_on_where_it_is(project):
    project.profile(
        "prod.toml",
        f'[sources.vault]\nauth = {{ token = "{TOKEN}" }}\n[variables]\nA_TOKEN = "{PASSWORD}"\n',
    )
    setting, variable = check(offline=True, environ={}).problems
    assert "secret = false" in variable.hint
    assert "secret = false" not in setting.hint
    assert "change the secret" in setting.hint
    assert "change the secret" in variable.hint


def test_the_hint_for_a_literal_in_the_env_form_names_the_ignore_file(project):
    project.profile("prod.env", f"A_TOKEN={PASSWORD}\n")
    [problem] = check(offline=True, environ={}).problems
    assert problem.hint.endswith("accept it in .envkit-ignore")

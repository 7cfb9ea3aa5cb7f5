"""Secrets in the files of profiles: where they are found, and what ends the matter."""

from envkit.checks.run import check
from support.checking import found

PASSWORD = "Zk3mQ8vT1xYp"
TOKEN = "gh" + "p_16C7e42F292c6912E7710c838347Ae178B4a"
CODES = ("literal-secret", "possible-secret")


def literals(project, toml):
    project.profile("prod.toml", toml)
    return found(*CODES, offline=True)


def test_a_value_is_found_where_it_is_written(project):
    assert literals(project, f'[variables]\nA = "x"\nDB_PASSWORD = "{PASSWORD}"\n') == [
        "profiles/prod.toml:3: DB_PASSWORD holds a secret, by its name [literal-secret, prod]"
    ]


def test_a_value_in_the_env_form(project):
    project.profile("prod.env", f"# the database\nDB_PASSWORD='{PASSWORD}'\nPORT=80\n")
    assert found(*CODES, offline=True) == [
        "profiles/prod.env:2: DB_PASSWORD holds a secret, by its name [literal-secret, prod]"
    ]


def test_what_looks_random_is_only_possible(project):
    assert literals(project, '[variables]\nMIXPANEL = "a8Kd93jLs02mQpXz7Rt5"\n') == [
        (
            "profiles/prod.toml:2: MIXPANEL holds a text that looks drawn at random "
            "[possible-secret, prod]"
        )
    ]


def test_the_key_of_a_table_is_the_place(project):
    toml = f'[variables.DB_PASSWORD]\ndescription = "x"\ndefault = "{PASSWORD}"\n'
    assert literals(project, toml) == [
        "profiles/prod.toml:3: DB_PASSWORD holds a secret, by its name [literal-secret, prod]"
    ]


def test_an_alternative_and_a_quoted_text_count(project):
    toml = (
        "[variables]\n"
        f"DB_PASSWORD = '{{{{ vault:a/b#c ?? \"{PASSWORD}\" }}}}'\n"
        f"API_TOKEN = '{{{{ \"{PASSWORD}\" | trim }}}}'\n"
    )
    assert literals(project, toml) == [
        "profiles/prod.toml:2: DB_PASSWORD holds a secret, by its name [literal-secret, prod]",
        "profiles/prod.toml:3: API_TOKEN holds a secret, by its name [literal-secret, prod]",
    ]


def test_a_value_that_another_profile_replaces_is_still_in_the_repository(project):
    project.profile("base.toml", f'[variables]\nDB_PASSWORD = "{PASSWORD}"\n')
    project.profile("prod.toml", 'extends = "base"\n[variables]\nDB_PASSWORD = "{{ env:P }}"\n')
    project.profile("dev.toml", 'extends = "base"\n')
    assert found(*CODES, offline=True) == [
        (
            "profiles/base.toml:2: DB_PASSWORD holds a secret, by its name "
            "[literal-secret, dev and prod]"
        )
    ]


def test_the_settings_of_a_source_count(project):
    toml = (
        "[sources.vault]\n"
        'auth = { method = "approle", role_id = "8d1f0a7e-77a3-4c7e-9a32-9a3f0e6f5b11", '
        'secret_id = "3f2504e0-4f89-11d3-9a0c-0305e82c3301" }\n'
        "[sources.eu]\n"
        'type = "vault"\n'
        f'auth = {{ method = "token", token = "{TOKEN}" }}\n'
    )
    assert literals(project, toml) == [
        "profiles/prod.toml:2: 'secret_id' holds a secret, by its name [literal-secret, prod]",
        "profiles/prod.toml:5: 'token' holds a GitHub token [literal-secret, prod]",
    ]


def test_a_comment_counts(project):
    toml = f'[variables]\nA = "x"  # was {TOKEN}\n'
    assert literals(project, toml) == [
        "profiles/prod.toml:2: a comment holds a GitHub token [literal-secret, prod]"
    ]


def test_who_says_that_everybody_may_see_it_is_believed(project):
    toml = (
        "[variables]\n"
        f'SHARED = {{ value = "{TOKEN}", secret = false }}\n'
        'ID = { value = "a8Kd93jLs02mQpXz7Rt5", secret = false }\n'
    )
    assert literals(project, toml) == []


def test_secret_false_may_be_said_in_another_file(project):
    project.profile("base.toml", "[variables]\nDB_PASSWORD = { secret = false }\n")
    assert literals(project, f'extends = "base"\n[variables]\nDB_PASSWORD = "{PASSWORD}"\n') == []


def test_what_is_a_number_or_one_of_a_few_words_is_no_secret(project):
    toml = (
        "[variables]\n"
        "PASSWORD = 12345678\n"
        'AUTH_TOKEN = { value = "bearer-or-basic-1", choices = ["bearer-or-basic-1", "no"] }\n'
        'PASS = { value = "1h30m15s", type = "duration" }\n'
    )
    assert literals(project, toml) == []


def test_the_hint_says_what_to_do_and_for_a_setting_not_what_cannot_be_done(project):
    project.profile(
        "prod.toml",
        f'[sources.vault]\nauth = {{ token = "{TOKEN}" }}\n[variables]\nA_TOKEN = "{PASSWORD}"\n',
    )
    setting, variable = check(offline=True, environ={}).problems
    assert "secret = false" in variable.hint
    assert "secret = false" not in setting.hint
    assert "change it" in setting.hint
    assert "change it" in variable.hint


def test_in_the_env_form_the_way_out_is_the_ignore_file(project):
    project.profile("prod.env", f"A_TOKEN={PASSWORD}\n")
    [problem] = check(offline=True, environ={}).problems
    assert problem.hint.endswith("accept that in .envkit-ignore")

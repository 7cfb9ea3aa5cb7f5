"""A whole check: which environments, which families of checks, and what comes of them."""

import pytest

from envkit.checks.problem import KINDS, Problem
from envkit.checks.run import FAMILIES, check
from envkit.errors import ProfileNotFoundError
from support.checking import found
from support.shelf import Shelf


@pytest.fixture
def profiles(project):
    project.profile("base.toml", '[variables]\nA = "1"\n')
    project.profile("dev.toml", 'extends = "base"\naliases = ["local"]\n')
    project.profile("prod.toml", 'extends = "base"\n')
    project.profile("prod-eu.toml", 'extends = "prod"\n')
    return project


@pytest.mark.parametrize(
    ("arguments", "environ", "checked"),
    [
        ({}, {}, ("dev", "prod-eu")),
        ({"everything": True}, {"ENVKIT_ENV": "prod"}, ("dev", "prod-eu")),
        ({}, {"ENVKIT_ENV": "prod"}, ("prod",)),
        ({"environments": ["prod", "local", "dev"]}, {"ENVKIT_ENV": "x"}, ("prod", "dev")),
        ({"environments": ["prod"], "everything": True}, {}, ("prod", "dev", "prod-eu")),
    ],
)
def test_which_environments_are_checked(profiles, arguments, environ, checked):
    report = check(environ=environ, **arguments)
    assert report.environments == checked
    assert report.problems == ()
    assert report.exit_status(strict=True) == 0


def test_an_environment_that_is_not_there_is_an_error_of_who_asks(profiles):
    with pytest.raises(ProfileNotFoundError, match="no profile 'prd'"):
        check(["prd"], environ={})


def test_a_folder_without_profiles_has_nothing_to_check(project):
    with pytest.raises(ProfileNotFoundError, match="no profile in profiles"):
        check(environ={})


def test_a_profile_that_is_none_hides_nothing_of_another(project):
    project.profile("dev.toml", "[variables]\nPORT = { value = 1, typ = 2 }\n")
    project.profile("loop.toml", '[variables]\nA = "{{ B }}"\nB = "{{ A }}"\n')
    project.profile("text.toml", "= no toml\n")
    project.profile("prod.toml", '[variables]\nPORT = { value = "x", type = "port" }\n')
    lines = [line for line in found() if "missing" not in line]
    assert lines == [
        "profiles/dev.toml:2: PORT: unknown key 'typ' [profile-invalid]",
        (
            "profiles/loop.toml:3: variables need each other in a circle: A -> B -> A "
            "[profile-invalid, loop]"
        ),
        "profiles/prod.toml:2: PORT: is not a port (1 to 65535) [value-invalid, prod]",
        "profiles/text.toml:1: not valid TOML: invalid statement [profile-invalid]",
    ]


def test_a_profile_in_both_forms_is_a_problem(project):
    project.profile("prod.toml", "")
    project.profile("prod.env", "")
    assert found() == [
        (
            "profiles/prod.toml: profile 'prod' is written twice: profiles/prod.toml and "
            "profiles/prod.env [profile-invalid]"
        )
    ]


def test_a_setting_that_is_none_is_a_problem_of_its_environment(project):
    project.profile(
        "prod.toml", "[sources.vault]\nadress = 'x'\n[variables]\nA = '{{ vault:a#b }}'\n"
    )
    project.profile("dev.toml", "[variables]\nA = '1'\n")
    assert found() == [
        "profiles/prod.toml:2: [sources.vault]: unknown key 'adress' [profile-invalid, prod]"
    ]


def test_a_base_that_is_none_is_one_problem(project):
    project.profile("base.toml", "[variables]\n0 = 1\n")
    project.profile("dev.toml", 'extends = "base"\n')
    project.profile("prod.toml", 'extends = "base"\n')
    assert found() == ["profiles/base.toml:2: '0' is not a variable name [profile-invalid]"]


def test_what_is_inherited_is_one_problem_of_all_environments(project):
    project.profile("base.toml", '[variables]\nPORT = { value = "x", type = "port" }\n')
    project.profile("dev.toml", 'extends = "base"\n')
    project.profile("prod.toml", 'extends = "base"\n')
    assert found() == [
        "profiles/base.toml:2: PORT: is not a port (1 to 65535) [value-invalid, dev and prod]"
    ]


def test_what_is_skipped_is_not_looked_for(project):
    source = Shelf()
    project.profile("dev.toml", '[variables]\nA = "1"\nDB_PASSWORD = "Tr0ub4dor&3xY"\n')
    project.profile("prod.toml", "[variables]\n")
    assert found(skip=["missing"], sources={"shelf": source}) == [
        "profiles/dev.toml:3: DB_PASSWORD holds a secret, by its name [literal-secret, dev]"
    ]
    assert found(skip=["missing", "literal-secret", "possible-secret"]) == []


def test_every_code_of_a_family_is_a_code():
    codes = [code for family in FAMILIES for code in family.codes]
    assert set(codes) <= set(KINDS)
    assert len(codes) == len(set(codes))


def problem(code, **more):
    return Problem(code, "message", **more)

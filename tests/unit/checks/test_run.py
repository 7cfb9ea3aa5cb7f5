"""A whole check: selection of environments and checks, and its problems."""

import pytest

from envkit.checks.problem import KINDS
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
def test_a_check_covers_the_selected_environments(profiles, arguments, environ, checked):
    report = check(environ=environ, **arguments)
    assert report.environments == checked
    assert report.problems == ()
    assert report.exit_status(strict=True) == 0


def test_an_unknown_environment_is_an_error_of_the_caller(profiles):
    with pytest.raises(ProfileNotFoundError, match="no profile 'prd'"):
        check(["prd"], environ={})


def test_a_folder_without_profiles_is_an_error(project):
    with pytest.raises(ProfileNotFoundError, match="no profile in profiles"):
        check(environ={})


def test_an_invalid_profile_hides_no_problem_of_another(project):
    project.profile("dev.toml", "[variables]\nPORT = { value = 1, typ = 2 }\n")
    project.profile("loop.toml", '[variables]\nA = "{{ B }}"\nB = "{{ A }}"\n')
    project.profile("text.toml", "= no toml\n")
    project.profile("prod.toml", '[variables]\nPORT = { value = "x", type = "port" }\n')
    circle = "variables refer to each other in a cycle: A -> B -> A [profile-invalid, loop]"
    lines = [line for line in found() if "missing" not in line]
    assert lines == [
        "profiles/dev.toml:2: PORT: unknown key 'typ' [profile-invalid]",
        f"profiles/loop.toml:3: {circle}",
        "profiles/prod.toml:2: PORT: is not a port (1 to 65535) [value-invalid, prod]",
        "profiles/text.toml:1: not valid TOML: invalid statement [profile-invalid]",
    ]


VALUE_INVALID = "PORT: is not a port (1 to 65535) [value-invalid"
TWO = {"dev.toml": 'extends = "base"\n', "prod.toml": 'extends = "base"\n'}


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (
            {"prod.toml": "", "prod.env": ""},
            (
                "prod.toml: profile 'prod' has two files: "
                "profiles/prod.toml and profiles/prod.env [profile-invalid]"
            ),
        ),
        (
            {
                "prod.toml": "[sources.vault]\nadress = 'x'\n[variables]\nA = '{{ vault:a#b }}'\n",
                "dev.toml": "[variables]\nA = '1'\n",
            },
            "prod.toml:2: [sources.vault]: unknown key 'adress' [profile-invalid, prod]",
        ),
        (
            {"base.toml": "[variables]\n0 = 1\n", **TWO},
            "base.toml:2: '0' is not a variable name [profile-invalid]",
        ),
        (
            {"base.toml": '[variables]\nPORT = { value = "x", type = "port" }\n', **TWO},
            f"base.toml:2: {VALUE_INVALID}, dev and prod]",
        ),
    ],
    ids=[
        "a profile in both forms",
        "a setting that is none",
        "a base that is none",
        "what is inherited, for all environments",
    ],
)
def test_several_mistakes_in_one_place_are_one_problem(project, files, line):
    for name, text in files.items():
        project.profile(name, text)
    assert found() == [f"profiles/{line}"]


def test_a_skipped_family_is_not_checked(project):
    source = Shelf()
    project.profile("dev.toml", '[variables]\nA = "1"\nDB_PASSWORD = "Tr0ub4dor&3xY"\n')
    project.profile("prod.toml", "[variables]\n")
    assert found(skip=["missing"], sources={"shelf": source}) == [
        "profiles/dev.toml:3: DB_PASSWORD contains a secret, by its name [literal-secret, dev]"
    ]
    assert found(skip=["missing", "literal-secret", "possible-secret"]) == []


def test_every_code_of_a_family_is_defined_once():
    codes = [code for family in FAMILIES for code in family.codes]
    assert set(codes) <= set(KINDS)
    assert len(codes) == len(set(codes))

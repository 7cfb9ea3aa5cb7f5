"""Checks of profiles: warnings and missing variables."""

import pytest

from envkit.checks.run import check
from support.checking import found


def test_a_variable_that_some_environments_lack_is_missing(project):
    project.profile("dev.toml", '[variables]\nA = "1"\nNEW = "2"\n')
    project.profile("staging.env", "A=1\nNEW=2\n")
    project.profile("prod.toml", '[variables]\nA = "1"\n')
    project.profile("test.toml", '[variables]\nA = "1"\n')
    told = "NEW is in dev and staging but not in prod and test [missing, prod and test]"
    assert found("missing") == [f"profiles/dev.toml:3: {told}"]
    [problem] = check(environ={}).problems
    assert problem.hint == (
        "add it to profiles/prod.toml and profiles/test.toml, "
        "or accept it in .envkit-ignore: NEW missing # why"
    )


def test_a_single_environment_lacks_nothing(project):
    project.profile("dev.toml", '[variables]\nNEW = "2"\n')
    project.profile("prod.toml", "[variables]\n")
    assert found("missing", environments=["dev"]) == []


def test_an_inherited_variable_is_not_missing(project):
    project.profile("base.toml", '[variables]\nA = "1"\n')
    project.profile("dev.toml", 'extends = "base"\n[variables]\nA = "2"\n')
    project.profile("prod.toml", 'extends = "base"\n')
    assert found("missing") == []


def test_a_warning_of_a_profile_is_reported_at_its_file(project):
    project.profile("prod.env", "A=1\nA=2\n")
    assert found() == ["profiles/prod.env: A is set twice [profile-warning, prod]"]


@pytest.mark.parametrize("table", ["[access]", '[rotation.a]\nsecret = "dotenv:A"'])
def test_an_address_that_no_notice_is_sent_to_is_a_warning(project, table):
    channels = (
        '{ webhook = "http://ops.example.com/t0ken" }, { slack = "ftp://x/y" }, '
        '{ webhook = "ops.example.com" }, { webhook = "{{ env:OPS }}" }, '
        '{ webhook = "https://ops.example.com/x" }, { slack = "http://127.0.0.1:8000/x" }, '
        '{ command = ["true"] }'
    )
    project.profile("prod.toml", f"{table}\nnotify = [{channels}]\n")
    title = table.partition("\n")[0]
    line = table.count("\n") + 2
    reasons = (
        "slack at x is not https",
        "webhook at ops.example.com is not https",
        "webhook is not a URL",
    )
    assert [one for one in found("profile-warning") if "address" in one] == [
        f"profiles/prod.toml:{line}: {title}: the address of the {reason}, so envkit sends nothing "
        "to it [profile-warning, prod]"
        for reason in reasons
    ]

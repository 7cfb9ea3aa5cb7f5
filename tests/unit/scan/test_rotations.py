"""The rotation of a leaked value is found, however the variable uses the value."""

import os

import pytest

from envkit._internal.clock import Deadline
from envkit.scan.found import Finding, FindingCode
from envkit.scan.rotations import rotations_of
from envkit.scan.values import Owner
from support.rotating import table

PROFILE = """\
[variables]
KEY = "{{ KEY }}"
URL = "redis://:{{ KEY | urlencode }}@cache"
ALIAS = "{{ URL }}"
OTHER = "{{ OTHER }}"
"""


def value(variable, *environments):
    return Finding(FindingCode.VALUE, "/f", 1, "plain", variable, environments)


@pytest.fixture
def leaked(project):
    for name in ("dev", "prod"):
        project.profile(f"{name}.toml", PROFILE + table("key", "KEY"))
        project.dotenv(name, "KEY=1\nOTHER=2\n")

    def find(*findings):
        given = {"environ": os.environ, "deadline": Deadline(5)}
        return rotations_of(findings, str(project.profiles), **given)

    return find


@pytest.mark.parametrize("variable", ["KEY", "URL", "ALIAS"])
def test_the_rotation_of_the_value_is_found(leaked, variable):
    finding = value(variable, "dev")
    assert leaked(finding) == ({"dev/key": finding}, (), ())


def test_each_rotation_is_listed_once_with_its_first_finding(leaked):
    first, second = value("URL", "dev", "prod"), value("KEY", "prod")
    assert leaked(first, second).rotations == {"dev/key": first, "prod/key": first}


def test_a_value_without_a_rotation_is_listed(leaked):
    token = Finding(FindingCode.TOKEN, "/f", 1, "a GitHub token")
    assert leaked(value("OTHER", "dev"), token) == ({}, (Owner("dev", "OTHER"),), ())


def test_a_rotation_that_is_not_valid_does_not_hide_the_others(leaked, project):
    project.profile("dev.toml", PROFILE + table("key", "KEY", "grace = 1"))
    finding = value("KEY", "dev", "prod")
    rotations, by_hand, [error] = leaked(finding)
    assert (rotations, by_hand) == ({"prod/key": finding}, ())
    assert "'grace' must be a string" in error.message

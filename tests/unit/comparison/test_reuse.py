"""Which secrets two environments share: under any name, whole or as a part, and never shown."""

from __future__ import annotations

import pytest

from envkit.comparison.reuse import MIN_CHARACTERS, find_reused
from envkit.profile.declaration import Declaration
from envkit.profile.location import Location
from support.sides import side

SECRET = "a-long-secret-canary"
OTHER = "another-long-secret"


def reused(*sides):
    """Return the places of each finding, per variable: `{"KEY": [{"dev KEY", "prod KEY"}]}`."""
    found = find_reused(sides)
    assert SECRET not in repr(found)
    assert all(finding.kind == "reused" for findings in found.values() for finding in findings)
    return {
        name: [
            {f"{place.environment} {place.name} {place.part}".strip() for place in finding.places}
            for finding in findings
        ]
        for name, findings in found.items()
    }


def test_a_secret_of_two_environments_is_found_once_for_each_name():
    assert reused(side("dev", {"KEY": SECRET}), side("prod", {"KEY": SECRET})) == {
        "KEY": [{"dev KEY", "prod KEY"}]
    }
    assert reused(side("dev", {"KEY": SECRET}), side("prod", {"TOKEN": SECRET})) == {
        name: [{"dev KEY", "prod TOKEN"}] for name in ("KEY", "TOKEN")
    }


def test_different_secrets_are_not_reused():
    assert reused(side("dev", {"KEY": SECRET}), side("prod", {"KEY": OTHER})) == {}


def test_one_environment_may_have_a_secret_twice():
    assert reused(side("dev", {"KEY": SECRET, "TOKEN": SECRET}), side("prod", {"A": OTHER})) == {}
    same = side("prod@v12", {"KEY": SECRET}, belongs_to="prod")
    assert reused(side("prod", {"KEY": SECRET}), same) == {}


def test_a_side_that_belongs_to_no_environment_shares_with_none():
    nowhere = side("env:", {"KEY": SECRET}, belongs_to=None, assumed=True)
    assert reused(side("prod", {"KEY": SECRET}), nowhere) == {}


def test_a_password_inside_a_url_counts_and_its_part_is_named():
    url = f"postgresql://app:{SECRET}@db/app"
    assert reused(side("dev", {"KEY": SECRET}), side("prod", {"URL": url})) == {
        name: [{"dev KEY", "prod URL password"}] for name in ("KEY", "URL")
    }


def test_the_same_url_is_one_finding_and_not_two():
    url = f"postgresql://app:{SECRET}@db/app"
    assert reused(side("dev", {"URL": url}), side("prod", {"URL": url})) == {
        "URL": [{"dev URL", "prod URL"}]
    }


def test_a_part_is_not_named_where_its_name_may_be_a_secret_itself():
    [dev, prod] = [
        side(label, {"USERS": f'{{"{label}-Zk3mQ8vT1xYpW7uR": {{"password": "{SECRET}"}}}}'})
        for label in ("dev", "prod")
    ]
    assert reused(dev, prod) == {"USERS": [{"dev USERS a part", "prod USERS a part"}]}


@pytest.mark.parametrize("literals_in", ["dev", "prod"])
def test_a_literal_counts_where_the_other_one_is_a_secret(literals_in):
    sides = [
        side(label, **{"literals" if label == literals_in else "secrets": {"KEY": SECRET}})
        for label in ("dev", "prod")
    ]
    assert reused(*sides) == {"KEY": [{"dev KEY", "prod KEY"}]}


def test_two_literals_are_settings_and_no_secrets():
    assert reused(side("dev", {}, {"KEY": SECRET}), side("prod", {}, {"KEY": SECRET})) == {}


def test_a_file_alone_does_not_make_a_value_a_secret():
    files = [
        side(f"file:.env.{e}", {"MODE": SECRET}, belongs_to=e, assumed=True) for e in ("a", "b")
    ]
    files = [one._replace(secret_names=frozenset()) for one in files]
    assert reused(*files) == {}
    assert reused(side("prod", {"KEY": SECRET}), files[0]) == {
        name: [{"prod KEY", "file:.env.a MODE"}] for name in ("KEY", "MODE")
    }


def test_a_short_value_says_nothing():
    short, enough = "x" * (MIN_CHARACTERS - 1), "x" * MIN_CHARACTERS
    assert reused(side("dev", {"A": short}), side("prod", {"A": short})) == {}
    assert reused(side("dev", {"A": enough}), side("prod", {"A": enough})) != {}


@pytest.mark.parametrize(("kind", "counts"), [("int", False), ("string", True), ("url", True)])
def test_a_value_of_a_plain_type_says_nothing(kind, counts):
    place = Location("/profiles/dev.toml", 1)
    declared = {"A": Declaration("A", {"type": kind}, {}, place)}
    sides = [side(label, {"A": "1234567890"}, declared=declared) for label in ("dev", "prod")]
    assert bool(reused(*sides)) is counts

"""Secrets that environments share are found under any name, whole or in part, and not shown."""

import pytest

from envkit.comparison.compare import diff
from envkit.comparison.model import Place
from envkit.comparison.reuse import MIN_CHARACTERS, find_reused
from envkit.profile.loader import load
from support.sides import entry, finding, side, status

SECRET = "a-secret-of-some-length"


@pytest.mark.parametrize(
    ("dev", "prod", "parts"),
    [
        ({"KEY": SECRET}, {"KEY": SECRET}, ("", "")),
        ({"OLD": SECRET}, {"NEW": SECRET}, ("", "")),
        (
            {"DB": f"postgresql://app:{SECRET}@db.dev/app"},
            {"DB": f"postgresql://app:{SECRET}@db.prod/app"},
            ("password", "password"),
        ),
        (
            {"PASSWORD": "p@ss/word+1"},
            {"DB": "postgresql://app:p%40ss%2Fword+1@db/app"},
            ("", "password"),
        ),
        (
            {"CONFIG": f'{{"db": {{"password": "{SECRET}"}}, "n": 1}}'},
            {"CONFIG": f'{{"db": {{"password": "{SECRET}"}}, "n": 2}}'},
            ("/db/password", "/db/password"),
        ),
        (
            {"JSON": '{"password": "\\ud800-and-more", "n": 1}'},
            {"JSON": '{"password": "\\ud800-and-more", "n": 2}'},
            ("/password", "/password"),
        ),
        (
            {"DB": f"postgresql://app:{SECRET}@db/app"},
            {"DB": f"postgresql://app:{SECRET}@db/app"},
            ("", ""),
        ),
    ],
    ids=[
        "a value",
        "a value under another name",
        "the password of two URLs",
        "the encoded password of a URL",
        "a password inside JSON",
        "half a surrogate pair inside JSON",
        "a whole URL says nothing more by its password",
    ],
)
def test_a_secret_in_two_environments_is_reused(dev, prod, parts):
    sides = side("dev", dev), side("prod", prod)
    for name in {**dev, **prod}:
        assert status(name, *sides) == "reused"
        reused = finding("reused", entry(name, *sides))
        assert reused.places == (Place("dev", *dev, parts[0]), Place("prod", *prod, parts[1]))
        assert reused.dangerous


def test_a_secret_in_two_of_three_environments_is_reused():
    reused = [side(label, {"KEY": SECRET}) for label in ("staging", "prod")]
    assert status("KEY", side("dev", {"KEY": "another-secret"}), *reused) == "reused"


def test_a_secret_written_into_another_profile_is_reused():
    found = entry("KEY", side("dev", literals={"KEY": SECRET}), side("prod", {"KEY": SECRET}))
    assert found.status == "reused"


def test_a_short_value_or_two_literals_are_not_reused():
    for values in ({"X": "1234567"}, None), (None, {"X": "eu-central-1"}):
        assert status("X", side("dev", *values), side("prod", *values)) == "same"


def test_a_value_of_a_plain_type_is_not_reused(project):
    project.profile("prod.toml", '[variables]\nN = { value = "{{ N }}", type = "int" }\n')
    declared = load("prod", str(project.profiles)).variables
    sides = [side(label, {"N": "1234567890"}, declared=declared) for label in ("dev", "prod")]
    assert status("N", *sides) == "same"


def test_two_points_in_time_of_one_environment_may_share_a_secret():
    now, then = (side(label, {"KEY": SECRET}, belongs_to="prod") for label in ("prod", "prod@v1"))
    assert status("KEY", now, then) == "same"
    assert status("KEY", now, then, side("dev", {"KEY": SECRET})) == "reused"


def test_a_process_may_share_the_secrets_of_the_compared_environment():
    process = side("pid:1", {"KEY": SECRET}, belongs_to=None, assumed=True)
    assert status("KEY", process, side("prod", {"KEY": SECRET})) == "same"


def test_two_files_without_a_profile_share_no_known_secret():
    files = [side(f"file:{name}", {"KEY": SECRET}, assumed=True) for name in "ab"]
    assert status("KEY", *files) == "same"
    assert status("KEY", files[0], side("prod", {"KEY": SECRET})) == "reused"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NODE_ENV", "production"),
        ("MAIL_FROM", "Shop <hello@example.com>"),
        ("REDIS_URL", "redis://localhost:6379"),
    ],
)
def test_a_setting_from_a_store_is_not_reused_unless_declared_secret(project, name, text):
    dev, prod = side("dev", {name: text}), side("prod", {name: text})
    assert status(name, dev, prod) == "same"
    declared = f'[variables]\n{name} = {{ value = "{{{{ {name} }}}}", secret = true }}\n'
    project.profile("prod.toml", declared)
    prod = prod._replace(declared=load("prod", "profiles").variables)
    assert status(name, dev, prod) == "reused"


def test_many_variables_with_one_value_are_found_in_linear_time():
    values = {f"NAME{number}": SECRET for number in range(1000)}
    found = diff(side("dev", values), side("prod", values))
    assert len({id(entry.findings[0]) for entry in found.entries}) == 1


def test_a_value_counts_from_the_minimum_length():
    short, enough = "x" * (MIN_CHARACTERS - 1), "x" * MIN_CHARACTERS
    assert find_reused([side("dev", {"A": short}), side("prod", {"A": short})]) == {}
    assert find_reused([side("dev", {"A": enough}), side("prod", {"A": enough})]) != {}


def test_a_part_whose_name_may_be_a_secret_is_not_named():
    [dev, prod] = [
        side(label, {"USERS": f'{{"{label}-Zk3mQ8vT1xYpW7uR": {{"password": "{SECRET}"}}}}'})
        for label in ("dev", "prod")
    ]
    found = find_reused([dev, prod])
    assert [place.part for place in found["USERS"][0].places] == ["a part", "a part"]
    assert SECRET not in repr(found)

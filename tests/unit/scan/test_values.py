"""Which values of an environment are searched for, and why the others are not."""

import pytest

from envkit._internal.clock import Deadline
from envkit.scan.environments import choose, read
from envkit.scan.values import Owner, Skipped, wanted

LINE = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzA1bC3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0"


@pytest.fixture
def wanted_of(project):
    """Return what is searched for in a profile whose values are in its .env file."""

    def find(variables, **values):
        project.profile("dev.toml", f"[variables]\n{variables}\n")
        project.dotenv("dev", "".join(f"{name}='{value}'\n" for name, value in values.items()))
        deadline = Deadline(5)
        given = {"environ": {"PATH": "/usr/bin"}, "deadline": deadline, "has_reason": True}
        chosen = choose(["dev"], str(project.profiles), **given)
        return wanted((one.values for one in read(chosen, deadline)), {})

    return find


def test_the_text_from_the_store_is_searched_for(wanted_of):
    found = wanted_of('URL = "amqp://x:{{ PW | urlencode }}@q"', PW="p@ss/w0rd-Zq")
    assert {b"p@ss/w0rd-Zq", b"p%40ss%2Fw0rd-Zq"} <= {*found.texts}
    assert found.searched == (Owner("dev", "URL"),)
    assert found.skipped == {}


def test_the_password_in_a_value_is_searched_for_too(wanted_of):
    found = wanted_of('URL = "{{ URL }}"', URL="postgresql://app:s3cr3t-pw@db.internal/shop")
    assert b"s3cr3t-pw" in found.texts
    assert b"postgresql://app:s3cr3t-pw@db.internal/shop" in found.texts


def test_a_part_is_judged_by_its_own_name_and_not_by_its_neighbours(wanted_of):
    found = wanted_of(
        'URL = "pg://{{ USER }}:{{ DB_PASSWORD }}@{{ DB_HOST }}/shop"',
        USER="shop-app",
        DB_PASSWORD="letmein-now",
        DB_HOST="db.internal.shop.io",
    )
    assert b"letmein-now" in found.texts
    assert {b"db.internal.shop.io", b"shop-app"}.isdisjoint(found.texts)


def test_a_text_is_secret_if_its_variable_or_its_field_says_so(wanted_of):
    assert wanted_of('TOKEN = "{{ A }}"', A="letmein-now").searched
    assert wanted_of('A = "{{ TOKEN }}"', TOKEN="letmein-now").searched
    assert not wanted_of('A = "{{ B }}"', B="letmein-now").searched


def test_a_short_password_is_searched_for_with_the_value_around_it(wanted_of):
    found = wanted_of('URL = "{{ URL }}"', URL="postgresql://app:pw3@db.internal/shop")
    assert b"pw3" not in found.texts
    assert b"postgresql://app:pw3@db.internal/shop" in found.texts


def test_a_key_of_several_lines_is_found_by_one_of_its_lines(wanted_of):
    pem = f"-----BEGIN PRIVATE KEY-----\nshort\n{LINE}\n-----END PRIVATE KEY-----\n"
    found = wanted_of('KEY = "{{ KEY }}"', KEY=pem)
    assert LINE.encode() in found.texts
    assert pem.strip().encode() in found.texts
    assert b"-----BEGIN PRIVATE KEY-----" not in found.texts


def test_a_very_long_value_is_found_by_its_middle(wanted_of):
    long = "".join(f"{number:x}-" for number in range(50_000))
    found = wanted_of('BUNDLE_SECRET = "{{ B }}"', B=long)
    assert max(map(len, found.texts)) < 3 * 4096
    assert sum(raw in long.encode() for raw in found.texts) == 1


def test_variables_with_the_same_value_share_a_text(wanted_of):
    found = wanted_of('A_TOKEN = "{{ A }}"\nB_TOKEN = "{{ B }}"', A="aB3dE5fG7h", B="aB3dE5fG7h")
    label = found.texts[b"aB3dE5fG7h"]
    assert label.owners == (Owner("dev", "A_TOKEN"), Owner("dev", "B_TOKEN"))


@pytest.mark.parametrize(
    ("declared", "value", "reason"),
    [
        ('"{{ X }}"', "aB3!E5f", Skipped.SHORT),
        ('{ value = "{{ X }}", secret = true }', "x", Skipped.SHORT),
        ('"{{ X }}"', "x", Skipped.SETTING),
        ('"{{ X }}"', "", Skipped.SHORT),
        ('"{{ X }}"', "production", Skipped.SETTING),
        ('{ value = "{{ X }}", secret = false }', "aB3dE5fG7h", Skipped.SETTING),
        ('{ value = "{{ X }}", type = "int" }', "1234567890", Skipped.SETTING),
        ('{ value = "{{ X }}", choices = ["aB3dE5fG7h"] }', "aB3dE5fG7h", Skipped.SETTING),
        ('"aB3dE5fG7h"', "", Skipped.LITERAL),
        ('{ value = "aB3dE5fG7h", secret = true }', "", Skipped.LITERAL),
        ('{ value = "{{ NO }}", default = "aB3dE5fG7h" }', "", Skipped.LITERAL),
    ],
)
def test_a_value_that_is_not_searched_for_has_a_reason(wanted_of, declared, value, reason):
    found = wanted_of(f"X = {declared}", X=value)
    assert (dict(found.texts), found.searched) == ({}, ())
    assert found.skipped == {Owner("dev", "X"): reason}


def test_a_common_password_is_not_searched_for(wanted_of):
    found = wanted_of('DB_PASSWORD = "{{ X }}"', X="postgres")
    assert found.skipped == {Owner("dev", "DB_PASSWORD"): Skipped.COMMON}


@pytest.mark.parametrize("value", ["production", "postgres", "1234567890"])
def test_a_value_that_a_profile_declares_secret_is_searched_for(wanted_of, value):
    found = wanted_of('X = { value = "{{ X }}", secret = true }', X=value)
    assert value.encode() in found.texts


def test_the_texts_are_not_in_a_representation(wanted_of):
    found = wanted_of('X = "{{ X }}"', X="aB3dE5fG7h")
    assert repr(found) == "Wanted(4 texts)"

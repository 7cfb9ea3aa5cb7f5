"""Settings as they are written: what is fixed in them, and what depends on the environment."""

from __future__ import annotations

import pytest

from envkit.profile.loader import load
from envkit.trust.written import alone, credentials, fixed, in_environment, references, with_marks


@pytest.fixture
def profile(project):
    project.profile(
        "prod.toml",
        '[sources.env]\ntype = "dotenv"\n'
        '[sources.mine]\ntype = "env"\n'
        '[variables]\nHOST = "{{ vault:db#host }}"\nURL = "pg://{{ HOST }}"\n',
    )
    return load("prod", str(project.profiles))


def test_credentials_are_the_placeholders_of_all_texts_once(project):
    project.profile("dev.toml", "")
    setting = {"token": "{{ env:T }}", "more": ["{{ env:T }}", "{{ dotenv:K | trim }}", "x"]}
    dev = load("dev", str(project.profiles))
    assert credentials(dev, setting) == ("{{ env:T }}", "{{ dotenv:K }}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("https://v", "https://v"), ('{{ "{{" }}x', "{{x"), ("{{ env:ADDR }}", None)],
)
def test_a_text_is_fixed_if_none_of_its_placeholders_depends_on_the_environment(text, expected):
    assert fixed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pg://app:{{ env:PW | urlencode }}@db", "pg://app:*@db"),
        ("pg://app:{{ env:PW }}@db", None),
        ("pg://app@db", "pg://app@db"),
    ],
)
def test_only_an_encoded_value_certainly_stays_in_its_part_of_a_url(text, expected):
    assert with_marks(text, "*") == expected


def test_a_placeholder_is_alone_only_without_text_around_it():
    assert str(alone("{{ env:A }}")) == "{{ env:A }}"
    assert alone("{{ env:A }}/path") is None
    assert alone("https://v") is None


def test_the_type_of_a_source_decides_what_is_an_environment_variable(profile):
    environ = {"ADDR": "https://v"}
    assert in_environment(profile, "{{ mine:ADDR }}", environ) == "https://v"
    assert in_environment(profile, "{{ mine:UNSET }}", environ) == ""
    assert in_environment(profile, "{{ env:ADDR }}", environ) is None, "a .env file called env"


def test_references_are_followed_through_variables(profile):
    assert "vault:db#host" in map(str, references(profile, "{{ URL }}"))

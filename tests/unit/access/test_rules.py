"""The table `[access]`: what it means, and where a mistake in it is."""

from __future__ import annotations

import pytest

from envkit.access.rules import read_rules
from envkit.errors import ProfileError
from envkit.profile.loader import load


@pytest.fixture
def rules(project):
    def read(table):
        project.profile("prod.toml", f"[access]\n{table}\n")
        return read_rules(load("prod", str(project.profiles)))

    return read


def test_a_profile_without_a_table_has_no_rules(project):
    project.profile("prod.toml", "")
    found = read_rules(load("prod", str(project.profiles)))
    assert (found.channels, found.hours) == ((), None)


def test_rules_have_the_channels_and_the_hours_of_the_table(rules):
    found = rules('notify = { command = ["tell"] }\nhours = "Mon 08:00-19:00 UTC"')
    assert [(one.kind, one.where) for one in found.channels] == [("command", ("tell",))]
    assert found.hours is not None
    assert found.hours.text == "Mon 08:00-19:00 UTC"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('hours = "Mon-Fry 08:00-19:00 UTC"', "'hours': 'Fry' is not a day of the week"),
        ('notify = [{ webhook = "https://x.example.com", on = ["success"] }]', "unknown key 'on'"),
        ('notify = [{ command = "tell" }]', "'command' must be a list"),
        ("notify = [{}]", "'notify' must name one of webhook, slack and command"),
        ('notify = [{ command = ["tell", "{{ env:A }}"] }]', "has a placeholder"),
    ],
)
def test_a_mistake_is_an_error_with_its_line(rules, table, said):
    with pytest.raises(ProfileError) as caught:
        rules(table)
    assert "profiles/prod.toml:2: [access]: " in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint

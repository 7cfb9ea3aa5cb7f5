"""A description has the profile's declaration of each variable and its resolved source."""

import pytest

from envkit._internal.clock import Deadline
from envkit.resolution.describe import describe
from envkit.resolution.environment import Environment, Variable
from envkit.resolution.prepare import prepare
from envkit.secret import Secret


@pytest.fixture
def described(project):
    """Describe environments with these values."""

    def make(environments, values, **options):
        prepared = prepare(environments, profiles=None, environ={}, deadline=Deadline(5), **options)
        variables = [
            Variable(name, Secret(value), True, "prod", None) for name, value in values.items()
        ]
        return describe(prepared, Environment("+".join(environments), variables))

    project.profile(
        "base.toml",
        '[variables]\nLEVEL = "info"\nKEY = { value = "{{ env:KEY }}", description = "d" }\n',
    )
    project.profile("prod.toml", '[variables]\nURL = "{{ KEY }}/"\nKEY = {}\nMODE = "x"\n')
    return make


def test_every_selected_variable_is_described_in_the_order_of_the_profile(described):
    found = described(["prod"], {"URL": "u", "KEY": "k", "MODE": "x"}, exclude=["KEY"])
    assert found.environment == "prod"
    described_as = [(one.name, one.profile, one.secret) for one in found.variables]
    assert described_as == [("URL", "prod", True), ("MODE", "prod", False)]
    assert [one.variable.value.reveal() for one in found.variables] == ["u", "x"]


def test_a_variable_without_a_value_is_described_too(described):
    absent = described(["prod"], {"MODE": "x"}).variables[1]
    assert (absent.name, absent.variable) == ("KEY", None)
    assert absent.declaration.place == "profiles/prod.toml:3"


def test_a_variable_of_several_environments_is_described_once_by_the_one_that_sets_it(
    described,
):
    found = described(["base", "prod"], {"LEVEL": "info", "KEY": "k"})
    assert found.environment == "base+prod"
    assert [(one.name, one.profile) for one in found.variables] == [
        *(("LEVEL", "base"), ("URL", "prod"), ("KEY", "prod"), ("MODE", "prod"))
    ]


def test_the_repr_of_a_description_shows_no_value(described):
    assert "canary" not in repr(described(["prod"], {"KEY": "canary"}))

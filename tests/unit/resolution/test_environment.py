"""An environment is a mapping of secrets that shows none of them."""

import pickle

import pytest

from envkit.errors import NoSuchVariableError
from envkit.resolution.environment import Environment, Origin, Variable
from envkit.secret import Secret

CANARY = "canary-91ab"


def variable(name, value, *, secret=True):
    return Variable(name, Secret(value), secret, "prod", None)


def test_an_environment_is_a_mapping_of_secrets():
    ours = Environment("prod", [variable("B", CANARY), variable("A", "")])
    assert list(ours) == ["B", "A"]
    assert dict(ours) == {"B": Secret(CANARY), "A": Secret("")}
    assert ours["B"].reveal() == CANARY
    assert "C" not in ours
    assert ours.get("C") is None
    assert ours.get("C", 3) == 3
    assert ours.get("A") == Secret("")


@pytest.mark.parametrize("look", [lambda env: env["TOKN"], lambda env: env.variable("TOKN")])
def test_an_unknown_name_is_a_key_error_with_the_nearest_name(look):
    with pytest.raises(KeyError) as caught:
        look(Environment("prod", [variable("TOKEN", CANARY), variable("A", "")]))
    assert isinstance(caught.value, NoSuchVariableError)
    assert str(caught.value) == "no variable 'TOKN' in prod\nhint: did you mean 'TOKEN'?"


@pytest.mark.parametrize("name", [3, None, b"A", ()])
def test_a_key_that_is_not_a_string_is_not_in_an_environment(name):
    ours = Environment("prod", [variable("A", CANARY)])
    assert name not in ours
    assert ours.get(name) is None
    with pytest.raises(KeyError):
        ours[name]


def test_the_repr_of_an_environment_shows_no_value():
    one = Variable("X", Secret(CANARY), True, "prod", None, (Origin("r", "l", "1"),), "default")
    ours = Environment("prod", [one])
    for shown in (repr(ours), str(ours), f"{ours}", repr(ours.variable("X")), repr(dict(ours))):
        assert CANARY not in shown
    assert repr(ours) == "Environment('prod', 1 variables)"
    with pytest.raises(TypeError):
        pickle.dumps(ours)


def test_secret_names_are_the_variables_to_mask():
    both = Environment("prod", [variable("A", "a"), variable("B", "b", secret=False)])
    assert both.secret_names() == {"A"}
    assert [one.name for one in both.variables()] == ["A", "B"]

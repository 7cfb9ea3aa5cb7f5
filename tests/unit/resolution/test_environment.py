"""An environment is a mapping of secrets that shows none of them."""

import pickle

import pytest

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
    with pytest.raises(KeyError):
        ours.variable("C")


def test_an_environment_does_not_show_its_values():
    one = Variable("X", Secret(CANARY), True, "prod", None, (Origin("r", "l", "1"),), "default")
    ours = Environment("prod", [one])
    for shown in (repr(ours), str(ours), f"{ours}", repr(ours.variable("X")), repr(dict(ours))):
        assert CANARY not in shown
    assert repr(ours) == "Environment('prod', 1 variables)"
    with pytest.raises(TypeError):
        pickle.dumps(ours)


def test_which_must_be_masked():
    both = Environment("prod", [variable("A", "a"), variable("B", "b", secret=False)])
    assert both.secret_names() == {"A"}
    assert [one.name for one in both.variables()] == ["A", "B"]

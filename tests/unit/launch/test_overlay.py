"""The environment of a started program: the profile overrides its parent, byte for byte."""

import pytest

from envkit.launch.overlay import overlay
from envkit.resolution.environment import Environment, Variable
from envkit.secret import Secret


def environment(values, *, bootstrap=()):
    variables = [Variable(name, Secret(text), True, "prod", None) for name, text in values.items()]
    return Environment("prod", variables, bootstrap=bootstrap)


PARENT = {
    b"PATH": b"/bin",
    b"HOME": b"/root",
    b"LC_ALL": b"C.UTF-8",
    b"LANG": b"C",
    b"NODE_ENV": b"parent",
    b"EDITOR": b"vi",
    b"ENVKIT_ENV": b"prod",
    b"DOTENV_PRIVATE_KEY": b"key",
    b"DOTENV_PRIVATE_KEY_PROD": b"key",
    b"VAULT_SECRET_ID": b"id",
    b"VAULT_TOKEN": b"token",
    b"NOT_ENVKIT_": b"kept",
}


@pytest.mark.parametrize(
    ("values", "pristine", "expected"),
    [
        ({}, False, {"NODE_ENV", "EDITOR", "VAULT_TOKEN", "NOT_ENVKIT_"}),
        ({}, True, set()),
        ({"X": "1"}, True, {"X"}),
        # variables of the profile are passed on, whatever their names
        (
            {"ENVKIT_ENV": "a", "VAULT_SECRET_ID": "b", "DOTENV_PRIVATE_KEY": "c"},
            True,
            {"ENVKIT_ENV", "VAULT_SECRET_ID", "DOTENV_PRIVATE_KEY"},
        ),
    ],
)
def test_exec_passes_on_parent_variables_unless_pristine(values, pristine, expected):
    ours = environment(values, bootstrap=["VAULT_SECRET_ID"])
    passed = overlay(ours, PARENT, pristine=pristine)
    assert {name.decode() for name in passed} == {"PATH", "HOME", "LC_ALL", "LANG"} | expected
    for name, value in values.items():
        assert passed[name.encode()] == value.encode()


def test_the_profile_wins_over_its_parent():
    passed = overlay(environment({"NODE_ENV": "profile", "PATH": "/own"}), PARENT)
    assert (passed[b"NODE_ENV"], passed[b"PATH"]) == (b"profile", b"/own")
    assert PARENT[b"NODE_ENV"] == b"parent"


@pytest.mark.parametrize(
    "raw", [b"", b" \t ", b"a\r\n\n", b"\xff\xfe\x80", "é密🔑".encode(), b"{{ x"]
)
def test_bytes_are_passed_unchanged(raw):
    ours = environment({"X": Secret.from_bytes(raw).reveal()})
    assert overlay(ours, {b"Y": raw})[b"X"] == raw
    assert overlay(ours, {b"Y": raw})[b"Y"] == raw

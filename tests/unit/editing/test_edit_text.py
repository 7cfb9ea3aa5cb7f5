"""The text that an editor gets, and the changes made in it."""

import pytest

from envkit.editing.edit_text import changes, file_name, render
from envkit.editing.find import find, prepare_edit
from envkit.errors import DotenvError, InvalidValueError, UsageError

HEAD = """\
# prod: change values, save and leave the editor.
# Removing a line changes nothing. To remove a value, run 'envkit unset'.
# To cancel, leave without saving.
"""
PROFILE = """\
[variables]
PORT = { value = 8080, type = "port" }
KEY = {}
NEW = {}
SAME = "{{ KEY }}"
OTHER = "x"
"""


@pytest.fixture
def editable(project):
    project.profile("prod.toml", PROFILE)
    project.dotenv("prod", "KEY='two\nlines'\n")
    return find(prepare_edit(("prod",), exclude=["OTHER"], environ={}))


def changed(editable, text):
    return {name: value.reveal() for name, value in changes(editable, text).items()}


def test_the_edit_text_has_each_value_below_its_place_and_comments_for_the_rest(editable):
    assert file_name(editable) == "prod.env"
    assert render(editable) == (
        f"{HEAD}\n# profiles/prod.toml:2\nPORT=8080\n"
        "\n# .env.prod#KEY\nKEY='two\nlines'\n"
        "\n# .env.prod#NEW\n# not set: NEW=\n"
        "\n# cannot be changed here:\n# SAME has the value of KEY\n"
    )


def test_a_value_that_no_dotenv_file_can_contain_is_a_comment(project):
    memory = '[sources.memory]\ntype = "memory"\nsecrets = { b = "encrypted:x" }\n'
    project.profile("prod.toml", f'{memory}[variables]\nB = "{{{{ memory:#b }}}}"\n')
    editable = find(prepare_edit(("prod",), environ={}))
    refused = "\n# cannot be changed here:\n# the value of B is not text\n"
    assert render(editable) == HEAD + refused


def test_an_unchanged_or_empty_edit_text_changes_nothing(editable):
    assert changed(editable, render(editable)) == {}
    assert changed(editable, "") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PORT=443\n", {"PORT": "443"}),
        ("PORT='8080'  # the same\n", {}),
        ("KEY=one\nPORT=8080\n", {"KEY": "one"}),
        ("KEY=\n", {"KEY": ""}),
        ("NEW=${KEY}\n", {"NEW": "${KEY}"}),
    ],
)
def test_only_values_that_differ_are_changes(editable, text, expected):
    assert changed(editable, text) == expected


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("PORT=1\nno definition\n", DotenvError, "prod.env:2: cannot parse"),
        ("\nPROT=1\n", UsageError, "prod.env:2: prod has no variable 'PROT'"),
        ("SAME=1\n", UsageError, "prod.env:1: SAME cannot be changed here"),
        (
            "OTHER=1\n",
            UsageError,
            "prod.env:1: OTHER is not one of the variables that you are editing",
        ),
        (
            "PORT=canary\n",
            InvalidValueError,
            "the new value of PORT is not a port (1 to 65535); nothing was changed",
        ),
    ],
)
def test_an_ambiguous_edit_text_is_refused(editable, text, kind, message):
    with pytest.raises(kind) as caught:
        changes(editable, text)
    assert caught.value.message == message
    assert "canary" not in f"{caught.value.hint}"

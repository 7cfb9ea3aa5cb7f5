"""JSON: the forms that platforms download, and nothing that could be read in two ways."""

import json

import pytest

from envkit.importing.errors import ImportFileError
from envkit.importing.readers.json_file import read_json


def values(contents):
    return {entry.name: entry.value.reveal() for entry in contents.entries}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"A": "1", "B": "x\\ny"}', {"A": "1", "B": "x\ny"}),  # Heroku, Infisical
        (
            '{"A": 1.10, "B": 1e400, "C": -0, "D": true, "E": false}',
            {"A": "1.10", "B": "1e400", "C": "-0", "D": "true", "E": "false"},
        ),
        ('{"A": {"computed": "1", "raw": "${B}", "note": ""}}', {"A": "1"}),  # doppler secrets
        ('[{"key": "A", "value": "1", "type": "shared", "tags": []}]', {"A": "1"}),  # Infisical
        ('[{"name": "A", "value": 1}]', {"A": "1"}),
        ('{"A": "\\ud83d\\ude00"}', {"A": "\U0001f600"}),
        ("{}", {}),
        ("[]", {}),
    ],
)
def test_each_form_of_json_gives_the_text_of_its_values(text, expected):
    assert values(read_json(text, path="f.json")) == expected


def test_what_doppler_adds_to_a_download_and_null_are_not_needed():
    names = ("DOPPLER_PROJECT", "DOPPLER_ENVIRONMENT", "DOPPLER_CONFIG")
    contents = read_json(
        json.dumps({"A": "1", "B": None, **dict.fromkeys(names, "x")}), path="f.json"
    )
    assert values(contents) == {"A": "1"}
    assert [(one.name, one.needed) for one in contents.left_out] == [
        ("B", False),
        *((name, False) for name in names),
    ]


def test_a_restricted_secret_of_doppler_is_needed():
    text = '{"A": {"computed": null, "raw": null}, "B": {"computed": "1", "raw": "1"}}'
    contents = read_json(text, path="f.json")
    assert values(contents) == {"B": "1"}
    assert [(one.name, one.needed) for one in contents.left_out] == [("A", True)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"A": {"B": "x"}}', "f.json: /A is an object, and a variable is text"),
        ('{"A": ["x"]}', "f.json: /A is a list, and a variable is text"),
        ('{"A": "x", "A": "x"}', "f.json: the key A is there twice"),
        ('[{"key": "A", "value": "1"}, {"key": "A", "value": "2"}]', "f.json#1: A is set twice"),
        ('[{"key": "A"}]', "f.json: /0 has no 'key' and 'value'"),
        ('["A"]', "f.json: /0 has no 'key' and 'value'"),
        ('[{"key": "A", "value": {}}]', "f.json: /0/value is an object, and a variable is text"),
        ('"A"', "f.json is neither an object nor a list"),
        ('{"A": "hidden-1"\n', "f.json:2: not JSON (column 1)"),
        ('{"A": NaN}', "f.json: contains NaN, which is not JSON"),
        ('{"A": "x\\u0000y"}', "f.json#A: A contains a NUL character"),
        ('{"A": "\\ud800"}', "f.json#A: A is not UTF-8 text"),
        ("[" * 200_000, "f.json is nested too deeply"),
        ('{"A":' * 200_000, "f.json is nested too deeply"),
        ("", "f.json:1: not JSON (column 1)"),
    ],
)  # fmt: skip
def test_json_that_is_no_list_of_variables_is_refused_with_its_place(text, message):
    with pytest.raises(ImportFileError) as caught:
        read_json(text, path="f.json")
    assert caught.value.message.startswith(message)
    assert "hidden" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_key_that_may_be_a_secret_is_not_shown():
    secret = "9f8b1c7e52d04a6b9f8b1c7e52d04a6b9f8b1c7e"
    with pytest.raises(ImportFileError) as caught:
        read_json(json.dumps({secret: {}}), path="f.json")
    assert caught.value.message == "f.json: /... is an object, and a variable is text"
    [left] = read_json(json.dumps({f"{secret}-x": "1"}), path="f.json").left_out
    assert (left.name, left.needed) == ("...", True)

"""Files of profiles: their keys and types, and refusals, which show no content."""

import pytest

from envkit.errors import ProfileError
from envkit.profile.location import Location
from envkit.profile.toml_file import MAX_INTEGER, check_keys, names, read_text, read_toml

PLACE = Location("/nowhere/prod.toml", 7)
KNOWN = {
    "name": str,
    "on": bool,
    "count": int,
    "limit": (int, float),
    "list": list,
    "table": dict,
    "text": (str, int, bool),
}


@pytest.fixture
def write(project):
    def written(content, name="prod.toml"):
        path = project.profiles / name
        path.write_text(content, encoding="utf-8", newline="")
        return str(path)

    return written


def refusal(call):
    with pytest.raises(ProfileError) as caught:
        call()
    assert "canary" not in f"{caught.value.message} {caught.value.hint} {caught.value.__cause__}"
    return caught.value.message, caught.value.hint


def test_a_byte_order_mark_is_not_part_of_the_text(write):
    assert read_text(write("\ufeffA = '\u00e9'\r\n")) == "A = '\u00e9'\r\n"


def test_toml_is_read_with_the_lines_of_its_keys(write):
    content, top = read_toml(write("\n[variables]\n\nA = 'x'\n"))
    assert content == {"variables": {"A": "x"}}
    assert str(top.at("variables", "A")) == "profiles/prod.toml:4"


@pytest.mark.parametrize(
    ("content", "place", "reason"),
    [
        ('A = "x"\nB = canary-1\n', ":2:5", "invalid value"),
        ("A = canary-1", ":1:5", "invalid value"),
        ("[variables]\nX = 'canary-1", ":2", 'expected "\'"'),
        ("\nA = '''canary", ":2", "expected \"'''\""),
        ('\nX = """\ncanary-1\n', ":3", "unterminated string"),
        ("A = 1\nA = 'canary-1'\n", ":2:15", "cannot overwrite a value"),
        ("X = [\n'canary-1',\n", ":2", "invalid value"),
        ("X = 'canary-1\x01'", ":1:14", "found invalid character '\\x01'"),
        ("[a]\n[a]\nX = 'canary-1'", ":2:3", "cannot declare ('a',) twice"),
        (
            "X = 9" + "9" * 5000 + " # canary-1",
            "",
            "a number is too long, or lists are nested too deeply",
        ),
        (
            "X = " + "[" * 20_000 + "'canary-1'",
            "",
            "a number is too long, or lists are nested too deeply",
        ),
    ],
)
def test_invalid_toml_is_refused_with_nothing_but_its_place(write, content, place, reason):
    message = f"profiles/prod.toml{place}: not valid TOML: {reason}"
    shown, hint = refusal(lambda: read_toml(write(content)))
    assert shown == message
    assert "canary" not in (hint or "")


def test_a_deleted_file_is_refused(project):
    message, _ = refusal(lambda: read_text(str(project.profiles / "gone.toml")))
    assert message == "cannot read profiles/gone.toml: no such file or directory"


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"name": "x", "on": True, "count": 1, "list": [], "table": {}},
        {"count": MAX_INTEGER - 1},
        {"limit": 1},
        {"limit": 1.5},
        {"text": "x"},
        {"text": False},
    ],
)
def test_known_keys_of_the_right_type_are_accepted(table):
    check_keys(table, KNOWN, PLACE.at)


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        ({"nmae": "canary"}, "unknown key 'nmae'", "did you mean 'name'?"),
        ({"other": 1}, "unknown key 'other'", f"use one of: {', '.join(sorted(KNOWN))}"),
        ({"name": 1}, "'name' must be a string", "put it in quotes"),
        ({"on": 1}, "'on' must be true or false", "write on = true or on = false, without quotes"),
        *(
            ({"count": n}, "'count' must be a whole number", "write count = 1, without quotes")
            for n in (True, 1.0, MAX_INTEGER)
        ),
        ({"limit": "canary"}, "'limit' must be a number", "write limit = 1, without quotes"),
        ({"list": "canary"}, "'list' must be a list", 'write: list = ["..."]'),
        ({"table": []}, "'table' must be a table", "write: table = { ... }"),
        (
            {"text": 1.5},
            "'text' must be a string, a whole number or true or false",
            "put it in quotes",
        ),
    ],
)
@pytest.mark.parametrize(("owner", "prefix"), [("", ""), ("[sources.x]", "[sources.x]: ")])
def test_an_unknown_key_or_wrong_type_is_refused_with_a_hint(table, message, hint, owner, prefix):
    found = refusal(lambda: check_keys(table, KNOWN, PLACE.at, owner))
    assert found == (f"/nowhere/prod.toml:7: {prefix}{message}", hint)


@pytest.mark.parametrize(
    ("value", "found"), [("a", ("a",)), (["a", "b"], ("a", "b")), ([], ()), ("", ("",))]
)
def test_a_name_or_a_list_of_names_becomes_a_tuple(value, found):
    assert names(value, PLACE, "extends") == found


@pytest.mark.parametrize("value", [1, ["a", 1], {"a": "b"}, None])
def test_anything_but_a_list_of_names_is_refused(value):
    assert refusal(lambda: names(value, PLACE, "extends")) == (
        "/nowhere/prod.toml:7: 'extends' must be a list of names",
        'write: extends = ["..."]',
    )

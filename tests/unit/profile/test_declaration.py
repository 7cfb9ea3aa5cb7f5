"""One variable of a profile: the meaning of its table, and tables that are refused."""

import pytest

from envkit.errors import PlaceholderError, ProfileError
from envkit.profile.declaration import TYPES, Declaration, read_table
from envkit.profile.location import KeyLines, Location
from envkit.profile.placeholder import parse
from support.refusals import refusal as refused
from support.vectors import vectors

VECTORS = vectors("unit/profile/declaration")

LINES = KeyLines(lambda: {("A",): 3, ("A", "value"): 4, ("A", "type"): 5, ("A", "min"): 6})
PLACE = Location("/nowhere/prod.toml", lines=LINES).at("A")
WHERE = "/nowhere/prod.toml"


def declared(raw, name="A"):
    places = {key: PLACE.at(key) for key in raw}
    return Declaration(name, raw, places, PLACE)


def refusal(call):
    return refused(call, ProfileError)


def test_a_variable_without_a_table_is_required_and_looked_up_by_its_name():
    made = declared({})
    assert str(made.template) == "{{ A }}"
    assert (made.required, made.secret, made.default, made.type) == (True, None, None, "string")
    assert made.place == f"{WHERE}:3"


def test_every_key_of_a_table_is_read():
    raw = read_table(
        "A",
        {
            "value": "{{ vault:db#port }}",
            "default": 5432,
            "required": False,
            "secret": False,
            "type": "port",
            "min": 1,
            "max": 9.5,
            "pattern": "^5",
            "description": "of the database",
            "tags": ["db", 1],
        },
        PLACE,
    )
    made = declared(raw)
    assert str(made.template) == "{{ vault:db#port }}"
    assert (made.default, made.required, made.secret, made.type) == ("5432", False, False, "port")
    assert (made.minimum, made.maximum, made.pattern) == (1, 9.5, "^5")
    assert (made.description, made.tags) == ("of the database", ("db", "1"))
    assert made.place == f"{WHERE}:4", "the place of the value, where there is one"


@pytest.mark.parametrize(
    ("table", "mode"),
    [
        ({}, None),
        ({"as": "variable"}, None),
        ({"as": "file"}, 0o400),
        ({"as": "file", "mode": "0600"}, 0o600),
    ],
)
def test_a_variable_is_a_file_for_its_owner_alone_if_the_profile_says_so(table, mode):
    made = declared(read_table("A", {"value": "x", **table}, PLACE))
    assert (made.file_mode, made.is_plain) == (mode, mode is None)


@pytest.mark.parametrize(
    ("value", "text"), [("x", "x"), (8080, "8080"), (True, "true"), (False, "false"), ("", "")]
)
def test_a_value_without_a_table_is_read_as_text(value, text):
    assert read_table("A", value, PLACE) == {"value": text}
    assert read_table("A", {"default": value}, PLACE) == {"default": text}


def test_choices_make_an_enum_unless_a_type_is_given():
    assert declared({"choices": ["a", "b"]}).type == "enum"
    assert declared({"choices": ["1", "2"], "type": "int"}).type == "int"


@pytest.mark.parametrize("kind", TYPES)
def test_a_declaration_accepts_each_type(kind):
    assert read_table("A", {"type": kind, "choices": ["a"]}, PLACE)["type"] == kind


@pytest.mark.parametrize(
    ("table", "message", "hint"), VECTORS["a_table_that_means_nothing_is_refused_at_its_line"]
)
def test_a_meaningless_table_is_refused_at_its_line(table, message, hint):
    assert refusal(lambda: read_table("A", table, PLACE)) == (f"{WHERE}{message}", hint)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MY-VAR", "did you mean 'MY_VAR'?"),
        ("2FA", "did you mean '_2FA'?"),
        ("", "use letters, digits and '_', not beginning with a digit"),
        ("--", "use letters, digits and '_', not beginning with a digit"),
    ],
)
def test_an_invalid_variable_name_is_refused_with_the_closest_valid_one(name, hint):
    found = refusal(lambda: read_table(name, "x", PLACE))
    assert found == (f"{WHERE}:3: {name!r} is not a variable name", hint)


def test_keys_that_exclude_each_other_are_refused():
    found = refusal(lambda: declared({"type": "enum"}))
    assert found == (f"{WHERE}:5: A: type 'enum' needs 'choices'", 'write: choices = ["..."]')
    message, _ = refusal(lambda: declared({"min": 2, "max": 1}))
    assert message == f"{WHERE}:6: A: 'min' is greater than 'max'"
    assert declared({"min": 2, "max": 2}).minimum == 2
    found = refusal(lambda: declared({"type": "string", "mode": "0400"}))
    assert found[0].endswith(": A: 'mode' is for a variable as a file")


def test_an_invalid_template_is_refused_with_its_place_and_column():
    with pytest.raises(PlaceholderError) as caught:
        declared({"value": "x{{ B"})
    assert caught.value.message == f"{WHERE}:4: A: '{{{{' has no '}}}}' (column 2 of the value)"
    assert str(caught.value).startswith(f"{WHERE}:4: A: ")


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        ({"value": "{{ vault:a }}"}, True),
        ({}, True),
        ({"value": "b"}, False),
        ({"value": "b", "secret": True}, True),
        ({"value": "{{ vault:a }}", "secret": False}, False),
    ],
)
@pytest.mark.parametrize("value", ["", "x", "{{ not a placeholder"])
def test_a_command_line_value_is_a_literal_and_as_secret_as_what_it_replaces(raw, secret, value):
    made = declared(raw)
    made.set_value(value)
    assert made.template.parts == ((value,) if value else ())
    assert parse(str(made.template)) == made.template
    assert made.secret is secret
    assert made.place == "--set"

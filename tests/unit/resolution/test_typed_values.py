"""`env.int("WORKERS")` and similar methods follow the declared type; errors show no value."""

import traceback
from datetime import timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from urllib.parse import urlparse

import pytest

import envkit
from envkit.errors import EnvkitError, InvalidValueError, NoSuchVariableError, WrongTypeError
from envkit.profile.declaration import TYPES
from envkit.resolution.environment import TypedReader

CANARY = "canary-3e77"


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Size(IntEnum):
    ONE = 1


@pytest.fixture
def environment(project):
    """Return a function that resolves a text of `[variables]`, with `.env` lines."""

    def resolve(variables, dotenv="", **options):
        project.profile("prod.toml", f"[variables]\n{variables}\n")
        project.dotenv("prod", dotenv)
        return envkit.resolve("prod", environ={}, **options)

    return resolve


def declared(kind, text, method="str"):
    """Return a line of a profile, and the `.env` line with its value."""
    choices = ', choices = ["low", "high", "1", "a,b"]' if kind == "enum" else ""
    kind = f', type = "{kind}"' if kind else ""
    return f'X = {{ value = "{{{{ dotenv:X }}}}"{kind}{choices} }}', f"X='{text}'\n"


def refused(read, *args, **kwargs):
    """Return the error, and check that no local variable in its traceback has the value."""
    with pytest.raises(EnvkitError) as caught:
        read(*args, **kwargs)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert CANARY not in "".join(shown.format())
    assert caught.value.__context__ is None
    return caught.value


READ = [
    ("str", " x y ", " x y "),
    ("int", "-4", -4),
    ("float", "0.5", 0.5),
    ("bool", "Yes", True),
    ("bool", "off", False),
    ("url", "pg://u:p%40@h:5/d?a=b#c", urlparse("pg://u:p%40@h:5/d?a=b#c")),
    ("port", "8080", 8080),
    ("email", "a@b.example", "a@b.example"),
    ("json", '{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
    ("duration", "1m30s", timedelta(seconds=90)),
    ("base64", "_-8=", b"\xff\xef"),
    ("path", "/a/b", Path("/a/b")),
]


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize(("kind", "text", "value"), READ)
def test_a_variable_is_read_as_its_declared_type_or_as_any_without_one(
    environment, kind, text, value, typed
):
    env = environment(*declared({"str": "string"}.get(kind, kind) if typed else "", text))
    for name in (kind, "str"):
        found = getattr(env, name)("X")
        expected = value if name == kind else text
        assert (found, type(found)) == (expected, type(expected))
        assert getattr(env, name)("X", None) == expected


def test_every_type_of_the_profile_has_a_method_of_its_name():
    assert {kind for kind in TYPES if not hasattr(TypedReader, kind)} == {"string"}


@pytest.mark.parametrize(
    ("text", "options", "items"),
    [
        ("", {}, []),
        ("a", {}, ["a"]),
        (" a , b,,c, ", {}, ["a", "b", "c"]),
        ("80,443", {"subcast": int}, [80, 443]),
        ("1.5,2", {"subcast": float}, [1.5, 2.0]),
        ("no,on", {"subcast": bool}, [False, True]),
        ("1.10,2", {"subcast": Decimal}, [Decimal("1.10"), Decimal(2)]),
        ("a,b", {"subcast": str.upper}, ["A", "B"]),
        ('["a", " b, c ", "", 1, true]', {}, ["a", " b, c ", "1", "true"]),
        ("[1, 2]", {"subcast": int}, [1, 2]),
        ("[]", {}, []),
        ("[::1]:80,[::2]:80", {}, ["[::1]:80", "[::2]:80"]),
        ("[1.10, 1e5, -0, 1E400]", {}, ["1.10", "1e5", "-0", "1E400"]),
        ('[{"rate": 1.10}, [2.0]]', {}, ['{"rate":1.10}', "[2.0]"]),
    ],
)
def test_a_list_is_read_from_commas_or_a_json_array(environment, text, options, items):
    env = environment(*declared("", text))
    assert env.list("X", **options) == items
    assert [type(item) for item in env.list("X", **options)] == [type(item) for item in items]


def test_a_json_variable_is_read_as_a_list_only_if_it_is_an_array(environment):
    assert environment(*declared("json", '["a", 2]')).list("X", subcast=str) == ["a", "2"]
    for text in ('{"a": 1}', '"a,b"', "5"):
        env = environment(*declared("json", text))
        assert "it is not a JSON array" in str(refused(env.list, "X"))


@pytest.mark.parametrize(
    ("text", "kind", "member"),
    [("low", Level, Level.LOW), ("HIGH", Level, Level.HIGH), ("1", Size, Size.ONE)],
)
def test_an_enum_is_read_by_value_and_by_name(environment, text, kind, member):
    assert environment(*declared("", text)).enum("X", kind) is member


def test_choices_can_be_read_as_their_own_type(environment):
    assert environment(*declared("enum", "1")).int("X") == 1
    assert environment(*declared("enum", "low")).enum("X", Level) is Level.LOW
    assert environment(*declared("enum", "a,b")).list("X") == ["a", "b"]


METHODS = ["int", "float", "bool", "url", "port", "email", "json", "duration", "base64", "path"]
INCLUDED = {
    "int": {"int", "float", "port", "duration"},
    "port": {"port", "int", "float"},
    "float": {"float", "duration"},
    "json": {"json", "list"},
}
TEXTS = {kind: text for kind, text, _ in READ if kind != "bool"} | {"bool": "yes", "int": "30"}


@pytest.mark.parametrize("kind", METHODS)
def test_a_type_other_than_the_declared_one_is_refused_with_both_named(environment, kind):
    env = environment(*declared(kind, TEXTS[kind]))
    for asked in {*METHODS, "list"} - INCLUDED.get(kind, {kind}):
        error = refused(getattr(env, asked), "X")
        assert isinstance(error, WrongTypeError)
        assert error.message == (
            f"X (profiles/prod.toml:2) has the type {kind!r} in the profile, and the program "
            f"reads it as {asked!r}"
        )
        assert f"call env.{kind}('X')" in error.hint
        assert refused(getattr(env, asked), "X", default=None).code == "wrong-type"
    for asked in INCLUDED.get(kind, {kind}):
        if (kind, asked) != ("json", "list"):
            getattr(env, asked)("X")
    assert refused(env.enum, "X", Level).code == "wrong-type"


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (lambda env: env.int("X"), "as 'int': it is not a whole number"),
        (lambda env: env.float("X"), "as 'float': it is not a number"),
        (lambda env: env.bool("X"), "as 'bool': it is not a truth value"),
        (lambda env: env.url("X"), "as 'url': it is not a URL"),
        (lambda env: env.port("X"), "as 'port': it is not a port"),
        (lambda env: env.email("X"), "as 'email': it is not an e-mail address"),
        (lambda env: env.json("X"), "as 'json': it is not JSON"),
        (lambda env: env.duration("X"), "as 'duration': it is not a duration"),
        (lambda env: env.base64("X"), "as 'base64': it is not base64"),
        (lambda env: env.enum("X", Level), "as 'enum': it is not a member of Level (low, high)"),
        (lambda env: env.list("X", subcast=int), "has an item 1 that is not a whole number"),
        (lambda env: env.list("X", subcast=Decimal), "item 1 that subcast refuses (InvalidOper"),
        (lambda env: env.list("X", subcast=Level), "item 1 that subcast refuses (ValueError)"),
        (lambda env: env.list("X", subcast={}.__getitem__), "subcast refuses (KeyError)"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_and_not_shown(environment, read, wrong):
    env = environment(*declared("", CANARY))
    error = refused(read, env)
    assert isinstance(error, InvalidValueError)
    assert error.message.startswith("cannot read X (profiles/prod.toml:2) of prod as ")
    assert wrong in error.message
    assert error.hint == "fix the value in .env.prod:1, or read it as another type"


def test_a_duration_that_is_too_long_is_refused(environment):
    assert "it is too long a duration" in str(
        refused(environment("X = '9999999999w'").duration, "X")
    )


class TestMissingVariables:
    @pytest.fixture
    def env(self, environment):
        return environment(
            'WORKERS = { value = "{{ dotenv:W }}", type = "int", required = false }\nB = "b"'
        )

    @pytest.mark.parametrize("default", [3, None, "x", 0, [], ...])
    def test_a_default_is_returned_unchanged(self, env, default):
        for method in [*METHODS, "str", "list"]:
            assert getattr(env, method)("NOT_THERE", default) is default
            assert getattr(env, method)("NOT_THERE", default=default) is default
        assert env.int("WORKERS", default) is default
        assert env.enum("NOT_THERE", Level, default) is default

    def test_the_error_for_an_optional_variable_names_where_it_is_declared(self, env):
        error = refused(env.int, "WORKERS")
        assert isinstance(error, NoSuchVariableError)
        assert str(error) == (
            "WORKERS is not set in prod, which profiles/prod.toml:2 allows\n"
            "hint: set it in its store, or pass a default"
        )

    def test_a_mistyped_name_gets_a_suggestion_even_of_a_variable_that_is_not_set(self, env):
        assert refused(env.int, "WORKRES").hint == "did you mean 'WORKERS'?"

    def test_the_type_is_checked_even_if_the_variable_is_not_set(self, env):
        assert refused(env.bool, "WORKERS", default=False).code == "wrong-type"

    def test_an_empty_value_is_not_replaced_by_the_default(self, environment):
        assert refused(environment('X = ""').int, "X", default=3).code == "value-invalid"


def test_the_last_of_several_environments_declares_the_type(project):
    project.profile("one.toml", '[variables]\nA = { value = "1", type = "int" }\nB = "1"\n')
    project.profile("two.toml", '[variables]\nA = "yes"\n')
    env = envkit.resolve("one", "two")
    assert env.bool("A") is True
    assert env.int("B") == 1


def test_a_command_line_value_is_named_as_one_in_an_error(environment):
    env = environment(*declared("", "1"), overrides={"X": CANARY})
    assert "cannot read X (--set) of prod" in refused(env.int, "X").message

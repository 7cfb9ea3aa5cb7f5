"""Types and forms: what fits, what does not, and that no message shows the value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.profile.declaration import TYPES, Declaration
from envkit.profile.location import Location
from envkit.profile.value_types import duration_seconds, mismatch


def declared(**raw):
    place = Location("prod.toml")
    return Declaration("X", raw, dict.fromkeys(raw, place), place)


FITS = {
    "string": ["", "x", " ", "\n", "\udcff"],
    "int": ["0", "-1", "+7", "007", "9" * 100],
    "float": ["0", "-1.5", "1e5", "+.5", "9" * 100],
    "bool": ["true", "FALSE", "1", "0", "yes", "No", "on", "off"],
    "url": [
        "http://localhost",
        "HTTPS://user:p%40ss@example.com:8443/path?q=1#f",
        "http://[::1]:8080/",
        "postgresql://localhost:5432/myapp_dev",
        "postgresql:///db",
        "postgresql://a:1,b:2/db",
        "mongodb://u:p@a:27017,b:27017/?replicaSet=r",
        "redis://",
        "sqlite:///file.db",
        "file:///etc/x",
        "jdbc:postgresql://host/db",
        "jdbc:sqlserver://host:1433;databaseName=x",
    ],
    "port": ["1", "80", "65535"],
    "email": ["a@b.example", "first.last+tag@sub.b.example", "root@localhost"],
    "json": ["{}", "[1, 2]", '"x"', "null", " 1 ", '{"a": {"b": []}}'],
    "enum": ["a", "b"],
    "duration": ["0", "90", "1.5", "30s", "1h30m", "250ms", "1.5h", "2w3d"],
    "base64": ["", "YQ==", "+/+/", "-_-_", "aGVsbG8="],
    "path": ["/", "a/b", ".", "~/x y"],
}

MISFITS = {
    "int": ["", "x", "1.5", "1e5", "--1", "-+1", "1_000", " 1", "1\n", "٣", "²", "0x1", "9" * 5000],
    "float": ["", "x", "nan", "inf", "-Infinity", "1_0.0", " 1", "1e999", "٣"],
    "bool": ["", "x", "2", "TRUE ", "y"],
    "url": [
        "",
        "localhost:5432",
        "example.com/path",
        "mailto:a@b.example",
        "://x",
        "1http://x",
        "http:/x",
        "http://",
        "http://:80",
        "https:///path",
        "http://a b",
        "http://a\n",
        "http://[::1",
        "postgresql://u:p#w@host/db",  # the password needs `| urlencode`
        "postgresql://u:p/w@host/db",
        "http://h:99999",
        "http://h:x",
    ],
    "port": ["", "0", "65536", "-1", "+80", "80.0", "http", "9" * 5000],
    "email": ["", "a", "@b", "a@", "a@@b", "a@b@c", "a@b..c", "a@.b", "a b@c", "a@b\n"],
    "json": ["", "{", "x", "'x'", "NaN", "[Infinity]", "[" * 100_000],
    "enum": ["", "c", "A", "a "],
    "duration": ["", "x", "1y", "-1s", "1 h", "1h 30m", "h", "1.s", "1s\n", "1h30", "٣s"],
    "base64": ["a", "YQ", "YQ=", "a b=", "YQ==\n", "é"],
    "path": [""],
}


def cases(table):
    return [(kind, value) for kind, found in table.items() for value in found]


def short(value):
    return repr(value)[:20] if isinstance(value, str) else None


def test_every_type_is_tested():
    assert set(FITS) == set(TYPES)
    assert set(MISFITS) == set(TYPES) - {"string"}


@pytest.mark.parametrize(("kind", "value"), cases(FITS), ids=short)
def test_what_fits(kind, value):
    choices = {"choices": ["a", "b"]} if kind == "enum" else {}
    assert mismatch(declared(type=kind, **choices), value) is None


@pytest.mark.parametrize(("kind", "value"), cases(MISFITS), ids=short)
def test_what_does_not(kind, value):
    choices = {"choices": ["a", "b"]} if kind == "enum" else {}
    said = mismatch(declared(type=kind, **choices), value)
    assert said is not None
    assert said.startswith("is not ")


@pytest.mark.parametrize(
    ("raw", "value", "said"),
    [
        ({"type": "int", "min": 1, "max": 5}, "1", None),
        ({"type": "int", "min": 1, "max": 5}, "5", None),
        ({"type": "int", "min": 1}, "0", "is below the minimum of 1"),
        ({"type": "int", "max": 10_000_000}, "10000001", "is above the maximum of 10000000"),
        ({"type": "int", "max": 5}, "9" * 400, "is above the maximum of 5"),
        ({"type": "int", "min": -2}, "-3", "is below the minimum of -2"),
        ({"type": "float", "min": 0.5}, "0.4", "is below the minimum of 0.5"),
        ({"type": "port", "min": 1024}, "80", "is below the minimum of 1024"),
        ({"type": "duration", "max": 60}, "1m", None),
        ({"type": "duration", "max": 60}, "1m1s", "is above the maximum of 60 s"),
        ({"min": 3}, "abc", None),
        ({"min": 3}, "ab", "is below the minimum of 3 characters"),
        ({"max": 3}, "abcd", "is above the maximum of 3 characters"),
        ({"type": "url", "max": 9}, "http://abc", "is above the maximum of 9 characters"),
        ({"choices": ["a", "b"]}, "a", None),
        ({"choices": ["a", "b"]}, "c", "is not one of the choices: a, b"),
        ({"type": "int", "choices": ["1", "2"]}, "3", "is not one of the choices: 1, 2"),
        ({"pattern": "^a+$"}, "aa", None),
        ({"pattern": "^a+$"}, "ba", "does not match the pattern ^a+$"),
        ({"pattern": "b"}, "abc", None),
        ({"type": "int", "pattern": "^1"}, "21", "does not match the pattern ^1"),
        ({"type": "int", "pattern": "^1"}, "1x", "is not a whole number"),
    ],
)
def test_bounds_choices_and_patterns(raw, value, said):
    assert mismatch(declared(**raw), value) == said


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("250ms", 0.25), ("1.5h", 5400), ("1h30m", 5400), ("2w3d", 1_468_800)],
)
def test_durations(text, seconds):
    assert duration_seconds(text) == seconds


@given(st.sampled_from([kind for kind in TYPES if kind != "enum"]), st.text(max_size=30))
def test_any_text_gives_an_answer_that_does_not_show_it(kind, value):
    shown = value + "canary-2f"
    said = mismatch(declared(type=kind, pattern="^canary$", min=10**6), shown)
    assert said is not None
    assert "canary-2f" not in said

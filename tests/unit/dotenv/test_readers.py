"""Which readers read a value differently. `tests/extra/test_readers.py` proves it with them."""

import pytest

from envkit.dotenv.readers import COMPOSE, NODE, SHELL, misreaders


@pytest.mark.parametrize(
    "value",
    [
        "",
        "plain",
        "a b",
        "a$HOME",
        "`id`",
        'say "hi"',
        "a\nb",
        "# x",
        "a\\nb",
        "it's",
        "'q'",
        "${X}",
    ],
)
def test_every_reader_reads_a_value_that_needs_no_escape(value):
    assert misreaders(value) == ()


@pytest.mark.parametrize(
    ("value", "readers"),
    [
        ("it's $HOME", (SHELL, NODE)),
        ("it's `id`", (SHELL, NODE)),
        ("it's \\ $HOME", (SHELL, COMPOSE, NODE)),
        ("$ \\\\", (SHELL, COMPOSE, NODE)),
        ("$\\", (SHELL, COMPOSE, NODE)),
        ("a\rb", (SHELL,)),
        ("a\r$HOME", (SHELL, COMPOSE)),
        ("a\r${HOME}", (SHELL, NODE)),
        ('a\r"', (SHELL, NODE)),
        ("it's \\n", (NODE,)),
        ('it\'s "it"', (NODE,)),
        ("ends with \\", (NODE,)),
    ],
)
def test_a_value_with_escapes_names_the_readers_that_lack_them(value, readers):
    assert misreaders(value) == readers

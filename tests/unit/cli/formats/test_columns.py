"""Tables on a terminal: they fit the width, lose nothing, and break no reference."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envkit.cli.formats.columns import lay_out
from envkit.cli.formats.layout import columns

HEADERS = ("ROTATION", "STATE", "LAST", "NEXT", "SECRET", "WHAT")
REFERENCE = "vault:secret/myapp/prod/services/database#password"
ROW = (
    *("prod/service-database", "waiting", "12 days ago", "2026-12-13 03:31 UTC (in 18 days)"),
    *(REFERENCE, "old value works until 2026-11-25 03:45 UTC"),
)


def shown(headers, rows, width):
    lines = lay_out(headers, [[(text, "") for text in row] for row in rows], width)
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines) + "\n"


def test_a_table_that_fits_has_a_line_for_each_row():
    assert shown(("NAME", "VALUE"), [("A", "one two"), ("LONG", "1")], 80) == (
        "NAME  VALUE\nA     one two\nLONG  1\n"
    )


def test_cells_are_wrapped_between_words():
    assert shown(("NAME", "WHAT"), [("A", "one two three")], 16) == (
        "NAME  WHAT\nA     one two\n      three\n"
    )


def test_a_reference_that_does_not_fit_has_a_line_below_its_row():
    assert shown(HEADERS, [ROW], 80) == (
        "ROTATION               STATE    LAST         NEXT              WHAT\n"
        "prod/service-database  waiting  12 days ago  2026-12-13 03:31  old value works\n"
        "                                             UTC (in 18 days)  until 2026-11-25\n"
        "                                                               03:45 UTC\n"
        f"    secret: {REFERENCE}\n"
    )


def test_only_the_cells_that_are_too_wide_are_below_where_most_fit():
    url = f"https://{'a' * 26}"
    rows = [("A", "short", "x"), ("B", "short", "x"), ("C", url, "x")]
    assert shown(("NAME", "VALUE", "FROM"), rows, 40).splitlines()[1:] == [
        "A     short                         x",
        "B     short                         x",
        "C                                   x",
        "    value:",
        f"      {url}",
    ]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_reference_is_broken_where_a_line_has_room_for_it(width):
    assert REFERENCE in shown(HEADERS, [ROW, ROW], width)


TEXT = st.text("ab/# 中", max_size=30).map(str.strip)


@example([(f"{'a' * 23}{'中' * 6}", "", "")], 40)  # the first column leaves no room for others
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=4), st.integers(40, 90))
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(rows, width):
    text = shown(("FIRST", "SECOND", "THIRD"), rows, width)
    assert all(columns(line) <= width for line in text.splitlines())
    letters = re.sub(r"(first|second|third): |\s", "", text.partition("\n")[2])
    assert sorted(letters) == sorted("".join("".join(row) for row in rows).replace(" ", ""))

"""Each output format of a comparison, and the values that none of them shows."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from envkit.checks.ignore_file import Rule
from envkit.cli.formats.diff import annotations, json_document, markdown, matrix, page, table
from envkit.cli.formats.diff.report import Report
from envkit.cli.formats.diff.wording import cell_text
from envkit.cli.formats.layout import Span, columns, cut, parts_of, wrapped
from envkit.comparison.compare import diff
from envkit.comparison.model import (
    Cell,
    CellState,
    DiffStatus,
    Entry,
    EnvDiff,
    Finding,
    FindingKind,
)
from envkit.errors import AbsentError, DeniedError
from support.html_page import Page
from support.sides import side
from support.team import OWN_SECRETS, team_sides

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "diff.schema.json").read_text())
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRET = "a-secret-of-some-length"

FORMATS = {
    "table": table.plain,
    "narrow": lambda report: table.plain(report, 40),
    "matrix": matrix.plain,
    "markdown": markdown.render,
    "html": lambda report: page.render(report, NOW),
    "json": json_document.render,
    "github": lambda report: annotations.render(report, {}),
}


def report(*sides, **options):
    return Report(diff(*sides, key=b"key"), **options)


# ---------------------------------------------------------------- no secret, ever

CANARY = "c4n4ry51-94x7"  # looks like no name that a person would give
WITH_CANARY = st.sampled_from(
    [
        "{}",
        "  {}\n",
        "x{}\x1b[31m|`<b>&\\",
        "postgresql://{}:{}@{}/{}?{}={}&x={}#{}",
        "https://h/?{}",
        "https://h/?{}=1",
        '{{"{}": 1}}',
        '{{"password": "{}", "{}": {{"a": ["{}"]}}}}',
        "{},b,c",
        "a,{},d",
        "Server={};Password={};{}=x",
    ]
).map(lambda text: text.format(*[CANARY] * 8))
NAMES = st.sampled_from(["A", "B", "C", "A_VERY_LONG_NAME_THAT_NEEDS_A_LINE_OF_ITS_OWN"])
LITERALS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60),
    st.sampled_from(["true", "8080", "a,b", "https://user:x@example.com/?a=b", '{"a": 1}']),
)
LABELS = st.lists(
    st.sampled_from(["dev", "staging", "prod", "prod@v12", "file:.env.local", "pid:1", "🔑" * 9]),
    min_size=2,
    max_size=7,
)


@st.composite
def environment(draw, label):
    secrets = draw(st.dictionaries(NAMES, WITH_CANARY))
    literals = draw(st.dictionaries(NAMES, LITERALS))
    literals = {name: text for name, text in literals.items() if name not in secrets}
    failing = draw(st.sets(NAMES)) - secrets.keys() - literals.keys()
    return side(
        label,
        secrets,
        literals,
        failing=dict.fromkeys(failing, DeniedError("denied | by `vault` <at> kv/data")),
        assumed=draw(st.booleans()),
    )


@st.composite
def reports(draw):
    sides = [draw(environment(label)) for label in draw(LABELS)]
    rule = Rule("A*", ("missing",), "because | <b>`so`</b>", ".envkit-ignore:3")
    found = diff(*sides)
    ignored = tuple((entry, rule) for entry in found.with_status("missing"))
    return Report(found, ignored, show_same=draw(st.booleans()))


@given(reports())
def test_no_format_of_a_diff_shows_any_part_of_a_secret(shown):
    for name, render in FORMATS.items():
        text = render(shown)
        for start in range(len(CANARY) - 7):
            assert CANARY[start : start + 8] not in text, name
        text.encode("utf-8")


@given(reports(), st.integers(40, 200))
def test_no_line_of_the_table_exceeds_the_width(shown, width):
    for line in (table.plain(shown, width) + matrix.plain(shown, width)).splitlines():
        assert columns(line) <= width


@given(reports())
def test_diff_json_matches_its_schema(shown):
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json_document.render(shown)))


@given(reports())
def test_no_format_passes_control_characters_or_runner_commands(shown):
    commands = annotations.render(shown, {}).splitlines()
    folded = re.compile(r"\d+ secrets? differs?, as (it|they) should")
    command = re.compile(r"::(error|warning|notice) [^\n]*::")
    assert all(command.match(line) or folded.fullmatch(line) for line in commands[:-1])
    for name in ("table", "matrix", "markdown", "html", "github"):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", FORMATS[name](shown))


def test_the_canary_is_found_where_it_may_be_shown():
    shown = report(side("dev", literals={"X": CANARY}), side("prod", literals={"X": "x"}))
    for name, render in FORMATS.items():
        assert CANARY in render(shown) or name in ("github", "matrix")


# ---------------------------------------------------------------- the table

SIDES = (
    side(
        "staging",
        {"STRIPE_KEY": SECRET, "DB": "postgresql://app:one@db.staging/app"},
        {"LOG_LEVEL": "debug", "MODE": "x", "HOSTS": "a,b", "EMPTY": ""},
        failing={"TOKEN": DeniedError("permission denied at vault:staging")},
    ),
    side(
        "prod",
        {"STRIPE_KEY": SECRET, "DB": "postgresql://app:two@db.prod/app", "TOKEN": "t"},
        {"LOG_LEVEL": "info", "MODE": "x", "HOSTS": "a,c"},
    ),
)

TABLE = """\
                staging                          prod

REUSED (1)  the same secret where each should have its own
  STRIPE_KEY    ******** 16-31 FINGERPR          ******** 16-31 FINGERPR
    ! the same secret in staging and prod
      give staging its own value: envkit set STRIPE_KEY --env staging

UNREADABLE (1)  could not be read
  TOKEN         unreadable                       ******** 1-7 FINGERPR
    · staging: permission denied at vault:staging

MISSING (1)  set only in some environments
  EMPTY         ""                               not set

DIFFERENT (3)  the values differ
  DB            ******** 32-63 FINGERPR          ******** 32-63 FINGERPR
    · differs in password and host
  HOSTS         a,b                              a,c
    · only in staging: b
    · only in prod: c
  LOG_LEVEL     debug                            info

1 reused, 1 unreadable, 1 missing, 3 different, 1 the same (--all shows them)
******** is a secret, with the range of its length and a fingerprint. Equal
values have equal fingerprints, in this report only.
"""


def without_fingerprints(text):
    return re.sub(r"\b[0-9a-f]{8}\b", "FINGERPR", text)


def test_two_environments_are_shown_side_by_side():
    assert without_fingerprints(table.plain(report(*SIDES))) == TABLE


def test_environments_that_do_not_fit_in_columns_are_blocks():
    sides = [side(label, literals={"MODE": "x" if label < "e" else "y"}) for label in "abcdefg"]
    assert table.plain(report(*sides, side("h"))) == (
        "a, b, c, d, e, f, g, h\n"
        "\n"
        "MISSING (1)  set only in some environments\n"
        "  MODE\n"
        "    x        a, b, c, d\n"
        "    y        e, f, g\n"
        "    not set  h\n"
        "\n"
        "1 missing\n"
    )


def test_three_environments_are_columns():
    sides = [side(label, {"KEY": f"{label}-0123456789"}) for label in ("dev", "staging", "prod")]
    shown = without_fingerprints(table.plain(report(*sides, show_same=True)))
    assert "  KEY           ******** FINGERPR     ******** FINGERPR     ******** FINGERPR" in shown


def test_equal_variables_are_counted_or_listed():
    sides = [side(label, literals={"MODE": "x"}) for label in ("dev", "prod")]
    same = "dev and prod are the same:"
    assert table.plain(report(*sides)) == f"{same} 1 variable (--all shows them)\n"
    assert "SAME (1)" in table.plain(report(*sides, show_same=True))
    assert table.plain(report(side("dev"), side("prod"))) == f"{same} 0 variables\n"


def test_control_characters_are_escaped_in_the_table():
    shown = table.plain(
        report(side("a", literals={"X": "\x1b[31mred\r\n"}), side("b", literals={"X": " "}))
    )
    assert r'"\x1b[31mred\r\n"' in shown
    assert '" "' in shown


def test_ignored_differences_are_counted_in_every_format():
    found = report(*SIDES)
    rule = Rule("EMPTY", ("missing",), "only there", ".envkit-ignore:1")
    shown = found._replace(ignored=tuple((e, rule) for e in found.diff.with_status("missing")))
    assert "1 ignored" in " ".join(table.plain(shown).split())
    assert "EMPTY  missing: only there" in table.plain(shown._replace(show_same=True))


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=30), st.integers(1, 20))
def test_a_truncated_text_fits_its_width(text, width):
    assert columns(cut(text, width)) <= max(width, 1)
    assert cut(text, 60) == text


@given(st.lists(st.text("ab, 中", max_size=9), max_size=6), st.integers(8, 20), st.integers(0, 4))
def test_wrapping_loses_only_blanks(texts, width, indent):
    lines = [
        "".join(s.text for s in line) for line in wrapped([Span(t) for t in texts], width, indent)
    ]
    assert "".join("".join(lines).split()) == "".join("".join(texts).split())
    assert all(columns(line.rstrip()) <= width for line in lines)
    assert all(line.startswith(" " * indent) for line in lines[1:])


# ---------------------------------------------------------------- Markdown


def rendered(text):
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


@pytest.mark.parametrize(
    "value",
    [
        *("a|b", "`x`", "``", "x`", r"\| \` \\", "<b>bold</b>", "&amp;", "*x* _y_ ~~z~~"),
        *("@somebody", "#1", "http://x.example", "[a](b)", "$x$", " x ", "a\nb"),
    ],
)
def test_markdown_shows_a_value_unchanged(value):
    shown = report(side("a", literals={"X": value}), side("b", literals={"X": "other"}))
    html = rendered(markdown.render(shown))
    cells = re.findall(r"<td><code>(.*?)</code></td>", html)
    texts = ["".join(Page(cell).texts) for cell in cells]
    assert texts == ["X", table.fitting_text(shown.diff.entries[0].cells[0], 99), "other"]


def test_markdown_folds_equal_variables():
    shown = markdown.render(report(*SIDES, show_same=True))
    html = rendered(shown)
    assert "<details><summary>1 the same value</summary>" in html
    assert html.count("<table>") == 5
    assert "<strong>the same secret in <code>staging</code> and <code>prod</code></strong>" in html


def test_markdown_escapes_mentions_in_a_reason():
    found = report(side("a", literals={"X": "1"}), side("b"))
    rule = Rule("X", ("missing",), "ask @ops, see #12 or www.example.com", "f:1")
    shown = markdown.render(found._replace(ignored=((found.diff.entries[0], rule),)))
    assert "`ask @ops, see #12 or www.example.com`" in shown


# ---------------------------------------------------------------- HTML


def test_the_diff_page_loads_nothing_from_elsewhere():
    page_ = Page(FORMATS["html"](report(*SIDES)))
    names = {tag for tag, _ in page_.tags}
    assert not names & {"script", "link", "img", "iframe", "form"}
    assert not any("src" in attrs or "href" in attrs for _, attrs in page_.tags)
    style = "".join(page_.texts)
    assert "url(" not in style
    assert "@import" not in style
    policy = {attrs.get("content") for tag, attrs in page_.tags if tag == "meta"}
    assert "default-src 'none'; style-src 'unsafe-inline'" in policy


def test_the_diff_page_has_all_entries_and_a_filter_for_each_status():
    shown = Page(FORMATS["html"](report(*SIDES)))
    inputs = [attrs for tag, attrs in shown.tags if tag == "input"]
    assert {attrs["id"]: "checked" in attrs for attrs in inputs} == {
        "show-reused": True,
        "show-unreadable": True,
        "show-missing": True,
        "show-different": True,
        "show-same": False,
    }
    for name in ("STRIPE_KEY", "TOKEN", "EMPTY", "DB", "HOSTS", "LOG_LEVEL", "MODE"):
        assert name in shown.texts


# ---------------------------------------------------------------- GitHub


def test_annotations_point_to_the_lines():
    at = "file=profiles/staging.toml"
    lines = annotations.render(report(*SIDES), {"GITHUB_WORKSPACE": "/"}).splitlines()
    reused = "STRIPE_KEY is reused::the same secret in staging and prod"
    advice = "give staging its own value: envkit set STRIPE_KEY --env staging"
    unreadable = "TOKEN could not be read::staging: permission denied at vault:staging"
    assert lines == [
        f"::error {at},line=1,title={reused}: {advice}",
        f"::error {at},line=3,title={unreadable}",
        f"::warning {at},line=2,title=EMPTY is missing::set in staging, not set in prod",
        f"::notice {at},line=1,title=DB differs::differs in password and host",
        f"::notice {at},line=2,title=HOSTS differs::only in staging: b%0Aonly in prod: c",
        f"::notice {at},line=2,title=LOG_LEVEL differs::set in staging, prod",
        "1 reused, 1 unreadable, 1 missing, 3 different, 1 the same (--all shows them)",
    ]


def test_annotations_of_a_missing_value_point_to_where_it_belongs():
    """An annotation about a reused secret also says where the secret is missing."""
    shared = [side(label, {"KEY": SECRET}) for label in ("dev", "staging")]
    lost = {"TOKEN": DeniedError("denied"), "GONE": AbsentError("absent")}
    found = report(side("dev", {"TOKEN": "t", "GONE": "g"}), side("prod", failing=lost))
    lines = annotations.render(found, {"GITHUB_WORKSPACE": "/"}).splitlines()
    places = [line.partition(",")[0] for line in lines[:-1]]
    assert places == ["::error file=profiles/prod.toml", "::warning file=profiles/prod.toml"]
    [line, _] = annotations.render(report(*shared, side("prod")), {}).splitlines()
    assert line.endswith("%0Aset in dev, staging, not set in prod")


def test_annotations_are_escaped():
    found = EnvDiff(("a", "b"), ())
    assert annotations.render(Report(found), {}) == "a and b are the same: 0 variables\n"
    failing = side("a", failing={"X": DeniedError("100% denied\n::error::no")})
    [line, _] = annotations.render(report(failing, side("b")), {}).splitlines()
    assert line.endswith(r"::a: 100%25 denied\n::error::no")


# ---------------------------------------------------------------- a team


ALL = ("dev", "test", "staging", "prod")


def entry(cells, *, status="different", findings=()):
    return Entry("NAME", DiffStatus(status), tuple(cells), tuple(findings))


def secret(label, fingerprint):
    return Cell(
        CellState.VALUE, None, True, "16-31", fingerprint, (f"vault:{label}/name",), "p.toml:1"
    )


def folded(labels, *cells, **options):
    found = Report(EnvDiff(labels, (entry(cells, **options),)))
    return [one.name for section in found.sections for one in section.folded] == ["NAME"]


def test_secrets_are_folded_where_each_environment_has_its_own():
    assert folded(("dev", "prod"), secret("dev", "1"), secret("prod", "2"))
    password = Finding(FindingKind.PART, "password")
    assert folded(("dev", "prod"), secret("dev", "1"), secret("prod", "2"), findings=[password])


@pytest.mark.parametrize(
    ("labels", "change", "findings"),
    [
        (("dev", "prod"), {"fingerprint": "1"}, ()),
        (("dev", "prod"), {"secret": False}, ()),
        (("dev", "prod"), {"shown": "revealed"}, ()),
        (("dev", "prod"), {"origins": ()}, ()),
        (("dev", "prod"), {"length": "empty"}, ()),
        (("dev", "prod"), {"state": CellState.ABSENT}, ()),
        (("dev", "prod"), {}, [Finding(FindingKind.PART, "path")]),
        (("dev", "prod"), {}, [Finding(FindingKind.RULE, "required")]),
        (("dev", "prod"), {}, [Finding(FindingKind.WHITE_SPACE, dangerous=True)]),
        (("prod", "prod@2026-11-01"), {}, ()),
        (("prod", "prod"), {}, ()),
        (("prod", "pid:1"), {}, ()),
        (("prod", "file:.env"), {}, ()),
    ],
)
def test_a_difference_that_a_reader_must_see_is_not_folded(labels, change, findings):
    second = secret("prod", "2")._replace(**change)
    assert not folded(labels, secret("dev", "1"), second, findings=findings)


def test_every_format_folds_the_30_secrets_of_a_team():
    sides = team_sides()
    for name, render in FORMATS.items():
        text = render(report(*sides))
        if name != "json":
            line = " ".join(text.split())
            assert f"{OWN_SECRETS} secrets differ, as they should" in line, name
        is_listed = "SERVICE_07_API_TOKEN" in text.replace("<wbr>", "")
        assert is_listed == (name in ("json", "html", "markdown")), name
    assert "SERVICE_07_API_TOKEN" in table.plain(report(*sides, show_same=True))
    assert "SERVICE_07_API_TOKEN" in matrix.plain(report(*sides, show_same=True))


def test_the_counts_in_json_do_not_depend_on_what_is_folded():
    found = json.loads(json_document.render(report(*team_sides())))
    assert found["counts"] == {
        "reused": 2, "unreadable": 1, "missing": 2, "different": 39, "same": 55,
    }  # fmt: skip


def test_a_secret_that_two_variables_share_counts_once_and_is_explained_once():
    text = table.plain(report(*team_sides()))
    assert "REUSED (1)  the same secret where each should have its own, in 2 variables" in text
    assert "1 reused in 2 variables, 1 unreadable" in text
    assert text.count("give staging its own value: envkit set DB_PASSWORD --env staging") == 1
    assert "! the same secret as DATABASE_URL" in text


def test_variables_that_share_a_secret_are_adjacent():
    sides = [side(label, {"A": SECRET, "B": SECRET * 2, "C": SECRET}) for label in ("dev", "prod")]
    [section] = report(*sides).sections
    assert [one.name for one in section.entries] == ["A", "C", "B"]
    assert section.number == 2


def test_an_absent_value_has_one_spelling_in_every_format():
    shown = report(side("a", literals={"X": "1"}), side("b", failing={"X": AbsentError("no X")}))
    for name, render in FORMATS.items():
        text = render(shown)
        assert ("not set" in text) == (name not in ("json", "github")), name
        assert "absent" not in text or name == "json"
    assert {cell_text(Cell(state)) for state in (CellState.ABSENT, CellState.UNDECLARED)} == {
        "not set"
    }


MATRIX = """\
        dev      test     staging  prod

MISSING (2)  set only in some environments
  GONE  ?        not set  A        B
  KEY   A        A        not set  B

DIFFERENT (1)  the values differ
  MODE  A        B        A        B

2 missing, 1 different
In each row, equal letters are equal values; ? could not be read.
"""


def test_a_matrix_has_a_letter_for_each_distinct_value():
    modes = ("x", "y", "x", "y")
    sides = [side(label, literals={"MODE": mode}) for label, mode in zip(ALL, modes, strict=True)]
    found = diff(*sides).entries[0]
    value, other = Cell(CellState.VALUE, "x"), Cell(CellState.VALUE, "y")
    no, failed = Cell(CellState.ABSENT), Cell(CellState.UNREADABLE)
    entries = (
        Entry("GONE", DiffStatus.MISSING, (failed, no, value, other)),
        Entry("KEY", DiffStatus.MISSING, (value, value, no, other)),
        found,
    )
    assert matrix.plain(Report(EnvDiff(ALL, entries))) == MATRIX


def test_a_matrix_of_many_environments_continues_below():
    labels = [f"environment-{n}" for n in range(7)]
    sides = [side(label, literals={"MODE": label}) for label in labels]
    text = matrix.plain(report(*sides))
    assert text.count("  MODE") == 2
    assert [text.count(label) for label in labels] == [1] * 7


def test_a_matrix_does_not_compare_masked_secrets_of_profiles():
    masked = Cell(CellState.VALUE, secret=True)
    text = matrix.plain(Report(EnvDiff(("a", "b"), (entry([masked, masked]),)), profiles_only=True))
    assert "NAME  *        *" in text
    assert "* is a secret that was not compared" in " ".join(text.split())


REFERENCE = "vault:secret/team/a-service-with-a-long-name/prod/database/main#password"


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_no_reference_is_broken_in_its_middle_at_80_columns(count):
    labels = tuple(f"environment-{n}" for n in range(count))
    cells = [Cell(CellState.PLACEHOLDER, f"{{{{ {REFERENCE}-{n} }}}}") for n in range(count)]
    origins = Finding(FindingKind.ORIGIN, shown=tuple(f"{REFERENCE}-{n}" for n in range(count)))
    text = table.plain(Report(EnvDiff(labels, (entry(cells, findings=[origins]),))))
    for n in range(count):
        assert text.count(f"{REFERENCE}-{n}") == 2, text


def test_a_wide_url_breaks_between_its_parts():
    url = "https://" + "/".join(["a-part-of-a-path"] * 9) + "?query=1"
    lines = [line[0].text for line in wrapped([Span(url)], 40)]
    assert len(lines) > 3
    assert "".join(lines) == url
    assert all(line.endswith("/") for line in lines[:-2])


@given(st.text("ab/,&@#?:. 中", max_size=60))
def test_the_parts_of_a_text_are_the_text(text):
    assert "".join(parts_of(text)) == text
    assert all(parts_of(text))


def test_the_parts_of_a_reference_end_at_its_separators():
    assert parts_of("vault:kv/app/db#password") == ["vault:kv/", "app/", "db", "#password"]
    assert parts_of("https://a.b/c?x=1&y=2,z") == ["https://a.b/", "c", "?x=1&", "y=2,", "z"]


def test_the_page_shows_a_file_once_for_environments_with_the_same_value():
    base = Cell(CellState.VALUE, "x", location="profiles/base.toml:1")
    own = Cell(CellState.VALUE, "x", location="profiles/prod.toml:1")
    other = Cell(CellState.VALUE, "y", location="profiles/base.toml:1")
    html = page.render(Report(EnvDiff(ALL, (entry([base, base, other, own]),))), NOW)
    texts = Page(html).texts
    assert texts.count("profiles/base.toml:1") == 2  # for x, and for y
    assert texts.count("profiles/prod.toml:1") == 2  # beside dev on a phone, and in its column
    assert Page(html).values("data-environments") == ["dev, test, prod", "staging"]

"""The grammar: printed templates parse back, no input crashes, nothing is run or rescanned."""

from __future__ import annotations

import difflib  # noqa: F401 - imported by a mistyped filter; here so that it opens no file later
import sys
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import envkit._internal.json_text
import envkit._internal.suggestions  # noqa: F401 - as `difflib`, on first use
from envkit.errors import AbsentError, InvalidValueError, PlaceholderError
from envkit.profile.placeholder import (
    FILTERS,
    Filter,
    Literal,
    Name,
    Placeholder,
    Reference,
    Template,
    _scanned,
    parse,
    parse_reference,
)
from envkit.profile.substitution import substitute
from support.vectors import vectors

VECTORS = vectors("unit/profile/placeholder")

# ---------------------------------------------------------------- inputs

TOKENS = [*'{}"\\|?#:=&- \tabA_1é\n$`', "{{", "}}", "??", '"{{"', "{{ ", " }}"]
TOKENS += ["vault:", "?version=", *(f"| {name}" for name in FILTERS)]
SOUP = st.lists(st.sampled_from(TOKENS), max_size=25).map("".join)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
SOURCES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
TEXTS = st.one_of(st.text(max_size=8), SOUP)
OPTIONAL = st.none() | TEXTS


@st.composite
def references(draw: st.DrawFn) -> Reference:
    path, field = draw(TEXTS), draw(OPTIONAL)
    if not path and field is None:
        path = "x"
    version, stage = draw(st.sampled_from([(None, None), ("v", None), (None, "s")]))
    pins = [None if pin is None else draw(TEXTS) for pin in (version, stage)]
    return Reference(draw(SOURCES), path, field, *pins)


STEPS = st.sampled_from([Filter(name) for name in FILTERS if name != "json"]) | TEXTS.map(
    lambda pointer: Filter("json", f"/{pointer}")
)
PLACEHOLDERS = st.builds(
    Placeholder, NAMES.map(Name) | references(), OPTIONAL, st.lists(STEPS, max_size=3).map(tuple)
) | st.builds(
    # without a filter a quoted text is text, and with a fallback it never needs it
    Placeholder,
    TEXTS.map(Literal),
    st.none(),
    st.lists(STEPS, min_size=1, max_size=3).map(tuple),
)


@st.composite
def templates(draw: st.DrawFn) -> Template:
    parts: list[str | Placeholder] = []
    for part in draw(st.lists(TEXTS.filter(bool) | PLACEHOLDERS, max_size=5)):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    return Template(tuple(parts))


def same(one: Template, other: Template) -> bool:
    """Named tuples of different types may be equal; their repr tells them apart."""
    return repr(one) == repr(other)


def parsed_or_refused(text: str) -> Template | PlaceholderError:
    """The result of `parse`; any other exception is a bug."""
    try:
        return parse(text)
    except PlaceholderError as error:
        return error


def assert_parsed_or_refused(text: str) -> None:
    """Check that a text is parsed and prints as before, or is an error with a column."""
    outcome = parsed_or_refused(text)
    if isinstance(outcome, PlaceholderError):
        assert 1 <= outcome.column <= len(text) + 1
        assert f"(column {outcome.column} of the value)" in outcome.message
    else:
        assert same(parse(str(outcome)), outcome)


# ---------------------------------------------------------------- the grammar


@pytest.mark.parametrize(
    ("text", "operand"),
    [
        ("{{ NAME }}", Name("NAME")),
        ("{{NAME}}", Name("NAME")),
        ("{{\tNAME \t}}", Name("NAME")),
        ("{{ vault:db#password }}", Reference("vault", "db", "password")),
        ("{{ vault:/mount/path }}", Reference("vault", "/mount/path")),
        ("{{ vault:db?version=3#password }}", Reference("vault", "db", "password", "3")),
        ("{{ aws:redis?stage=AWSPREVIOUS }}", Reference("aws", "redis", stage="AWSPREVIOUS")),
        ("{{ aws:arn:aws:secretsmanager:eu-west-1:1:secret:a-Xy#k }}",
         Reference("aws", "arn:aws:secretsmanager:eu-west-1:1:secret:a-Xy", "k")),
        ("{{ vault-eu:#password }}", Reference("vault-eu", "", "password")),
        ('{{ vault:"a b"#"c}}d" }}', Reference("vault", "a b", "c}}d")),
        ("{{ env:HOME }}", Reference("env", "HOME")),
        ("{{ vault:db#* }}", Reference("vault", "db", "*")),
        ('{{ vault:"a b"?version=3 }}', Reference("vault", "a b", None, "3")),
    ],
)  # fmt: skip
def test_an_operand_parses_with_and_without_braces(text: str, operand: Name | Reference) -> None:
    assert same(parse(text), Template((Placeholder(operand),)))
    assert parse_reference(text.strip("{} \t")) == operand


@pytest.mark.parametrize(
    "text",
    ["", '"text"', "a:b | trim", 'a:b ?? "c"', "{{ a:b }}", "a:b }} {{ c:d", "a b", '"x" | trim'],
)
def test_text_that_is_not_exactly_a_reference_is_refused(text: str) -> None:
    with pytest.raises(PlaceholderError):
        parse_reference(text)


def test_a_value_with_text_filters_and_fallback_parses() -> None:
    text = 'postgresql://{{ USER ?? "app" }}:{{ vault:db#password | trim | urlencode }}@db/{{"{{"}}'
    user, filters = Placeholder(Name("USER"), "app"), (Filter("trim"), Filter("urlencode"))
    password = Placeholder(Reference("vault", "db", "password"), None, filters)
    assert same(parse(text), Template(("postgresql://", user, ":", password, "@db/{{")))


@pytest.mark.parametrize("text", ["", "plain", "$HOME ${X} $(id)", "{ } }} {x}", "a{", 'say "hi"'])
def test_text_without_placeholders_is_itself(text: str) -> None:
    assert parse(text).parts == ((text,) if text else ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{{ "{{" }}', "{{"),
        ('{{ "{{" }}{{ "}}" }}', "{{}}"),
        (r'{{ "\"\\\n\r\t" }}', '"\\\n\r\t'),
        ('{{ "a}}b" }}', "a}}b"),
        ('{{ "x" ?? "never" }}', "x"),
        ('{{ "é\nb" }}', "é\nb"),
    ],
)  # fmt: skip
def test_quoted_text_parses_to_its_content(text: str, value: str) -> None:
    assert parse(text).parts == (value,)


@given(templates())
def test_a_printed_template_parses_back(template: Template) -> None:
    assert same(parse(str(template)), template)


@given(SOUP)
@example("{{{{")
@example('{{{ "{{" }}}')
@example('{{ "{" }}{{ A }}')
def test_any_text_parses_and_prints_back_or_is_an_error_with_a_column(text: str) -> None:
    assert_parsed_or_refused(text)


@given(st.text(), st.text())
def test_any_unicode_text_is_parsed_or_refused(before: str, inside: str) -> None:
    text = f"{before}{{{{{inside}"
    outcome = parsed_or_refused(text)
    if isinstance(outcome, PlaceholderError):
        assert text.index("{{") < outcome.column <= len(text) + 1


@pytest.mark.parametrize(
    "unit",
    ["{", "{{", "}}", '"', "{{ ", '{{ "', "{{ A }}", '{{ "{{" }}', "{{ A |", "{{ a:", "?", "\\"],
)
@pytest.mark.parametrize("begin", ["", "{{ ", '{{ "', "{{ A | trim", "{{ vault:", "{{ x"])
def test_a_long_value_is_parsed_or_refused(begin: str, unit: str) -> None:
    # were the work quadratic, this would not end in time
    assert_parsed_or_refused(begin + unit * 10_000)


@pytest.mark.parametrize(("text", "column", "message"), VECTORS["an_error_says_where"])
def test_a_parse_error_has_its_column(text: str, column: int, message: str) -> None:
    with pytest.raises(PlaceholderError) as caught:
        parse(text)
    assert caught.value.message == f"{message} (column {column} of the value)"
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("pa{{ss", 'for a literal, write {{ "{{" }}'),
        ("pa{{", 'for a literal, write {{ "{{" }}'),
        ("pa{{$$", 'for a literal, write {{ "{{" }}'),
        ("{{ A | urlencod }}", "did you mean 'urlencode'?"),
        ("{{ A | zzz }}", "use one of: urlencode, base64encode, base64decode, trim, json"),
        ("{{ aws:a?stge=x }}", "did you mean 'stage'?"),
    ],
)
def test_a_parse_error_has_a_hint(text: str, hint: str) -> None:
    with pytest.raises(PlaceholderError) as caught:
        parse(text)
    assert caught.value.hint == hint


@given(SOUP, SOUP)
def test_a_parse_error_shows_nothing_of_the_value(before: str, after: str) -> None:
    canary = "c4naryc4nary"
    for text in (f"{canary}{before}{{{{{after}", f"{before}{{{{{canary}{after}"):
        error = parsed_or_refused(text)
        if isinstance(error, PlaceholderError):
            shown = f"{error!r} {error.hint} {error.__cause__}"
            # a mistyped word of the grammar is shown, and may be anything
            if "unknown filter" not in shown and "unknown parameter" not in shown:
                assert canary not in shown


# ---------------------------------------------------------------- nothing is run

_watched: tuple[int, list[str]] | None = None  # the thread to watch, and what it did


def _watch(event: str, _: object) -> None:
    if _watched is None or _watched[0] != threading.get_ident():
        return
    if event in ("exec", "compile", "open", "import") or event.startswith(("os.", "subprocess.")):
        _watched[1].append(event)


@pytest.fixture(scope="module")
def _audit() -> None:
    sys.addaudithook(_watch)  # cannot be removed, so it watches only on request


@pytest.mark.usefixtures("_audit")
@given(SOUP, st.text(max_size=10) | st.sampled_from(["$(id)", "`id`", "__import__('os')", "{0}"]))
@example("{{ A | json:/a }}$(id)", "{}")
def test_parsing_and_substitution_run_open_and_import_nothing(text: str, value: str) -> None:
    global _watched  # noqa: PLW0603
    events: list[str] = []
    _watched = threading.get_ident(), events
    try:
        substitute(parse(text), lambda _: value)
    except (PlaceholderError, InvalidValueError, AbsentError):
        pass
    finally:
        _watched = None
    assert events == []


@given(templates(), TEXTS)
def test_a_substituted_value_is_never_scanned_again(template: Template, value: str) -> None:
    parts = [p for p in template.parts if isinstance(p, str) or not isinstance(p.operand, Literal)]
    unfiltered = Template(tuple(p if isinstance(p, str) else p._replace(filters=()) for p in parts))
    for tempting in (value, "{{ vault:db#password }}", '{{ "', "${HOME}"):
        expected = "".join(p if isinstance(p, str) else tempting for p in unfiltered.parts)
        assert substitute(unfiltered, lambda _, tempting=tempting: tempting) == expected


# ---------------------------------------------------------------- the fast path


@given(
    st.lists(
        st.sampled_from(
            ["{{", "}}", "{", "}", " ", "\t", "\n", "A", "b_1", "2", "é", ":", "|", '"']
        ),
        max_size=8,
    ).map("".join)
)
@example("{{ A }}")
@example("{{A}}")
@example("{{ A }} ")
@example("{{ 2A }}")
@example("{{A}")
def test_a_bare_name_is_parsed_as_the_scanner_parses_it(text):
    try:
        wanted = repr(_scanned(text))
    except PlaceholderError as error:
        wanted = f"{error.message} {error.hint}"
    try:
        found = repr(parse(text))
    except PlaceholderError as error:
        found = f"{error.message} {error.hint}"
    assert found == wanted

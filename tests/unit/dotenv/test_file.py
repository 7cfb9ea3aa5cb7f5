"""What a `.env` file means, held against the shared cases and the parser's own limits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.dotenv import expansion as dotenv_expand
from envkit.dotenv import parser as dotenv_syntax
from envkit.dotenv.file import parse
from envkit.dotenv.parser import Definition, decode, split
from envkit.errors import DotenvError, ProfileError, SourceError

CASES = json.loads((Path(__file__).parents[2] / "data/dotenv-cases.json").read_text("utf-8"))

# "unsupported, literal: lint it", says the case
LINTED = {"exp_alt": ["A: ${X:+...} is not expanded"]}


def values(text, *, expand=True, environ=None):
    file = parse(text, path=".env", expand=expand, environ=environ)
    return {name: entry.value for name, entry in file.entries.items()}


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_shared_cases(case):
    if "error" in case:
        with pytest.raises(DotenvError) as caught:
            values(case["input"], environ=case["process_env"])
        line, _, text = case["error"].removeprefix("line ").partition(": ")
        wanted = f".env:{line}: {text}" if case["error"].startswith("line ") else case["error"]
        assert caught.value.message.endswith(wanted)
        assert caught.value.message.startswith(".env:")
    else:
        file = parse(case["input"], path=".env", expand=True, environ=case["process_env"])
        assert {name: entry.value for name, entry in file.entries.items()} == case["values"]
        warnings = case.get("warnings", LINTED.get(case["id"], []))
        assert list(file.warnings) == warnings


def test_there_are_80_cases():
    assert len(CASES) == 80


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\n\nA=1\n\n# c\nB='x\ny'\nC=3", {"A": 3, "B": 6, "C": 8}),
        ("\r\n\r\nA=1\r\nB='x\r\ny'\r\nC=3\r\n", {"A": 3, "B": 4, "C": 6}),
        ("A=1\nA=2\n", {"A": 2}),
    ],
)
def test_lines_are_those_that_an_editor_shows(text, lines):
    file = parse(text, path=".env", expand=False)
    assert {name: entry.line for name, entry in file.entries.items()} == lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nB=x\0y\n", ".env:2: a NUL character"),
        ("\n\n  A\n", ".env:3: the line has no '='"),
        ("A=1\n\nB='open\n", ".env:3: cannot parse"),
        ("A=1\n1B=x\n", ".env:2: what stands before '=' is not a variable name"),
    ],
)
def test_errors_have_the_line(text, message):
    with pytest.raises(DotenvError) as caught:
        values(text)
    assert caught.value.message == message
    assert caught.value.exit_status == 3
    assert caught.value.hint
    assert not caught.value.retryable


def test_one_error_for_a_profile_and_for_a_store():
    assert issubclass(DotenvError, ProfileError)
    assert issubclass(DotenvError, SourceError)


def test_a_line_of_a_key_is_not_shown():
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8+Kj"
    for text in (f"A=-----BEGIN KEY-----\n{line}\n", f"A=-----BEGIN KEY-----\n{line}==\n"):
        with pytest.raises(DotenvError) as caught:
            values(text)
        assert caught.value.message.startswith(".env:2: ")
        assert line[:8] not in str(caught.value)


def test_not_utf8():
    with pytest.raises(DotenvError) as caught:
        decode(b"A=1\nB=caf\xe9\n", path=".env")
    assert caught.value.message == ".env:2: not UTF-8"
    assert "caf" not in repr(caught.value.__cause__)
    assert caught.value.__suppress_context__


def test_an_encrypted_value_is_an_error_of_that_variable_alone():
    text = "DOTENV_PUBLIC_KEY_PROD=03a8\nA=encrypted:BDqD\nB='encrypted:x'\nC=clear\nD=${A}\n"
    for expand in (True, False):
        file = parse(text, path=".env.prod", expand=expand)
        assert list(file.entries) == ["A", "B", "C", "D"]
        assert file.entries["C"].value == "clear"
        for name, line in (("A", 2), ("B", 3)):
            with pytest.raises(DotenvError, match=f"{name} is encrypted") as caught:
                _ = file.entries[name].value
            assert caught.value.message.startswith(f".env.prod:{line}: ")
            assert "BDqD" not in str(caught.value)
    with pytest.raises(DotenvError, match="A is encrypted"):
        _ = parse(text, path=".env.prod", expand=True).entries["D"].value


def test_a_profile_gives_the_dollar_no_meaning():
    text = 'A=${NOPE}\nB=$X \\${Y}\nC="\\${Z:-1}"\n'
    assert values(text, expand=False) == {"A": "${NOPE}", "B": "$X \\${Y}", "C": "\\${Z:-1}"}


def test_no_value_in_a_repr():
    file = parse("A=canary\n", path=".env", expand=False)
    assert "canary" not in repr(file)
    assert "canary" not in repr(list(split("A=canary\n", path=".env")))


class TestExpansion:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("A=${B}\nB=1", "1"),  # the value that will be injected, wherever it stands
            ("B=1\nA=${B}\nB=2", "2"),
            ("A=1\nA=${A}2\nA=${A}3", "123"),  # its own name means the definition before
            ("A=${OUTER}:/opt", "outer:/opt"),
            ("OUTER=x:${OUTER}\nA=${OUTER}", "x:outer"),
            ("A=${NOPE:-${ALSO:-x}}", "x"),
            ("A=${NOPE:-a${OUTER}b}", "aouterb"),
            ("A=${NOPE-}", ""),
            ("B=\nA=[${B-default}]", "[]"),
            ("A=${OUTER:-not ${NEEDED}}", "outer"),
            (r'A="\${OUTER}"', "${OUTER}"),
            (r'A="\\${OUTER}"', r"\outer"),
            (r'A="\\\${OUTER}"', r"\${OUTER}"),
            (r"A=\${OUTER}", "${OUTER}"),
            (r"A=\\${OUTER}", r"\\outer"),
            (r'A="${NOPE:-\${OUTER}}"', "${OUTER}"),
            ('A="${OUTER}" # ${NOPE}', "outer"),
            ("B='${OUTER}'\nA=${B}", "${OUTER}"),  # what was put in is not scanned again
            ("A=${", "${"),
            ("A=${OUTER", "${OUTER"),
            ("A=$OUTER ${} ${1} ${-x} $${OUTER}", "$OUTER ${} ${1} ${-x} $outer"),
        ],
    )
    def test_meaning(self, text, wanted):
        assert values(text, environ={"OUTER": "outer"})["A"] == wanted

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("A=${B}\nB=${C}\nC=${A}\n", ".env:1: A -> B -> C -> A is a cycle"),
            ("A=1${B}\nB=2\nB=${A}\n", ".env:1: A -> B -> A is a cycle"),
            ("B=1\nA=${B:-x\n", ".env:2: ${B:- has no '}'"),
            ("A=${A}\n", ".env:1: ${A} is not set (write ${A:-} to allow that)"),
        ],
    )
    def test_errors(self, text, message):
        file = parse(text, path=".env", expand=True)
        with pytest.raises(DotenvError) as caught:
            _ = file.entries["A"].value
        assert caught.value.message == message

    def test_one_bad_variable_leaves_the_others(self):
        file = parse("A=${NOPE}\nB=${C}\nC=1\n", path=".env", expand=True)
        assert file.entries["A"].error
        assert file.entries["B"].value == "1"

    def test_doubling_ends(self):
        text = "A0=0123456789\n" + "".join(
            f"A{n}=${{A{n - 1}}}${{A{n - 1}}}\n" for n in range(1, 60)
        )
        file = parse(text, path=".env", expand=True)
        assert file.entries["A1"].value == "01234567890123456789"
        with pytest.raises(DotenvError, match="too much text"):
            _ = file.entries["A59"].value

    def test_chains_and_nesting_end(self):
        limit = dotenv_expand.MAX_DEPTH
        chain = "".join(f"A{n}=${{A{n + 1}}}\n" for n in range(limit * 2)) + f"A{limit * 2}=x\n"
        with pytest.raises(DotenvError, match="too many names"):
            values(chain)
        backwards = "A0=x\n" + "".join(f"A{n}=${{A{n - 1}}}\n" for n in range(1, 2000))
        assert values(backwards)["A1999"] == "x"
        with pytest.raises(DotenvError, match="nested too deeply"):
            values("A=" + "${B:-" * 50 + "}" * 50)

    def test_the_deepest_that_is_allowed_does_not_overflow(self):
        depth, nested = dotenv_expand.MAX_DEPTH - 1, dotenv_expand.MAX_NESTED
        text = "".join(
            f"A{n}=" + "${NO:-" * nested + f"${{A{n + 1}}}" + "}" * nested + "\n"
            for n in range(depth)
        )
        assert values(text + f"A{depth}=x\n")["A0"] == "x"

    @given(
        st.lists(
            st.sampled_from(
                ["${", "}", "{", "A", "B", ":-", "-", "\\", "$", "'", '"', "x", "\n", "=", " #"]
            ),
            max_size=30,
        )
    )
    def test_any_text_ends_in_values_or_an_error(self, tokens):
        try:
            file = parse("".join(tokens), path=".env", expand=True, environ={"B": "b"})
        except DotenvError:
            return
        assert all(entry.error or isinstance(entry.value, str) for entry in file.entries.values())


@given(st.text(alphabet="AB=\"' #\n\r\t\\x\ufeff\u2028"))
def test_the_pieces_of_a_file_are_the_file(text):
    try:
        pieces = list(split(text, path=".env"))
    except DotenvError:
        return
    sources = [p.source if isinstance(p, Definition) else p for p in pieces]
    assert "".join(sources) == text.removeprefix("\ufeff")


_BLANKS = ["", "", "", " ", "\t", "\n", "\xa0", "\x0b", "\x85", "\u2028"]
_INSIDE = [*_BLANKS, "=", "#", "'", '"', "\\", "x", "é", "encrypted:", "{{ C }}", "export "]


@st.composite
def lines(draw):
    """Draw a line that is often plain, and often nearly so."""
    before = draw(st.sampled_from([*_BLANKS, "export ", "export", "# ", "\ufeff"]))
    name = draw(st.sampled_from(["A", "B_1", "export", "a-b", ""]))
    equals = draw(st.sampled_from(["=", "=", "=", " =", ""])) + draw(st.sampled_from(_BLANKS))
    quote = draw(st.sampled_from(["", "'", '"']))
    inside = "".join(draw(st.lists(st.sampled_from(_INSIDE), max_size=4)))
    after = draw(st.sampled_from([*_BLANKS, "# x", " # x"]))
    return f"{before}{name}{equals}{quote}{inside}{quote}{after}\n"


@given(st.lists(lines(), max_size=3).map("".join), st.sampled_from(["", "\n", "A=1", " ", "#"]))
def test_plain_lines_mean_what_the_parser_says(text, end):
    plain = dotenv_syntax.plain_pieces(text + end, path=".env")
    if plain is not None:
        assert plain == list(dotenv_syntax._parsed(text + end, ".env"))


@pytest.mark.parametrize(
    "text", ["A=1", "A=\n", "\n# x\n\nexport A= 'b c' \n  B=\"#\"\n\n", "A=a b\n"]
)
def test_an_ordinary_file_is_read_as_plain(text):
    assert dotenv_syntax.plain_pieces(text, path=".env") is not None


def test_the_parser_is_loaded_without_its_package():
    code = """
import sys
sys.path[:] = {path!r}
from envkit.dotenv.file import parse
parse("A=1  # not a plain line", path=".env", expand=False)
print([name for name in ("dotenv", "logging", "tempfile", "importlib.util") if name in sys.modules])
"""
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code.format(path=sys.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def test_the_parser_is_found_when_installed_in_an_unusual_way(monkeypatch):
    from importlib.machinery import PathFinder

    find_spec = PathFinder.find_spec
    asked = []

    def not_at_first(name, *args):
        asked.append(name)
        return find_spec(name, *args) if len(asked) > 1 else None

    monkeypatch.setattr(PathFinder, "find_spec", not_at_first)
    monkeypatch.setattr(dotenv_syntax, "_loaded", None)
    assert values("A=1  # not a plain line\n") == {"A": "1"}
    from dotenv.parser import parse_stream

    assert dotenv_syntax._loaded is parse_stream

"""What `${NAME}` in a `.env` file becomes, and that every expansion ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.dotenv import expansion as dotenv_expand
from envkit.dotenv.file import parse
from envkit.errors import DotenvError


def values(text, *, environ=None):
    file = parse(text, path=".env", expand=True, environ=environ)
    return {name: entry.value for name, entry in file.entries.items()}


class TestExpansion:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("A=${B}\nB=1", "1"),  # the injected value, wherever it is in the file
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
            ("B='${OUTER}'\nA=${B}", "${OUTER}"),  # the inserted value is not scanned again
            ("A=${", "${"),
            ("A=${OUTER", "${OUTER"),
            ("A=$OUTER ${} ${1} ${-x} $${OUTER}", "$OUTER ${} ${1} ${-x} $outer"),
        ],
    )
    def test_an_expansion_has_the_documented_meaning(self, text, wanted):
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
    def test_an_invalid_expansion_is_an_error_with_its_line(self, text, message):
        file = parse(text, path=".env", expand=True)
        with pytest.raises(DotenvError) as caught:
            _ = file.entries["A"].value
        assert caught.value.message == message

    def test_an_invalid_expansion_fails_only_its_variable(self):
        file = parse("A=${NOPE}\nB=${C}\nC=1\n", path=".env", expand=True)
        assert file.entries["A"].error
        assert file.entries["B"].value == "1"

    def test_an_expansion_that_doubles_stops_at_a_limit(self):
        text = "A0=0123456789\n" + "".join(
            f"A{n}=${{A{n - 1}}}${{A{n - 1}}}\n" for n in range(1, 60)
        )
        file = parse(text, path=".env", expand=True)
        assert file.entries["A1"].value == "01234567890123456789"
        with pytest.raises(DotenvError, match="too much text"):
            _ = file.entries["A59"].value

    def test_long_chains_and_deep_nesting_stop_at_a_limit(self):
        limit = dotenv_expand.MAX_DEPTH
        chain = "".join(f"A{n}=${{A{n + 1}}}\n" for n in range(limit * 2)) + f"A{limit * 2}=x\n"
        with pytest.raises(DotenvError, match="too many variables"):
            values(chain)
        backwards = "A0=x\n" + "".join(f"A{n}=${{A{n - 1}}}\n" for n in range(1, 2000))
        assert values(backwards)["A1999"] == "x"
        with pytest.raises(DotenvError, match="nested too deeply"):
            values("A=" + "${B:-" * 50 + "}" * 50)

    def test_the_deepest_allowed_expansion_does_not_overflow(self):
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
    def test_any_text_expands_to_values_or_an_error(self, tokens):
        try:
            file = parse("".join(tokens), path=".env", expand=True, environ={"B": "b"})
        except DotenvError:
            return
        assert all(entry.error or isinstance(entry.value, str) for entry in file.entries.values())

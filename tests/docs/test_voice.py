"""Texts use plain English: phrases that reviewers stumbled over do not come back."""

import re

import pytest

from support.pages import ROOT

PHRASES = re.compile(
    r"\b(mend(s|ed|ing)?|under way|way back|unless said|at the most|for ever|whoever|somebody"
    r"|nobody|is none of|that which|comes? to an end|time will do|asked to stop)\b",
    re.IGNORECASE,
)
FILES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("envkit/**/*.py"),
    *ROOT.glob("envkit/**/*.j2"),
    *(file for file in ROOT.glob("examples/**/*") if file.is_file()),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_text_has_none_of_the_phrases_that_readers_stumble_over(file):
    lines = enumerate(file.read_text("utf-8").splitlines(), start=1)
    assert [f"{number}: {line}" for number, line in lines if PHRASES.search(line)] == []

"""A text is found wherever it stands, and nothing else is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.scan.search import SHORTEST, Searcher

TEXTS = st.lists(st.binary(min_size=SHORTEST, max_size=24), min_size=1, max_size=8, unique=True)


@given(TEXTS, st.lists(st.binary(max_size=9), max_size=6), st.randoms())
def test_every_occurrence_of_every_text_is_found_and_no_other(texts, between, random):
    parts = [*between, *(random.choice(texts) for _ in range(3))]
    random.shuffle(parts)
    data = b"".join(parts)
    expected = {
        (match.start(), match.start() + len(text), text)
        for text in texts
        for match in re.finditer(b"(?=" + re.escape(text) + b")", data)
    }
    assert {tuple(hit) for hit in Searcher({text: text for text in texts}).hits(data)} == expected


@pytest.mark.parametrize("data", [b"", b"abc", b"abcdefg"])
def test_short_data_contains_nothing(data):
    assert list(Searcher({b"something else": 1}).hits(data)) == []


def test_a_searcher_without_texts_finds_nothing():
    assert list(Searcher({}).hits(b"anything at all")) == []


def test_a_text_that_is_too_short_is_refused_without_quoting_it():
    with pytest.raises(ValueError, match=r"^a text has 6 bytes, which is too few$"):
        Searcher({b"secret": 1})


def test_the_texts_are_not_in_a_representation():
    assert repr(Searcher({b"hunter2hunter2": 1})) == "Searcher(4 groups)"

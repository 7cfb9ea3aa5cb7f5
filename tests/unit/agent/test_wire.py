"""Frames, questions and answers survive the wire; anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.agent.wire import (
    ASK,
    HEADER_BYTES,
    Answer,
    Question,
    WireError,
    frame,
    pack,
    read_answer,
    read_header,
    read_question,
    selected,
    unpack,
)

ITEMS = st.lists(st.binary(max_size=40), max_size=8)
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=3)


@given(ITEMS)
def test_unpack_returns_what_was_packed(items):
    assert unpack(pack(items)) == items
    data = frame(ASK, items)
    kind, length = read_header(data[:HEADER_BYTES], 10_000)
    assert (kind, unpack(data[HEADER_BYTES:])) == (ASK, items)
    assert length == len(data) - HEADER_BYTES


@given(st.binary(max_size=60))
def test_unpack_accepts_only_what_pack_returns(data):
    try:
        items = unpack(data)
    except WireError:
        return
    assert pack(items) == data


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"GET / HTT", "not a frame"),
        (b"EKA\x02\x01\0\0\0\0", "another version"),
        (b"EKA\x01\x01\xff\xff\xff\xff", "too long"),
    ],
)
def test_a_header_that_is_not_ours_is_refused(header, told):
    with pytest.raises(WireError, match=told):
        read_header(header, 1024)


@given(TEXTS, TEXTS, TEXTS, st.none() | st.just("p"), st.floats(0.001, 86_399))
def test_a_question_survives_the_wire(environments, only, names, profiles, seconds):
    asked = Question("1", "/x", profiles, environments, only, [], names, ["A", "b"], seconds)
    assert read_question(asked.items()) == asked


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items[:-1],
        lambda items: [*items, b""],
        lambda items: [*items[:-1], b"nan"],
        lambda items: [*items[:-1], b"-1"],
        lambda items: [*items[:-1], b"soon"],
        lambda items: [*items[:2], pack([b"a", b"b"]), *items[3:]],
        lambda items: [*items[:7], pack([b"NAME"]), items[8]],
        lambda items: [*items[:3], b"\0", *items[4:]],
    ],
)
def test_what_is_no_question_is_refused(change):
    asked = Question("1", "/x", None, ["dev"], (), (), (), (), 1.0)
    with pytest.raises(WireError):
        read_question(change(asked.items()))


@given(ITEMS, ITEMS)
def test_an_answer_survives_the_wire_and_its_repr_shows_no_value(profiles, names):
    answer = Answer(
        profiles, [], names, [b"hunter2"] * len(names), [b""] * len(names), [b"v", b"oidc"]
    )
    assert read_answer(answer.items()) == answer
    assert "hunter2" not in repr(answer)


def test_an_answer_with_fewer_values_than_names_is_refused():
    with pytest.raises(WireError):
        read_answer(Answer([], [], [b"A"], [], [b""], []).items())
    with pytest.raises(WireError):
        read_answer(Answer([], [], [], [], [], [b"vault"]).items())
    with pytest.raises(WireError):
        read_answer([b""])


def test_a_client_sends_only_variables_that_were_named():
    environ = {
        b"VAULT_TOKEN": b"1",
        b"HTTPS_PROXY": b"2",
        b"no_proxy": b"3",
        b"HOME": b"4",
        b"X": b"5",
    }
    assert selected(environ, [b"VAULT_*", b"*_PROXY", b"X"]).keys() == {
        *(b"VAULT_TOKEN", b"HTTPS_PROXY", b"no_proxy", b"X")
    }
    assert selected(environ, [b"*", b"H*", b"*_", b""]) == {}, "that would be all of them"

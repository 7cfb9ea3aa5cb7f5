"""Frames and answers survive the wire; anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.agent.wire import (
    ASK,
    HEADER_BYTES,
    Answer,
    WireError,
    frame,
    pack,
    read_answer,
    read_header,
    selected,
    unpack,
)

ITEMS = st.lists(st.binary(max_size=40), max_size=8)


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
        (b"EKA\x01\x01\0\0\0\0", "another version"),
        (b"EKA\x03\x01\xff\xff\xff\xff", "too long"),
    ],
)
def test_a_header_that_is_not_ours_is_refused(header, told):
    with pytest.raises(WireError, match=told):
        read_header(header, 1024)


NAMES = st.lists(st.from_regex(rb"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), max_size=5)


@given(ITEMS, NAMES)
def test_an_answer_survives_the_wire_and_its_repr_shows_no_value(bootstrap, names):
    answer = Answer(bootstrap, names, [b"hunter2" for _ in names], [b"f"])
    read = read_answer(unpack(answer.body()))
    assert [getattr(read, one) for one in Answer.__slots__] == [
        getattr(answer, one) for one in Answer.__slots__
    ]
    assert "hunter2" not in repr(answer)


def test_an_answer_with_fewer_values_than_names_is_refused():
    with pytest.raises(WireError):
        read_answer(unpack(Answer([], [b"A"], [], []).body()))
    with pytest.raises(WireError):
        read_answer([b""])


@pytest.mark.parametrize(
    ("name", "value"), [(b"", b""), (b"A=B", b""), (b"A\0", b""), (b"\xff", b""), (b"A", b"x\0y")]
)
def test_an_answer_with_what_cannot_be_a_variable_is_refused(name, value):
    answer = Answer([], [b"B", name], [b"", value], [])
    with pytest.raises(WireError):
        read_answer(unpack(answer.body()))


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

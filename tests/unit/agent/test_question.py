"""Questions survive the wire; anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS
from envkit.agent.key import ALWAYS, OF_TYPES
from envkit.agent.question import Question, read_pairs, read_question, unusual
from envkit.agent.wire import USUAL, WireError, pack, packed_pairs, selected, unpack

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=3)


@given(TEXTS, TEXTS, TEXTS, st.none() | st.just("p"), st.floats(0.001, 86_399))
def test_a_question_survives_the_wire(environments, only, names, profiles, seconds):
    asked = Question(
        "1", "/x", profiles, environments, only, [], names, ["A", "b"], "get", "why", seconds
    )
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
        lambda items: [*items[:7], pack([b"NAME"]), *items[8:]],
        lambda items: [*items[:8], b"set", *items[9:]],
        lambda items: [*items[:3], b"\0", *items[4:]],
    ],
)
def test_what_is_no_question_is_refused(change):
    asked = Question("1", "/x", None, ["dev"], (), (), (), (), "exec", "", 1.0)
    with pytest.raises(WireError):
        read_question(change(asked.items()))


def test_a_question_without_a_timeout_has_the_default():
    asked = Question("1", "/x", None, ["dev"], (), (), (), (), "exec", "", 1.0)
    read = read_question([*asked.items()[:-1], b""])
    assert read.timeout_seconds == DEFAULT_TIMEOUT_SECONDS


TEXTS = st.binary(max_size=8).map(lambda text: text.replace(b"\0", b""))


@given(st.dictionaries(TEXTS, TEXTS))
def test_variables_survive_the_wire(variables):
    assert read_pairs(unpack(packed_pairs(variables))) == variables


@pytest.mark.parametrize("items", [[b"A", b"1", b"B"], [b"A", b"1\0"], [b"A\0", b"1"]])
def test_what_could_not_be_an_environment_is_refused(items):
    with pytest.raises(WireError):
        read_pairs(items)


def test_a_client_sends_all_variables_of_stores_with_its_question():
    assert unusual([*ALWAYS, *(one for all_ in OF_TYPES.values() for one in all_)]) == []
    assert unusual([b"VAULT_ADDR", b"https_proxy", b"MINE", b"MY_*", b"*_MINE"]) == [
        *(b"MINE", b"MY_*", b"*_MINE")
    ]


@given(st.sampled_from(["VAULT_X", "HTTP_PROXY", "no_proxy", "HOME", "VAULT", "X_PROXY_", "NETRC"]))
def test_a_variable_is_usual_if_a_client_sends_it(name):
    assert (unusual([name.encode()]) == []) == bool(selected({name.encode(): b""}, USUAL))

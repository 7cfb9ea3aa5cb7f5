"""Questions survive the wire; anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS
from envkit.agent.asking import question_items
from envkit.agent.key import ALWAYS, OF_TYPES
from envkit.agent.question import (
    NotForAgentError,
    Question,
    read_pairs,
    read_question,
    unusual,
)
from envkit.agent.wire import USUAL, WireError, packed_pairs, selected, unpack
from support.agents import items_of

WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=3)
ASKED = Question("1", "/x", None, ["dev"], (), (), ["A"], (), "get", "why", 1.0)
NO_VARIABLES: dict[bytes, bytes] = {}


@given(WORDS, WORDS, st.none() | st.just("p"), st.floats(0.001, 86_399), st.booleans())
def test_a_question_survives_the_wire(environments, only, profiles, seconds, pristine):
    asked = Question(
        *("1", "/x", profiles, environments, only, [], [], ["A", "b=c"]),
        *("exec", "why", seconds, pristine),
    )
    assert read_question(items_of(asked), NO_VARIABLES) == asked


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items[:-1],
        lambda items: [*items, b""],
        lambda items: [*items[:2], b"set", items[3]],
        lambda items: [*items[:3], b"\0"],
    ],
)
def test_what_is_no_question_is_refused(change):
    with pytest.raises(WireError):
        read_question(change(items_of(ASKED)), NO_VARIABLES)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("exec", ["--timeout", "nan"]),
        ("exec", ["--timeout", "-1"]),
        ("exec", ["--timeout=soon"]),
        ("exec", ["--set", "NAME"]),
        ("exec", ["--evn", "dev"]),
        ("exec", ["--help"]),
        ("exec", ["--env"]),
        ("exec", ["app"]),
        ("exec", ["--watch"]),
        ("exec", ["--dry-run"]),
        ("exec", ["--break-glass"]),
        ("exec", ["--stop-signal", "INT"]),
        ("get", []),
        ("get", [""]),
        ("get", ["A", "B"]),
        ("get", ["--set", "A=b", "A"]),
        ("hook", ["A"]),
    ],
)
def test_a_command_line_that_only_a_client_understands_is_left_to_it(command, words):
    with pytest.raises(NotForAgentError):
        read_question(question_items("1", "/x", command, words), NO_VARIABLES)


def test_options_have_the_same_defaults_as_in_a_client():
    read = read_question(question_items("1", "/x", "get", ["A"]), {b"ENVKIT_REASON": b" why "})
    assert read.timeout_seconds == DEFAULT_TIMEOUT_SECONDS
    assert (read.profiles, read.environments, read.reason) == (None, [], "why")
    items = question_items("1", "/x", "get", ["A", "--reason", "mine"])
    assert read_question(items, {b"ENVKIT_REASON": b"why"}).reason == "mine"


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

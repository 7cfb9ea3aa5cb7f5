"""Everything that is asked is part of the key."""

import pytest

from envkit.agent.key import Keys, unasked
from envkit.agent.question import Question

ASKED = Question("1", "/x", None, ["dev"], ["A"], ["B"], ["C"], ["D", "e"], "exec", "", 15.0)


@pytest.mark.parametrize(
    "change",
    [
        {"folder": "/y"},
        {"reason": "why"},
        {"profiles": ""},
        {"environments": ["dev", "prod"]},
        {"environments": []},
        {"only": ["A", "B"]},
        {"exclude": []},
        {"names": ["D"]},
        {"overrides": ["D", "f"]},
        {"only": ["B"], "exclude": ["A"]},
    ],
)
def test_each_part_of_a_question_changes_its_shape(change):
    keys = Keys()
    same = ASKED._replace(timeout_seconds=1.0, command="get", pristine=True)
    assert keys.shape(ASKED) == keys.shape(same)
    assert keys.shape(ASKED) != keys.shape(ASKED._replace(**change))


def test_each_variable_changes_the_key_and_their_order_does_not():
    keys = Keys()
    shape = keys.shape(ASKED)
    entries = [
        *({b"A": b"1", b"B": b"2"}, {b"A": b"1"}, {b"A": b"1B"}, {}),
        *({b"A": b"", b"B": b"12"}, {b"A": b"12", b"B": b""}),
    ]
    assert len({keys.entry(shape, one) for one in entries}) == len(entries)
    assert keys.entry(shape, {b"A": b"1", b"B": b"2"}) == keys.entry(
        shape, {b"B": b"2", b"A": b"1"}
    )


def test_two_agents_have_different_keys():
    assert Keys().shape(ASKED) != Keys().shape(ASKED)


def test_a_name_is_asked_if_a_pattern_has_it():
    wanted = (b"HOME", b"VAULT_*", b"*_PROXY")
    names = ("HOME", "VAULT_TOKEN", "https_proxy", "HOMES", "XVAULT_", "PROXY")
    assert unasked(names, wanted) == [b"HOMES", b"PROXY", b"XVAULT_"]

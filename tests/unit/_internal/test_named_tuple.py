"""Our `NamedTuple` behaves like `typing.NamedTuple` in everything that envkit uses."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

from envkit._internal import named_tuple


class Ours(named_tuple.NamedTuple):
    path: str
    field: str | None = None
    version: int = 0

    @property
    def place(self) -> str:
        return f"{self.path}#{self.field}"


class Theirs(typing.NamedTuple):
    path: str
    field: str | None = None
    version: int = 0


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("a",), {}),
        (("a", "b", 3), {}),
        ((), {"path": "a", "version": 4}),
        (("a", "b"), {"version": 5}),
    ],
)
def test_our_named_tuple_accepts_the_same_arguments_as_typings(values, named):
    ours, theirs = Ours(*values, **named), Theirs(*values, **named)

    assert tuple(ours) == tuple(theirs)
    assert ours == theirs
    assert hash(ours) == hash(theirs)
    assert ours._asdict() == theirs._asdict()
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert tuple(ours._replace(field="z")) == tuple(theirs._replace(field="z"))
    assert (ours.path, ours.field, ours.version) == (theirs.path, theirs.field, theirs.version)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        ((), {"field": "b"}),
        (("a",), {"path": "b"}),
        (("a",), {"paht": "b"}),
        (("a", "b", 3, 4), {}),
    ],
)
def test_our_named_tuple_refuses_the_same_arguments_as_typings(values, named):
    with pytest.raises(TypeError):
        Theirs(*values, **named)
    with pytest.raises(TypeError):
        Ours(*values, **named)


def test_a_named_tuple_refuses_to_set_attributes():
    with pytest.raises(AttributeError):
        Ours("a").path = "b"
    with pytest.raises(AttributeError):
        Ours("a").other = "b"


def test_properties_copies_patterns_and_pickles_work():
    ours = Ours("a", "b")

    assert ours.place == "a#b"
    assert copy.deepcopy(ours) == ours
    assert type(pickle.loads(pickle.dumps(ours))) is Ours
    match ours:
        case Ours(path, field, version):
            assert (path, field, version) == ("a", "b", 0)


def test_make_takes_all_values_at_once():
    assert Ours._make(["a", "b", 3]) == Ours("a", "b", 3)
    assert type(Ours._make(("a", "b", 3))) is Ours
    assert Ours._make(("a", "b", 3)).place == "a#b"

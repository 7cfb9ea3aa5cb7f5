"""Topological order: needed items are first, and circles are reported."""

from itertools import pairwise

import pytest

from envkit._internal.toposort import topological_order
from envkit.errors import ProfileError


def circle_error(names):
    return ProfileError(" -> ".join(names))


def ordered(wanted, needs):
    return "".join(topological_order(wanted, lambda name: needs.get(name, ""), circle_error))


@pytest.mark.parametrize(
    ("wanted", "needs", "expected"),
    [
        ("abc", {}, "abc"),
        ("a", {"a": "bc"}, "bca"),
        ("ab", {"a": "b"}, "ba"),
        ("a", {"a": "bc", "b": "d", "c": "d"}, "dbca"),  # a diamond
        ("a", {"a": "bc", "c": "b"}, "bca"),
        ("a", {"a": "cb", "c": "b"}, "bca"),
        ("a", {"a": "bb"}, "ba"),
        ("", {}, ""),
    ],
)
def test_topological_order_puts_what_is_needed_first(wanted, needs, expected):
    assert ordered(wanted, needs) == expected


@pytest.mark.parametrize(
    ("wanted", "needs", "circle"),
    [
        ("a", {"a": "a"}, "a -> a"),
        ("a", {"a": "b", "b": "a"}, "a -> b -> a"),
        ("a", {"a": "xb", "b": "c", "c": "yb"}, "b -> c -> b"),
    ],
)
def test_a_cycle_is_shown_from_where_it_begins(wanted, needs, circle):
    with pytest.raises(ProfileError, match=f"^{circle}$"):
        ordered(wanted, needs)


def test_the_depth_of_a_chain_is_not_limited():
    names = [str(number) for number in range(100_000)]
    following = dict(pairwise(names))

    def needs(name):
        return [following[name]] if name in following else []

    assert topological_order(["0"], needs, circle_error) == names[::-1]

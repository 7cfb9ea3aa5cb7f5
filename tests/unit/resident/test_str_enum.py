"""The `StrEnum` that loads fast does what its users need of the one in the standard library."""

import enum

import pytest

from envkit.resident import str_enum


@pytest.mark.parametrize("base", [enum.StrEnum, str_enum.StrEnum])
def test_members_are_found_by_their_value_and_compared_by_identity(base):
    class Colour(base):
        """What is not a member: names that begin with an underscore."""

        RED = "red"
        DARK_BLUE = "dark-blue"

    assert Colour("red") is Colour.RED
    assert isinstance(Colour.RED, Colour)
    assert Colour.DARK_BLUE == "dark-blue"
    assert Colour.RED is not Colour.DARK_BLUE
    assert type(str(Colour.RED)) is str
    with pytest.raises(ValueError, match="'green' is not a"):
        Colour("green")

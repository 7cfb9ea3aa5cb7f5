"""Tokens of known shapes inside a text."""

from envkit.detection.token_shapes import find_tokens


def test_a_token_is_found_inside_a_longer_text():
    token = "gh" + "p_16C7e42F292c6912E7710c838347Ae178B4a"
    assert list(find_tokens(f"# was {token}, rotated")) == [("a GitHub token", token)]
    assert list(find_tokens(f"x{token}")) == [], "the middle of something longer"

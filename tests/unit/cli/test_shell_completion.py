"""How a command line is split into words before completion."""

import pytest

from envkit.cli.shell_completion import complete_words


@pytest.mark.parametrize(
    ("typed", "split"),
    [
        # as bash splits it
        ("get --env = d", ("get --env", "d", "")),
        ("get --env =", ("get --env", "", "")),
        ("get --env = dev D", ("get --env dev", "D", "")),
        ("exec --env = dev --only = N", ("exec --env dev --only", "N", "")),
        # as zsh and fish do
        ("get --env=d", ("get --env", "d", "--env=")),
        ("get --env=", ("get --env", "", "--env=")),
        ("exec --set=A=b", ("exec --set", "A=b", "--set=")),
        ("get -ed", ("get -e", "d", "-e")),
        ("export -fs", ("export -f", "s", "-f")),
        # already complete
        ("get --env d", ("get --env", "d", "")),
        ("get -e", ("get", "-e", "")),
        ("get --en", ("get", "--en", "")),
        ("get D", ("get", "D", "")),
        ("exec A=b", ("exec", "A=b", "")),
        ("exec --dry-run", ("exec", "--dry-run", "")),
    ],
)
def test_completion_separates_an_option_from_its_value(typed, split):
    *args, incomplete = typed.split(" ")
    words, rest, prefix = complete_words(args, incomplete)
    assert (" ".join(words), rest, prefix) == split

"""Which variables a shell script reads."""

import pytest

from envkit.code import shell
from support.reads import uses
from support.vectors import vectors

VECTORS = vectors("unit/code/shell")


@pytest.mark.parametrize("source", VECTORS["shell"])
def test_shell(source):
    assert uses(shell.find(source.encode())) == VECTORS["shell"][source]


def test_what_a_script_sets_itself():
    source = (
        b"A=1; export B=2; local C=$X D; for E in 1 2; do :; done; read -r F G; declare -a H; "
        b"I+=x; J[0]=1; getopts ab K; printf -v L %s x; export M"
    )
    assert set(shell.find(source).given) == set("ABCDEFGHIJKL")

"""Which variables a shell script reads."""

from __future__ import annotations

import pytest

from envkit.code import shell
from support.reads import NEEDED, OPTIONAL, uses

SHELL = {
    "echo $A": {"A": NEEDED},
    'echo "${A}/x"': {"A": NEEDED},
    ': "${A:?set it}"': {"A": NEEDED},
    'psql "$A ${B} ${C:-d}\t$D"': {"A": NEEDED, "B": NEEDED, "C": OPTIONAL, "D": NEEDED},
    "echo ${A:-d} ${B-d} ${C:=d} ${D:+x}": dict.fromkeys("ABCD", OPTIONAL),
    "echo ${A%%/*} ${#B} ${C//x/y}": dict.fromkeys("ABC", NEEDED),
    'if [ -z "$A" ]; then exit 1; fi': {"A": OPTIONAL},
    '[[ -n $A && "$B" == x ]]': {"A": OPTIONAL, "B": OPTIONAL},
    "echo '$A' \\$B # $C": {},
    "cat <<X\n$A\nX": {"A": NEEDED},
    "cat <<'X'\n$A\nX": {},
    "x=$(curl $A)": {"A": NEEDED},
    "echo $lower $1 $? $PWD $RANDOM": {},
    "echo ${!A}": {"": OPTIONAL},
}


@pytest.mark.parametrize("source", SHELL)
def test_shell(source):
    assert uses(shell.find(source.encode())) == SHELL[source]


def test_what_a_script_sets_itself():
    source = (
        b"A=1; export B=2; local C=$X D; for E in 1 2; do :; done; read -r F G; declare -a H; "
        b"I+=x; J[0]=1; getopts ab K; printf -v L %s x; export M"
    )
    assert set(shell.find(source).given) == set("ABCDEFGHIJKL")

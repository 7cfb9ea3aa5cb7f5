"""Which variables a Go file reads."""

import pytest

from envkit.code import go
from support.reads import NEEDED, uses
from support.vectors import vectors

VECTORS = vectors("unit/code/go")


@pytest.mark.parametrize("source", VECTORS["go"])
def test_go(source):
    file = f'package a\nimport "os"\nconst KEY = "A"\nfunc f() {{\n{source}\n}}\n'
    assert uses(go.find(file.encode())) == VECTORS["go"][source]


def test_go_by_another_name_and_what_it_sets():
    file = b'package a\nimport sys "os"\nfunc f() { sys.Getenv("A"); sys.Setenv("B", "1") }\n'
    found = go.find(file)
    assert (uses(found), found.given) == ({"A": NEEDED}, {"B"})


@pytest.mark.parametrize("tag", VECTORS["go_tags"])
def test_go_by_tags(tag):
    file = f"package a\ntype Config struct {{\n  Field string `{tag}`\n}}\n"
    assert uses(go.find(file.encode())) == VECTORS["go_tags"][tag]


def test_go_names_below_a_prefix_are_not_complete():
    fields = 'Host string `env:"HOST,required"`\nDB Inner `envPrefix:"DB_"`'
    assert uses(go.find(f"package a\ntype C struct {{\n{fields}\n}}\n".encode())) == {}

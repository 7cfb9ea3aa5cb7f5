"""Which variables a Go file reads."""

from __future__ import annotations

import pytest

from envkit.code import go
from support.reads import NEEDED, OPTIONAL, uses

GO = {
    'os.Getenv("A")': {"A": NEEDED},
    "os.Getenv(`A`)": {"A": NEEDED},
    'v, ok := os.LookupEnv("A")': {"A": OPTIONAL},
    "os.Getenv(KEY)": {"A": NEEDED},
    "os.Getenv(name)": {"": OPTIONAL},
    'if os.Getenv("A") == "" {}': {"A": OPTIONAL},
    'a := os.Getenv("A"); if a == "" { a = "x" }': {"A": OPTIONAL},
    'a := os.Getenv("A"); use(a)': {"A": NEEDED},
    'other.Getenv("A")': {},
    '// os.Getenv("A")': {},
    'x := "os.Getenv(A)"': {},
}


@pytest.mark.parametrize("source", GO)
def test_go(source):
    file = f'package a\nimport "os"\nconst KEY = "A"\nfunc f() {{\n{source}\n}}\n'
    assert uses(go.find(file.encode())) == GO[source]


def test_go_by_another_name_and_what_it_sets():
    file = b'package a\nimport sys "os"\nfunc f() { sys.Getenv("A"); sys.Setenv("B", "1") }\n'
    found = go.find(file)
    assert (uses(found), found.given) == ({"A": NEEDED}, {"B"})


GO_TAGS = {
    'env:"A"': {"A": OPTIONAL},
    'env:"A,required"': {"A": NEEDED},
    'json:"b" env:"A,notEmpty,file"': {"A": NEEDED},
    'env:"A" envDefault:"required"': {"A": OPTIONAL},
    'env:"A" env-required:"true"': {"A": NEEDED},
    'env:"A, required"': {"A": NEEDED},
    'env:",init" envPrefix:"DB_"': {},
    'json:"env"': {},
}


@pytest.mark.parametrize("tag", GO_TAGS)
def test_go_by_tags(tag):
    file = f"package a\ntype Config struct {{\n  Field string `{tag}`\n}}\n"
    assert uses(go.find(file.encode())) == GO_TAGS[tag]


def test_go_names_below_a_prefix_are_not_complete():
    fields = 'Host string `env:"HOST,required"`\nDB Inner `envPrefix:"DB_"`'
    assert uses(go.find(f"package a\ntype C struct {{\n{fields}\n}}\n".encode())) == {}

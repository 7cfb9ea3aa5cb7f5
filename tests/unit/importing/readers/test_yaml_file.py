"""YAML: mappings of texts, as they are written; whatever builds objects or grows is refused."""

import builtins

import pytest

from envkit.errors import ExtraMissingError
from envkit.importing.errors import ImportFileError
from envkit.importing.readers.yaml_file import read_yaml

LAUGHS = "".join(
    f"l{n}: &l{n}\n  <<: [{', '.join([f'*l{n - 1}'] * 9) if n else ''}]\n  K{n}: x\n"
    for n in range(12)
)


def values(contents):
    return {entry.name: entry.value.reveal() for entry in contents.entries}


def test_scalars_keep_their_text():
    text = (
        "A: 0755\nB: yes\nC: 1_000\nD: 2001-01-01\nE: 'q'\nF: |\n  two\n  lines\n"
        "G: 1.10\nH: '0'\nI: 0x1F\nJ: '~'\n"
    )
    expected = {"A": "0755", "B": "yes", "C": "1_000", "D": "2001-01-01", "E": "q"}
    assert values(read_yaml(text, path="f.yml")) == {
        **expected,
        "F": "two\nlines\n",
        "G": "1.10",
        "H": "0",
        "I": "0x1F",
        "J": "~",
    }


def test_null_is_no_value():
    contents = read_yaml("A: ~\nB:\nC: null\n", path="f.yml")
    assert (values(contents), [one.needed for one in contents.left_out]) == ({}, [False] * 3)


def test_aliases_and_merges_are_followed():
    text = "base: &base\n  A: 1\nservices:\n  w:\n    environment:\n      <<: *base\n      B: 2\n"
    assert values(read_yaml(text, path="f.yml")) == {"B": "2", "A": "1"}
    assert values(read_yaml("A: &a x\nB: *a\n", path="f.yml")) == {"A": "x", "B": "x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A:\n  B: x\n", "f.yml:1: A is a mapping, and a variable is text"),
        ("X: y\nA: [1]\n", "f.yml:2: A is a list, and a variable is text"),
        ("- A\n", "f.yml is not a mapping of variables"),
        ("A: 1\nA: 2\n", "f.yml:2: the key A is there twice"),
        ("A: !!binary aGk=\n", "f.yml:1: A has a tag, which envkit does not evaluate"),
        ("A: !!python/object/apply:os.system ['touch pwned']\n", "f.yml:1: A is a list"),
        ("A: !vault x\n", "f.yml:1: A has a tag, which envkit does not evaluate"),
        ("!t\nA: 1\n", "f.yml is not a mapping of variables"),
        ("? [A]\n: x\n", "f.yml:1: a key is not text"),
        ("<<: x\n", "f.yml:1: '<<' is not followed by a mapping"),
        ("A: &a\n  <<: *a\n", "f.yml:1: A is a mapping, and a variable is text"),
        ("&a\n<<: *a\nA: x\n", "f.yml has more than 10,000 entries"),
        ("A: 'hidden\n", "f.yml:2: not YAML"),
        ("A: hidden\n--- \nB: x\n", "f.yml:2: not YAML"),
        ("A: *hidden\n", "f.yml:1: not YAML"),
        ("A: \x07hidden\n", "f.yml is not YAML"),
        ("[" * 5000, "f.yml is nested too deeply"),
        (f"{LAUGHS}<<: *l11\n", "f.yml has more than 10,000 entries"),
        ("services: {w: [x]}\n", "f.yml:1: the service w is not a mapping"),
    ],
)  # fmt: skip
def test_yaml_that_is_no_mapping_of_texts_is_refused_with_its_place(text, message):
    with pytest.raises(ImportFileError) as caught:
        read_yaml(text, path="f.yml")
    assert caught.value.message.startswith(message)
    assert "hidden" not in repr(caught.value)


def test_without_pyyaml_the_error_says_how_to_install_it(monkeypatch):
    found = builtins.__import__

    def without(name, *rest, **more):
        if name == "yaml":
            raise ImportError(name)
        return found(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExtraMissingError, match=r"cannot read f\.yml: ") as caught:
        read_yaml("A: 1", path="f.yml")
    assert "yaml" in caught.value.hint

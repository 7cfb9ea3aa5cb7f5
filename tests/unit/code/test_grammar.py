"""The parsers of languages, which an extra brings."""

from __future__ import annotations

import os

import pytest

from envkit.code import grammar
from envkit.code.scan import scan
from envkit.errors import ExtraMissingError


@pytest.fixture
def program(tmp_path):
    """Write a file of the program; the folder is its `root`."""

    def write(path, text="import os\nos.environ['{}']\n"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        name = "".join(char if char.isalnum() else "_" for char in path).upper()
        file.write_text(text.replace("{}", name))

    write.root = tmp_path
    return write


def read(program, *folders, names=(), without=""):
    folders = [str(program.root / folder) for folder in folders] or [str(program.root)]
    return scan(folders, names=set(names), environ=os.environ, without=without)


def test_a_parser_that_is_missing_is_named_with_its_extra(program, monkeypatch):
    grammar._parser.cache_clear()
    monkeypatch.setitem(grammar._GRAMMARS, "Go", ("tree_sitter_of_nobody", "language"))
    program("a.go", 'package a\nimport "os"\nvar x = os.Getenv("A")\n')
    with pytest.raises(ExtraMissingError) as caught:
        read(program)
    assert caught.value.hint == "run pip install 'envkit[check]'"
    grammar._parser.cache_clear()

"""The parsers of languages, which an extra brings."""

import os

import pytest

from envkit.code import grammar
from envkit.code.scan import scan
from envkit.errors import ExtraMissingError


def test_a_parser_that_is_missing_is_named_with_its_extra(tmp_path, monkeypatch):
    grammar._parser.cache_clear()
    monkeypatch.setitem(grammar._GRAMMARS, "Go", ("tree_sitter_of_nobody", "language"))
    (tmp_path / "a.go").write_text('package a\nimport "os"\nvar x = os.Getenv("A")\n')
    with pytest.raises(ExtraMissingError) as caught:
        scan([str(tmp_path)], names=set(), environ=os.environ, without="")
    assert caught.value.hint == "run pip install 'envkit[check]'"
    grammar._parser.cache_clear()

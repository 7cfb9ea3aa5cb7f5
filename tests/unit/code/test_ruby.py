"""Which variables a Ruby file reads."""

import pytest

from envkit.code import ruby
from support.reads import uses
from support.vectors import vectors

VECTORS = vectors("unit/code/ruby")


@pytest.mark.parametrize("source", VECTORS["ruby"])
def test_ruby(source):
    assert uses(ruby.find(source.encode())) == VECTORS["ruby"][source]


def test_what_ruby_sets_itself():
    assert ruby.find(b"ENV['A'] = '1'; ENV['B'] ||= '2'; ENV.delete('C')") == ([], {"A", "B", "C"})

"""Which variables a Ruby file reads."""

from __future__ import annotations

import pytest

from envkit.code import ruby
from support.reads import NEEDED, OPTIONAL, uses

RUBY = {
    "ENV['A']": {"A": OPTIONAL},
    'ENV["A"] || "d"': {"A": OPTIONAL},
    "ENV.fetch('A')": {"A": NEEDED},
    "ENV.fetch('A', 'd')": {"A": OPTIONAL},
    "ENV.fetch('A') { |k| k }": {"A": OPTIONAL},
    "ENV.key?('A')": {"A": OPTIONAL},
    "ENV.values_at('A', 'B')": {"A": OPTIONAL, "B": OPTIONAL},
    'ENV["a#{b}"]': {"": OPTIONAL},
    "ENV.fetch(name)": {"": OPTIONAL},
    "# ENV['A']\nx = \"ENV['B']\"": {},
    "<<~X\n  #{ENV.fetch('A')} ENV['B']\nX": {"A": NEEDED},
    "env['A']": {},
}


@pytest.mark.parametrize("source", RUBY)
def test_ruby(source):
    assert uses(ruby.find(source.encode())) == RUBY[source]


def test_what_ruby_sets_itself():
    assert ruby.find(b"ENV['A'] = '1'; ENV['B'] ||= '2'; ENV.delete('C')") == ([], {"A", "B", "C"})

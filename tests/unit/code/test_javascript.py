"""Which variables a JavaScript or TypeScript file reads."""

import pytest

from envkit.code import javascript
from support.reads import NEEDED, uses
from support.vectors import vectors

VECTORS = vectors("unit/code/javascript")


@pytest.mark.parametrize("source", VECTORS["javascript"])
def test_typescript(source):
    assert uses(javascript.find(source.encode(), "TypeScript")) == VECTORS["javascript"][source]


@pytest.mark.parametrize("language", ["JavaScript", "TSX"])
def test_elements_of_a_page(language):
    source = b"const App = () => <p title='process.env.NO'>process.env.NO {process.env.A}</p>"
    assert uses(javascript.find(source, language)) == {"A": NEEDED}


def test_what_javascript_sets_itself():
    source = b"process.env.A = '1'; process.env.B ??= '2'; delete process.env.C"
    assert javascript.find(source) == ([], {"A", "B", "C"})

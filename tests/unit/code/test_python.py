"""Which variables a Python file reads: name, line, and whether it is needed."""

import pytest

from envkit.code import python
from envkit.code.found import UnreadableError
from support.reads import uses
from support.vectors import vectors

VECTORS = vectors("unit/code/python")


@pytest.mark.parametrize("source", VECTORS["python"])
def test_python(source):
    assert uses(python.find(source.encode())) == VECTORS["python"][source]


def test_what_python_sets_itself():
    source = (
        b"import os\nos.environ['A'] = '1'\nos.environ.setdefault('B', '1')\ndel os.environ['C']"
    )
    assert python.find(source) == ([], {"A", "B", "C"})


@pytest.mark.parametrize("source", [b"print 'environ'", b"environ = (", b"environ\0", b"\xff env"])
def test_what_is_no_python_is_said_to_be_none(source):
    with pytest.raises(UnreadableError):
        python.find(source)


def test_the_line_is_that_of_the_read():
    source = b"import os\n\nX = [\n    os.environ['A'],\n]\n"
    assert [read.line for read in python.find(source).reads] == [4]

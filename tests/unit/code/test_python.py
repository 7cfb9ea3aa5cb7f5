"""Which variables a Python file reads: name, line, and whether it is needed."""

from __future__ import annotations

import pytest

from envkit.code import python
from envkit.code.found import UnreadableError
from support.reads import NEEDED, OPTIONAL, uses

PYTHON = {
    "import os\nos.environ['A']": {"A": NEEDED},
    "import os\nos.environ.get('A')": {"A": OPTIONAL},
    "import os\nos.getenv('A', 'x')": {"A": OPTIONAL},
    "import os\nos.environ.pop('A')": {"A": NEEDED},
    "import os\nos.environ.pop('A', None)": {"A": OPTIONAL},
    "import os\nif 'A' in os.environ: pass": {"A": OPTIONAL},
    "import os\nif 'A' not in os.environ: pass": {"A": OPTIONAL},
    "import os as o\no.environ['A']": {"A": NEEDED},
    "import os.path\nos.environ['A']": {"A": NEEDED},
    "from os import environ as e, getenv\ne['A'], getenv('B')": {"A": NEEDED, "B": OPTIONAL},
    "import os\nenv = os.environ\nenv['A']": {"A": NEEDED},
    "import os\nget = os.environ.get\nget('A')": {},
    "import os\nNAME = 'A'\nos.environ[NAME]": {"A": NEEDED},
    "import os\nNAME = 'A'\nNAME = 'B'\nos.environ[NAME]": {"": OPTIONAL},
    "import os\nos.environ[f'{x}_URL']": {"": OPTIONAL},
    "import os\ntry:\n  os.environ['A']\nexcept KeyError:\n  os.environ['B']": {
        "A": OPTIONAL,
        "B": NEEDED,
    },
    "import os\ntry:\n  os.environ['A']\nexcept (ValueError, KeyError): pass": {"A": OPTIONAL},
    "import os\ntry:\n  os.environ['A']\nexcept ValueError: pass": {"A": NEEDED},
    "# os.environ['A']\nx = \"os.environ['B']\"": {},
    "environ = {}\nenviron['A']": {},
    "from decouple import config\nconfig('A'), config('B', default=1, cast=int)": {
        "A": NEEDED,
        "B": OPTIONAL,
    },
    "from environs import Env\nenv = Env()\nenv.read_env('X')\nenv.str('A'), env('B', 'x')": {
        "A": NEEDED,
        "B": OPTIONAL,
    },
    "from environs import env\nenv.int('A')": {"A": NEEDED},
    "import environ\nenv = environ.Env(DEBUG=(bool, False))\nenv('DEBUG'), env.db('A')": {
        "DEBUG": OPTIONAL,
        "A": NEEDED,
    },
    "from starlette.config import Config\nc = Config('.env')\nc('A'), c('B', default='x')": {
        "A": NEEDED,
        "B": OPTIONAL,
    },
}


@pytest.mark.parametrize("source", PYTHON)
def test_python(source):
    assert uses(python.find(source.encode())) == PYTHON[source]


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

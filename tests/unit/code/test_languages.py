"""Which variables a file reads and sets, in each language that is understood."""

import pytest

from envkit.code import go, javascript, python, ruby, shell
from envkit.code.found import UnreadableError
from support.reads import NEEDED, uses
from support.vectors import vectors

PYDANTIC = "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    {}\n"

# folder of the code samples, the file around each of them, and its reader
TABLES = [
    ("go", "go", 'package a\nimport "os"\nconst KEY = "A"\nfunc f() {{\n{}\n}}\n', go.find),
    ("go", "go_tags", "package a\ntype C struct {{\n  Field string `{}`\n}}\n", go.find),
    ("javascript", "javascript", "{}", lambda file: javascript.find(file, "TypeScript")),
    ("python", "python", "{}", python.find),
    ("settings_class", "settings", PYDANTIC, python.find),
    ("ruby", "ruby", "{}", ruby.find),
    ("shell", "shell", "{}", shell.find),
]
CASES = [
    pytest.param(find, around.format(code), read, id=f"{table} {code}")
    for name, table, around, find in TABLES
    for code, read in vectors(f"unit/code/{name}")[table].items()
]


@pytest.mark.parametrize(("find", "file", "read"), CASES)
def test_each_language_finds_the_variables_that_a_file_reads(find, file, read):
    assert uses(find(file.encode())) == read


@pytest.mark.parametrize(
    ("find", "file"),
    [
        (
            python.find,
            (
                b"import os\nos.environ['A'] = '1'\nos.environ.setdefault('B', '1')\n"
                b"del os.environ['C']"
            ),
        ),
        (javascript.find, b"process.env.A = '1'; process.env.B ??= '2'; delete process.env.C"),
        (ruby.find, b"ENV['A'] = '1'; ENV['B'] ||= '2'; ENV.delete('C')"),
    ],
    ids=["python", "javascript", "ruby"],
)
def test_a_variable_that_a_file_sets_itself_is_not_read(find, file):
    assert find(file) == ([], {"A", "B", "C"})


def test_a_shell_script_sets_its_variables_in_every_form():
    source = (
        b"A=1; export B=2; local C=$X D; for E in 1 2; do :; done; read -r F G; declare -a H; "
        b"I+=x; J[0]=1; getopts ab K; printf -v L %s x; export M"
    )
    assert set(shell.find(source).given) == set("ABCDEFGHIJKL")


def test_go_is_understood_with_an_import_alias_and_setenv():
    file = b'package a\nimport sys "os"\nfunc f() { sys.Getenv("A"); sys.Setenv("B", "1") }\n'
    found = go.find(file)
    assert (uses(found), found.given) == ({"A": NEEDED}, {"B"})


def test_go_names_with_a_prefix_are_reported_as_incomplete():
    fields = 'Host string `env:"HOST,required"`\nDB Inner `envPrefix:"DB_"`'
    assert uses(go.find(f"package a\ntype C struct {{\n{fields}\n}}\n".encode())) == {}


@pytest.mark.parametrize("language", ["JavaScript", "TSX"])
def test_javascript_elements_are_parsed_and_their_text_is_ignored(language):
    source = b"const App = () => <p title='process.env.NO'>process.env.NO {process.env.A}</p>"
    assert uses(javascript.find(source, language)) == {"A": NEEDED}


@pytest.mark.parametrize("source", [b"print 'environ'", b"environ = (", b"environ\0", b"\xff env"])
def test_a_file_that_is_not_python_is_unreadable(source):
    with pytest.raises(UnreadableError):
        python.find(source)


def test_a_use_is_reported_at_the_line_of_the_read():
    source = b"import os\n\nX = [\n    os.environ['A'],\n]\n"
    assert [read.line for read in python.find(source).reads] == [4]


def test_pydantic_settings_classes_are_found_through_inheritance():
    source = (
        b"import pydantic_settings as ps\n"
        b"class Base(ps.BaseSettings):\n    model_config = {'env_prefix': 'APP_'}\n    a: str\n"
        b"class More(Base):\n    b: str\n"
        b"class Old(ps.BaseSettings):\n    c: str = Field(..., env='X_C')\n"
        b"    class Config:\n        env_prefix = 'OLD_'\n"
        b"class NoSettings(Model):\n    d: str\n"
    )
    assert uses(python.find(source)) == {"APP_A": NEEDED, "APP_B": NEEDED, "X_C": NEEDED}

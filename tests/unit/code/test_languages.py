"""Which variables a file reads, in each language: name, line, and whether it is needed."""

from __future__ import annotations

import pytest

from envkit.code import go, javascript, python, ruby, shell
from envkit.code.found import UnreadableError

NEEDED, OPTIONAL, MADE = "needed", "optional", "made"


def uses(found):
    """`{"A": "needed"}`, where the last read of a name counts; `""` is a name that is made."""
    return {read.name: NEEDED if read.needed else OPTIONAL for read in found.reads}


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


SETTINGS = {
    "a: str": {"A": NEEDED},
    "a: str = 'x'; b: int | None = None": {"A": OPTIONAL, "B": OPTIONAL},
    "a: str = ...; _b: str; C: ClassVar[str] = 'x'; D = 1": {"A": NEEDED},
    "a: str = Field(); b: str = Field(..., min_length=1); c: list = Field(default_factory=list)": {
        "A": NEEDED,
        "B": NEEDED,
        "C": OPTIONAL,
    },
    "a: str = Field(validation_alias='X_A'); b: str = Field('d', alias='X_B')": {
        "X_A": NEEDED,
        "X_B": OPTIONAL,
    },
    "a: str = Field(validation_alias=AliasChoices('X', 'Y'))": {"X": OPTIONAL, "Y": OPTIONAL},
    "model_config = SettingsConfigDict(env_prefix='APP_'); a: str; b: str = Field(alias='B')": {
        "APP_A": NEEDED,
        "B": NEEDED,
    },
    "model_config = {'env_prefix': 'APP_', 'extra': 'ignore'}; a: str": {"APP_A": NEEDED},
    "model_config = SettingsConfigDict(env_prefix=prefix()); a: str": {},
    "model_config = SettingsConfigDict(env_nested_delimiter='__'); a: str; db: Database": {
        "A": NEEDED
    },
}


@pytest.mark.parametrize("body", SETTINGS)
def test_settings_of_pydantic(body):
    source = f"from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    {body}\n"
    assert uses(python.find(source.encode())) == SETTINGS[body]


def test_settings_of_pydantic_that_derive_from_others():
    source = (
        b"import pydantic_settings as ps\n"
        b"class Base(ps.BaseSettings):\n    model_config = {'env_prefix': 'APP_'}\n    a: str\n"
        b"class More(Base):\n    b: str\n"
        b"class Old(ps.BaseSettings):\n    c: str = Field(..., env='X_C')\n"
        b"    class Config:\n        env_prefix = 'OLD_'\n"
        b"class NoSettings(Model):\n    d: str\n"
    )
    assert uses(python.find(source)) == {"APP_A": NEEDED, "APP_B": NEEDED, "X_C": NEEDED}


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


JAVASCRIPT = {
    "process.env.A": {"A": NEEDED},
    "process.env['A']": {"A": NEEDED},
    "process.env[`A`]": {"A": NEEDED},
    "process.env?.A": {"A": NEEDED},
    "f(process.env.A!)": {"A": NEEDED},
    "f(process.env.A as string)": {"A": NEEDED},
    "globalThis.process.env.A": {"A": NEEDED},
    "import.meta.env.VITE_A; import.meta.env.MODE": {"VITE_A": NEEDED},
    "Bun.env.A": {"A": NEEDED},
    "Deno.env.get('A'); Deno.env.has('B'); Deno.env.get('C') ?? 1": {
        "A": NEEDED,
        "B": OPTIONAL,
        "C": OPTIONAL,
    },
    "`http://${process.env.A}/`": {"A": NEEDED},
    "x = process.env.A || 'd'": {"A": OPTIONAL},
    "x = process.env.A ?? 'd'": {"A": OPTIONAL},
    "x = (process.env.A as string) || process.env.B || 'd'": {"A": OPTIONAL, "B": OPTIONAL},
    "x = process.env.A || process.env.B": {"A": OPTIONAL, "B": NEEDED},
    "if (process.env.A) {}": {"A": OPTIONAL},
    "if (!process.env.A) {}": {"A": OPTIONAL},
    "x = process.env.A ? 1 : 2": {"A": OPTIONAL},
    "x = process.env.A === 'production'": {"A": OPTIONAL},
    "x = process.env.A?.split(',')": {"A": OPTIONAL},
    "if ('A' in process.env) {}": {"A": OPTIONAL},
    "const { A, B = 'd', C: c, D: d = 1, ...rest } = process.env": {
        "A": NEEDED,
        "B": OPTIONAL,
        "C": NEEDED,
        "D": OPTIONAL,
    },
    "({ A } = process.env)": {"A": NEEDED},
    "const env = process.env; env.A; env.B || 1": {"A": NEEDED, "B": OPTIONAL},
    "import { env } from 'node:process'; env.A": {"A": NEEDED},
    "import { env as e } from 'process'; e.A": {"A": NEEDED},
    "import proc from 'process'; proc.env.A": {"A": NEEDED},
    "import { env } from './settings'; env.A": {},
    "process.env[name]": {"": OPTIONAL},
    "const all = { ...process.env }": {},
    "// process.env.A\nx = 'process.env.B' /* process.env.C */": {},
    "x = /process.env.A/; y = a / process.env.B / c": {"B": NEEDED},
}


@pytest.mark.parametrize("source", JAVASCRIPT)
def test_typescript(source):
    assert uses(javascript.find(source.encode(), "TypeScript")) == JAVASCRIPT[source]


@pytest.mark.parametrize("language", ["JavaScript", "TSX"])
def test_elements_of_a_page(language):
    source = b"const App = () => <p title='process.env.NO'>process.env.NO {process.env.A}</p>"
    assert uses(javascript.find(source, language)) == {"A": NEEDED}


def test_what_javascript_sets_itself():
    source = b"process.env.A = '1'; process.env.B ??= '2'; delete process.env.C"
    assert javascript.find(source) == ([], {"A", "B", "C"})


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


SHELL = {
    "echo $A": {"A": NEEDED},
    'echo "${A}/x"': {"A": NEEDED},
    ': "${A:?set it}"': {"A": NEEDED},
    'psql "$A ${B} ${C:-d}\t$D"': {"A": NEEDED, "B": NEEDED, "C": OPTIONAL, "D": NEEDED},
    "echo ${A:-d} ${B-d} ${C:=d} ${D:+x}": dict.fromkeys("ABCD", OPTIONAL),
    "echo ${A%%/*} ${#B} ${C//x/y}": dict.fromkeys("ABC", NEEDED),
    'if [ -z "$A" ]; then exit 1; fi': {"A": OPTIONAL},
    '[[ -n $A && "$B" == x ]]': {"A": OPTIONAL, "B": OPTIONAL},
    "echo '$A' \\$B # $C": {},
    "cat <<X\n$A\nX": {"A": NEEDED},
    "cat <<'X'\n$A\nX": {},
    "x=$(curl $A)": {"A": NEEDED},
    "echo $lower $1 $? $PWD $RANDOM": {},
    "echo ${!A}": {"": OPTIONAL},
}


@pytest.mark.parametrize("source", SHELL)
def test_shell(source):
    assert uses(shell.find(source.encode())) == SHELL[source]


def test_what_a_script_sets_itself():
    source = (
        b"A=1; export B=2; local C=$X D; for E in 1 2; do :; done; read -r F G; declare -a H; "
        b"I+=x; J[0]=1; getopts ab K; printf -v L %s x; export M"
    )
    assert set(shell.find(source).given) == set("ABCDEFGHIJKL")

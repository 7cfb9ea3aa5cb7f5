"""Which files of a program are scanned, and which variables they read together."""

import os

import pytest

from envkit.code.scan import scan
from support.checking import git


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


def names(code):
    return [use.read.name for use in code.uses]


OURS = ["app.py", "pkg/sub/mod.py", "environment/x.py", "latest/contest.py"]
OTHERS = [
    ".venv/x.py",
    "env/pyvenv.cfg",
    "env/lib/x.py",
    "node_modules/p/x.py",
    "vendor/x.py",
    "build/x.py",
    "tests/x.py",
    "pkg/test_x.py",
    "pkg/x_test.py",
    "spec/x.py",
    "web/x.test.py",
]


def test_vendored_files_and_tests_are_not_scanned(program):
    for path in (*OURS, *OTHERS):
        program(path)
    found = names(read(program))
    assert found == ["APP_PY", "ENVIRONMENT_X_PY", "LATEST_CONTEST_PY", "PKG_SUB_MOD_PY"]


def test_files_that_git_ignores_are_not_scanned(program):
    git(program.root, "init", "-q")
    program("app.py")
    program("new.py")
    program("generated/x.py")
    program(".gitignore", "generated/\n")
    git(program.root, "add", "app.py")
    program("gone.py")
    git(program.root, "add", "gone.py")
    (program.root / "gone.py").unlink()
    assert names(read(program)) == ["APP_PY", "NEW_PY"]


def test_only_the_named_folders_are_scanned(program):
    git(program.root, "init", "-q")
    for path in ("src/a.py", "lib/b.py", "other/c.py"):
        program(path)
    assert names(read(program, "src", "lib", "src")) == ["LIB_B_PY", "SRC_A_PY"]


def test_the_language_follows_from_the_file_name_or_the_first_line(program):
    program("a.tsx", "process.env.A_TSX")
    program("Gemfile", "ENV.fetch('GEMFILE')")
    program("bin/run", "#!/usr/bin/env -S bash -e\necho $RUN\n")
    program("bin/tool", "#!/usr/bin/python3\nimport os\nos.environ['TOOL']\n")
    program("bin/notes", "import os\nos.environ['NOTES']\n")
    program("a.go", 'package a\nimport "os"\nvar x = os.Getenv("A_GO")\n')
    assert sorted(names(read(program))) == ["A_GO", "A_TSX", "GEMFILE", "RUN", "TOOL"]


def test_a_variable_that_a_language_sets_anywhere_is_not_needed_from_outside(program):
    program("lib.sh", "WORKDIR=/tmp\n")
    program("run.sh", "echo $WORKDIR $TARGET\n")
    program("a.py", "import os\nos.environ['WORKDIR']\n")
    program("tests/conftest.py", "import os\nos.environ['WORKDIR'] = 'x'\n")
    assert sorted(names(read(program))) == ["TARGET", "WORKDIR"]


def test_a_mention_counts_in_code_and_settings_but_not_in_lists_of_variables(program):
    program("settings.py", "class Settings(BaseSettings):\n    database_url: str\n")
    program("compose.yaml", "environment: [REDIS_URL]\n")
    program("README.md", "LISTED\n")
    program(".env.example", "LISTED=1\n")
    program("profiles/prod.toml", "PROFILED\n")
    program("logo.png", "\0IN_AN_IMAGE")
    asked = ["DATABASE_URL", "REDIS_URL", "LISTED", "PROFILED", "IN_AN_IMAGE", "URL"]
    code = read(program, names=asked, without=str(program.root / "profiles"))
    assert code.mentioned == {"DATABASE_URL", "REDIS_URL"}


def test_an_unreadable_file_does_not_stop_the_scan(program):
    program("old.py", "print 'environ'\n")
    program("app.py")
    code = read(program)
    assert names(code) == ["APP_PY"]
    assert [os.path.basename(path) for path in code.unreadable] == ["old.py"]

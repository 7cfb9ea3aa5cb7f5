"""Differences between the variables of a program and of its profiles."""

import pytest

from envkit.checks.run import check
from support.checking import found


@pytest.fixture
def app(project):
    """Write `src/app.py`."""
    (project.root / "src").mkdir()
    project.profile("dev.toml", '[variables]\nDATABASE_URL = "x"\nNEW_KEY = "y"\n')
    project.profile("prod.toml", '[variables]\nDATABASE_URL = "x"\n')

    def write(text, name="app.py"):
        (project.root / "src" / name).write_text(f"import os\n{text}\n")

    return write


CODES = ("undefined-variable", "undefined-optional", "unused-variable", "dynamic-read")


def test_a_variable_that_the_code_needs_must_be_in_every_environment(app):
    app("os.environ['DATABASE_URL'], os.environ['NEW_KEY']")
    told = "NEW_KEY is needed here, but prod does not define it [undefined-variable, prod]"
    assert found(code=["src"]) == [f"src/app.py:2: {told}"], "not that prod lacks it as well"


def test_a_variable_that_the_code_may_do_without_must_be_in_one_environment(app):
    app("os.environ['DATABASE_URL'], os.getenv('NEW_KEY'), os.getenv('NOWHERE')")
    told = "NOWHERE is read here, but dev and prod do not define it"
    assert found(*CODES, code=["src"]) == [
        f"src/app.py:2: {told} [undefined-optional, dev and prod]"
    ]


def test_an_undefined_variable_is_reported_where_it_is_needed(app):
    app("os.environ['DATABASE_URL'], os.getenv('NEW_KEY')\nos.environ['NEW_KEY']")
    [line] = found(*CODES, code=["src"])
    assert line.startswith("src/app.py:3: ")


def test_a_variable_that_nothing_names_is_unused(app, project):
    app("os.environ['DATABASE_URL']")
    project.profile(
        "dev.toml",
        '[variables]\nHOST = "db"\nDATABASE_URL = "x://{{ HOST }}"\nOLD = "y"\nAWS_REGION = "z"\n',
    )
    assert found(*CODES, code=["src"], environments=["dev"]) == [
        "profiles/dev.toml:4: OLD is defined here, but not used in src [unused-variable, dev]"
    ]


def test_a_variable_of_the_system_needs_no_definition(app):
    app("os.environ['DATABASE_URL'], os.environ['NEW_KEY'], os.environ['PATH'], os.environ['CI']")
    assert found(*CODES, code=["src"], environments=["dev"]) == []


def test_a_computed_name_is_a_note_that_fails_nothing(app):
    app("os.environ['DATABASE_URL'], os.environ['NEW_KEY']\nos.environ[x]\nos.environ[y]")
    arguments = {"code": ["src"], "environments": ["dev"]}
    told = (
        "the name of the variable that is read here is computed at run time (2 times in this file)"
    )
    assert found(**arguments) == [f"src/app.py:3: {told} [dynamic-read]"]
    assert check(environ={}, **arguments).exit_status(strict=True) == 0


def test_a_file_that_cannot_be_parsed_is_a_note(app):
    app("os.environ['DATABASE_URL'], os.environ['NEW_KEY']")
    app("print 'environ'", "old.py")
    assert found(code=["src"], environments=["dev"]) == [
        "src/old.py: this is not valid syntax for the Python that runs envkit [unread-code]"
    ]


def test_a_folder_without_code_makes_no_variable_unused(app, project):
    (project.root / "docs").mkdir()
    assert found(code=["docs"], environments=["dev"]) == [
        "docs: no code in a supported language in docs [unread-code]"
    ]


def test_profiles_beside_the_code_are_not_code(project):
    project.profile("dev.toml", '[variables]\nOLD = "x"\n')
    (project.root / "app.py").write_text("import os\n")
    assert found(*CODES, code=["."]) == [
        "profiles/dev.toml:2: OLD is defined here, but not used in . [unused-variable, dev]"
    ]

"""Environments without a profile: a `.env` file, this process, another one."""

import os
import subprocess
import sys

import pytest

from envkit.comparison.external import file_side, other_process, this_process
from envkit.errors import DeniedError, DotenvError, UsageError
from support.permissions import as_nobody, folder_of_nobody


def values(side):
    return {name: value.reveal() for name, value in side.environment.items()}


def read_file(path, environ=None, aliases=None):
    return file_side(f"file:{path}", str(path), environ or {}, aliases or {})


def test_every_variable_of_a_file_counts_as_a_secret_and_has_its_line(project):
    project.dotenv("prod", "# head\nA=1\n\nB='two words'\n")
    side = read_file(".env.prod")
    assert values(side) == {"A": "1", "B": "two words"}
    assert side.environment.secret_names() == {"A", "B"}
    assert side.assumed
    locations = [origin.location for v in side.environment.variables() for origin in v.origins]
    assert locations == [".env.prod:2", ".env.prod:4"]


def test_a_file_is_expanded_with_its_own_and_the_environment_variables(project):
    project.dotenv("prod", "A=${B}-${C}\nB=own\n")
    expanded = values(read_file(".env.prod", {"B": "theirs", "C": "theirs"}))
    assert expanded == {"A": "own-theirs", "B": "own"}


def test_a_variable_of_a_file_that_cannot_be_read_fails_alone(project):
    project.dotenv("prod", "A=encrypted:canary\nB=1\nC=${NOWHERE}\n")
    side = read_file(".env.prod")
    assert values(side) == {"B": "1"}
    failed = [(f.name, f.location) for f in side.failures]
    assert failed == [("A", ".env.prod:1"), ("C", ".env.prod:3")]
    assert all(isinstance(failure.error, DotenvError) for failure in side.failures)
    assert "canary" not in repr(side.failures)


@pytest.mark.parametrize(
    ("name", "belongs_to"),
    [
        (".env.prod", "prod"),
        ("prod.env", "prod"),
        (".env.production", "prod"),
        (".env.staging", "staging"),
        ("settings", None),
        (".env", None),
    ],
)
def test_a_file_belongs_to_the_environment_of_its_name_or_to_itself(project, name, belongs_to):
    path = project.root / name
    path.write_text("A=1\n")
    side = read_file(name, aliases={"production": "prod"})
    assert side.belongs_to == (belongs_to or str(path))


def test_a_tilde_in_a_path_is_the_home_folder(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project.root))
    project.dotenv("prod", "A=1\n")
    assert values(read_file("~/.env.prod")) == {"A": "1"}


def test_an_unusable_file_is_an_error_with_its_name(project):
    with pytest.raises(UsageError, match=r"^cannot read \.env\.none: no such file"):
        read_file(".env.none")
    with pytest.raises(UsageError, match=r"^cannot read profiles: "):
        read_file("profiles")
    project.dotenv("prod", "A=1\nB='open\nC=1\n")
    with pytest.raises(DotenvError, match=r"^\.env\.prod:2: "):
        read_file(".env.prod")
    with folder_of_nobody() as folder:
        (folder / ".env").write_text("A=1\n")
        (folder / ".env").chmod(0)
        with as_nobody(), pytest.raises(DeniedError, match="permission denied"):
            read_file(folder / ".env")


def test_this_process_has_the_given_environment_and_belongs_to_no_profile():
    side = this_process("env:", {"A": "1", "B": "\udcff"})
    assert values(side) == {"A": "1", "B": "\udcff"}
    assert side.environment.secret_names() == {"A", "B"}
    assert side.belongs_to is None


def test_another_process_has_the_environment_it_was_started_with():
    process = subprocess.Popen(
        [sys.executable, "-c", "import os; os.environ['LATER'] = 'x'; print(flush=True); input()"],
        env={b"A": b"x=y", b"B": b"\xff"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        process.stdout.readline()
        side = other_process(f"pid:{process.pid}", str(process.pid))
        process.stdin.close()
    assert values(side) == {"A": "x=y", "B": os.fsdecode(b"\xff")}
    assert side.assumed


def test_a_missing_process_is_an_error():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(UsageError, match=f"^pid:{ended.pid}: there is no process {ended.pid}$"):
        other_process(f"pid:{ended.pid}", str(ended.pid))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a process that others may not read")
def test_a_process_of_another_user_is_an_error_that_names_the_needed_rights():
    with as_nobody(), pytest.raises(DeniedError) as caught:
        other_process("pid:1", "1")
    assert caught.value.hint == "run envkit as the user of that process"

"""Warnings about lines of `.env` files and profiles that other readers read differently."""

import os

from envkit.checks.doctor import examine
from envkit.checks.dotenv_text import CODES
from envkit.checks.run import check
from support.checking import found

STORE = 'A=a$B\nC=`date`\nD="\\$5"\nE=${Z}\nZ=1\nodd\ndiscovery.type=x\n'


def test_each_doubtful_line_of_an_env_file_in_use_is_a_warning_with_its_place(project):
    project.profile("prod.toml", '[variables]\nA = "{{ A }}"\n')
    project.dotenv("prod", STORE)
    lines = [line.partition(": ")[0] + " " + line.rpartition("[")[2] for line in found(*CODES)]
    assert lines == [
        ".env.prod:1 dotenv-dollar, prod]",
        ".env.prod:2 dotenv-backtick, prod]",
        ".env.prod:3 dotenv-escape, prod]",
        ".env.prod:4 dotenv-order, prod]",
        ".env.prod:6 dotenv-odd-line, prod]",
    ]
    assert all(one.hint for one in check(environ={}).problems if one.code in CODES)


def test_an_unused_file_and_a_backup_copy_are_not_checked(project):
    project.profile("prod.toml", '[variables]\nA = "{{ A }}"\n')
    project.dotenv("prod", "A=1\n")
    for name in (".env", ".env.dev", ".env.prod.envkit-previous"):
        (project.root / name).write_text(STORE)
    assert found(*CODES) == []


def test_a_dollar_brace_in_a_profile_is_a_warning(project):
    project.profile("dev.env", 'APP_NAME=Shop\nMAIL="${APP_NAME}"\n')
    [line] = found(*CODES)
    assert line.startswith("profiles/dev.env:2: MAIL: ${APP_NAME} has no meaning in a profile")
    assert line.endswith("[profile-dollar, dev]")


def test_doctor_reports_the_same_dotenv_warnings(project):
    project.profile("dev.env", 'APP_NAME={{ A }}\nMAIL="${APP_NAME}"\n')
    project.dotenv("dev", "A=$B\nodd\n")
    shown = [one.message for one in examine(environ={}).checks if "dev.env:2" in one.message]
    assert len(shown) == 1
    messages = [one.message for one in examine(environ={}).checks]
    assert any(message.startswith(".env.dev:1: A: $NAME is text") for message in messages)
    assert any(message.startswith(".env.dev:2: ") for message in messages)


def test_a_pipe_is_not_read_by_the_check(project):
    project.profile("prod.toml", '[variables]\nA = "{{ A }}"\n')
    os.mkfifo(project.root / ".env.prod")
    assert found(*CODES, offline=True) == []

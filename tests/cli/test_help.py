"""The output of `--help` and the errors for a mistyped command line."""

import re

import pytest
import typer.main

from envkit import __version__
from envkit.__main__ import HOT
from envkit.cli.app import app, run_app
from envkit.cli.options import COMMANDS
from support.process import run_envkit
from support.transcript import transcript
from support.vectors import vectors

VECTORS = vectors("cli/help")

ALL = (
    *("exec", "get", "export", "list", "show", "diff", "check"),
    *("set", "unset", "edit", "promote", "history", "rollback", "rotate", "audit"),
    *("init", "doctor", "trust"),
)


def test_the_version():
    assert transcript(run_envkit("--version")) == f"envkit {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("-h",), ("--help",)])
def test_the_help_lists_every_command(arguments):
    done = run_envkit(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"^  (\w+)  +\S", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(ALL)
    assert "..." not in done.stdout.partition("Commands:")[2], "a summary is cut off"


@pytest.mark.parametrize("command", ALL)
def test_every_command_has_an_example_that_it_understands(command):
    done = run_envkit(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert run_envkit(command, "-h").stdout == done.stdout
    example = re.search(r"^Example:\n  envkit (.*)$", done.stdout, re.MULTILINE)
    assert example, done.stdout
    if command != "init":  # which would write
        # no project here: whatever is wrong is not the usage
        tried = run_envkit(*example[1].split())
        assert tried.returncode != 2, tried.stderr


def test_the_help_of_exec():
    seen = transcript(run_envkit("exec", "-h"))
    expected = """\
Usage: envkit exec [OPTIONS] -- COMMAND [ARGS]...

  Run a command with an environment's variables.

Options:
  -e, --env NAME     Profile to use, else ENVKIT_ENV; of several, later ones
                     win.
  --only GLOB        Only the variables that match.
  --except GLOB      Without the variables that match.
  --pristine         Pass on nothing else but PATH, HOME and the like.
  --set K=V          A literal value that wins over the profile.
  --dry-run          Show names and where they come from; ask no store.
  --reason TEXT      Why, for the audit log; a protected profile asks for it.
  --timeout SECONDS  For all stores together; 15 unless said.
  --profiles DIR     The folder of profiles.
  -h, --help         Show this message and exit.

Example:
  envkit exec --env prod -- gunicorn app:api
"""
    assert seen == expected


def test_the_hot_commands_have_one_table_of_options():
    assert tuple(COMMANDS) == HOT
    group = typer.main.get_command(app)
    for name, spec in COMMANDS.items():
        command = group.get_command(None, name)
        shown = [
            (tuple(parameter.opts), parameter.multiple, parameter.is_flag, parameter.help)
            for parameter in command.params
            if parameter.param_type_name == "option"
        ]
        assert shown == [
            (option.flags, option.kind == "many", option.kind == "flag", option.help)
            for option in spec.options
        ]


@pytest.mark.parametrize("command", ["show", "doctor"])
def test_other_commands_share_the_declarations(command):
    shared = {option.flags: option for spec in COMMANDS.values() for option in spec.options}
    group = typer.main.get_command(app)
    parameters = {tuple(each.opts): each for each in group.get_command(None, command).params}
    for flags in (("--env", "-e"), ("--timeout",), ("--profiles",)):
        assert parameters[flags].help == shared[flags].help
        assert parameters[flags].metavar == shared[flags].metavar


def test_a_hot_command_that_comes_through_typer_is_the_same(project, capfdbinary):
    project.profile("dev.env", "A=1\n")
    assert run_app(["get", "A", "--env", "dev"]) == 0
    assert capfdbinary.readouterr().out == b"1"
    assert run_app(["get", "A", "--evn", "dev"]) == 2
    assert b"envkit get has no option '--evn'" in capfdbinary.readouterr().err


@pytest.mark.parametrize(("command", "error", "hint"), VECTORS["bad_usage_is_told_in_one_form"])
def test_bad_usage_is_told_in_one_form(command, error, hint):
    told = f"2> envkit: error: {error}\n" + (f"2> envkit: hint: {hint}\n" if hint else "")
    assert transcript(run_envkit(*command.split())) == told + "[2]\n"

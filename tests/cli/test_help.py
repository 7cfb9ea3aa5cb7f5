"""The output of `--help` and the errors for a mistyped command line."""

import re

import pytest
import typer.main

from envkit import __version__
from envkit.__main__ import HOT
from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS
from envkit.cli.app import app, run_app
from envkit.cli.help_table import NOTES
from envkit.cli.options import COMMANDS, TIMEOUT
from support.pages import ROOT
from support.process import run_envkit
from support.transcript import transcript
from support.vectors import vectors

VECTORS = vectors("cli/help")

ALL = (
    *("exec", "get", "export", "list", "show", "diff", "check", "scan"),
    *("set", "unset", "edit", "promote", "history", "rollback", "rotate", "audit"),
    *("access", "backup", "restore", "env", "init", "import", "doctor", "trust"),
    *("login", "logout", "agent", "hook"),
)


def test_version_option_prints_the_version():
    assert transcript(run_envkit("--version")) == f"envkit {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("-h",), ("--help",)])
def test_help_lists_every_command(arguments):
    done = run_envkit(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"^  (\w+)  +\S", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(ALL)
    assert "..." not in done.stdout.partition("Commands:")[2], "a summary is cut off"


@pytest.mark.parametrize("group", [path for path in NOTES if not NOTES[path].statuses])
def test_help_of_a_group_cuts_off_no_summary(group):
    shown = run_envkit(*group.split(), "--help").stdout.partition("Commands:")[2]
    assert shown.strip()
    assert "..." not in shown


@pytest.mark.parametrize("command", ALL)
def test_help_of_every_command_has_an_example_that_envkit_accepts(command):
    done = run_envkit(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert run_envkit(command, "-h").stdout == done.stdout
    example = re.search(r"^Example:\n  envkit (.*)$", done.stdout, re.MULTILINE)
    assert example, done.stdout
    if command != "init":  # which would write
        # no project here: whatever is wrong is not the usage
        tried = run_envkit(*example[1].split())
        assert tried.returncode != 2, tried.stderr


def test_help_of_exec_lists_its_options():
    seen = transcript(run_envkit("exec", "-h"))
    expected = """\
Usage: envkit exec [OPTIONS] -- COMMAND [ARGS]...

  Run a command with the variables of an environment.

Options:
  --dry-run  List the variables and their sources. Does not run COMMAND or
             contact a store.

Environment:
  -e, --env NAME    Environment to use. Repeat to combine several; later ones
                    win. [default: $ENVKIT_ENV]
  --only GLOB       Use only the variables that match. Repeatable.
  --except GLOB     Leave out the variables that match. Repeatable.
  --pristine        Do not inherit variables, except a few such as PATH and
                    HOME.
  --set NAME=VALUE  Set a variable to a literal value. Overrides the profile.
                    Repeatable.
  --files DIR       Folder for variables with as = "file". [default: a folder
                    in memory]
  --profiles DIR    Folder with the profiles. [default: $ENVKIT_PROFILES, or
                    the nearest profiles/]

Watching:
  --watch[=HOW]           When a value changes: restart, signal:NAME or
                          run:COMMAND. Alone: restart.
  --supervise             Stay the parent of COMMAND, and report changes
                          without a restart.
  --stop-signal NAME      Signal that asks COMMAND to stop. [default: TERM]
  --stop-timeout SECONDS  Time from the stop signal to KILL. [default: 10]
  --debounce SECONDS      Wait until nothing has changed for this long, at
                          most 10. [default: 2]
  --splay SECONDS         Delay each change by a random time up to this.
                          [default: 0]

General:
  --reason TEXT      Reason for the audit log. Required for protected
                     profiles. [default: $ENVKIT_REASON]
  --break-glass      In an emergency, use profiles outside their hours. Needs
                     a reason, and is reported.
  --timeout SECONDS  Time limit for all stores together. [default: 15]
  -h, --help         Show this message and exit.

Example:
  envkit exec --env prod -- gunicorn app:api

Exit status:
  0    The program succeeded. If it fails, envkit exits with its status.
  2    The command line is wrong.
  3    A profile, a reference or a value is invalid.
  4    A required value is missing.
  5    A store failed.
  6    Access was denied, or you must log in, grant trust or give a reason.
  126  The program cannot be run.
  127  The program was not found.

Documentation:
  docs/guides/exec.md
"""
    assert seen == expected


@pytest.mark.parametrize("path", [path for path in NOTES if NOTES[path].statuses])
def test_the_help_of_a_command_ends_with_its_exit_statuses_and_an_existing_page(path):
    notes = NOTES[path]
    shown = run_envkit(*path.split(), "--help").stdout
    _, _, ending = shown.partition("\nExit status:\n")
    assert [int(one) for one in re.findall(r"^  (\d+) ", ending, re.MULTILINE)] == [*notes.statuses]
    assert ending.endswith(f"\n\nDocumentation:\n  {notes.page}\n")
    assert (ROOT / notes.page).is_file()


def test_hot_commands_share_one_table_of_options():
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


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("show", ("--env", "-e")),
        *(
            (command, (flag,))
            for command in ("show", "doctor")
            for flag in ("--timeout", "--profiles")
        ),
    ],
)
def test_other_commands_share_the_option_declarations(command, flags):
    shared = {option.flags: option for spec in COMMANDS.values() for option in spec.options}
    group = typer.main.get_command(app)
    parameters = {tuple(each.opts): each for each in group.get_command(None, command).params}
    assert parameters[flags].help == shared[flags].help
    assert parameters[flags].metavar == shared[flags].metavar


@pytest.mark.parametrize(
    ("command", "default"),
    [("check", "$ENVKIT_ENV, or all"), ("doctor", "$ENVKIT_ENV, or all"), ("trust", "all")],
)
def test_the_help_of_a_command_that_combines_no_environments_says_its_default(command, default):
    parameters = typer.main.get_command(app).get_command(None, command).params
    shown = next(one.help for one in parameters if "--env" in one.opts)
    assert shown.endswith(f"Repeatable. [default: {default}]")


def test_a_hot_command_behaves_the_same_through_typer(project, capfdbinary):
    project.profile("dev.env", "A=1\n")
    assert run_app(["get", "A", "--env", "dev"]) == 0
    assert capfdbinary.readouterr().out == b"1"
    assert run_app(["get", "A", "--evn", "dev"]) == 2
    assert b"envkit get has no option '--evn'" in capfdbinary.readouterr().err


@pytest.mark.parametrize(("command", "error", "hint"), VECTORS["bad_usage_is_told_in_one_form"])
def test_bad_usage_has_the_same_form_in_every_command(command, error, hint):
    told = f"2> envkit: error: {error} [usage]\n" + (f"2> envkit: hint: {hint}\n" if hint else "")
    assert transcript(run_envkit(*command.split())) == told + "[2]\n"


def test_the_help_of_timeout_names_the_default():
    assert TIMEOUT.help.endswith(f"[default: {DEFAULT_TIMEOUT_SECONDS:g}]")

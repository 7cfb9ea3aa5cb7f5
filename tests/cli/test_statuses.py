"""The exit statuses of envkit, each with its message; 126 and 127 belong to exec."""

import signal
import subprocess
import sys

import pytest

from support.fault_proxy import free_port
from support.sessions import replay, sessions

STORE = """\
[sources.vault]
address = "http://127.0.0.1:{port}"
mount = "secret"

[variables]
PASSWORD = "{{{{ vault:db#password }}}}"
A = "{{{{ A }}}}"
"""


@pytest.mark.parametrize("session", sessions("cli/statuses"))
def test_exit_status_transcripts_match(project, session):
    project.profile("store.toml", STORE.format(port=1))
    assert replay(project, session) == session


def test_a_store_that_does_not_answer_in_time_exits_with_5(project):
    project.profile("dev.toml", STORE.format(port=free_port()))
    app = ("--only", "PASSWORD", "--timeout", "0.1", "echo", "started")
    done = project.run("exec", "--env", "dev", *app, env={"VAULT_TOKEN": "hunter2"})
    assert (done.returncode, done.stdout) == (5, ""), "the app was started"
    assert done.stderr.startswith(
        "envkit: error: cannot resolve 1 variable of dev [store-unavailable]\n"
        "  PASSWORD (profiles/dev.toml:6): "
    )


@pytest.fixture
def many(project):
    """A profile with more output than any buffer."""
    project.profile("dev.env", "".join(f"NAME_{number}=value\n" for number in range(5000)))
    return project


@pytest.mark.parametrize("command", ["export", "show"])
def test_a_closed_pipe_ends_envkit_without_a_message(many, command):
    with subprocess.Popen(
        [sys.executable, "-m", "envkit", command, "--env", "dev"],
        cwd=many.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 128 + signal.SIGPIPE


def redirected(project, redirection, *arguments):
    """Run envkit from a shell that has redirected a stream of it."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "envkit", *arguments],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [(">/dev/full", "no space left on device"), (">&-", "bad file descriptor")],
)
@pytest.mark.parametrize(
    "arguments",
    [("export",), ("get", "NAME_1"), ("show",), ("check", "--offline"), ("exec", "--dry-run", "x")],
    ids=lambda arguments: arguments[0],
)
def test_output_to_a_full_device_is_an_error(many, redirection, reason, arguments):
    command, *rest = arguments
    done = redirected(many, redirection, command, "--env", "dev", *rest)
    assert done.stderr == f"envkit: error: cannot write to stdout: {reason} [usage]\n"
    assert done.returncode == 2


def test_closed_standard_streams_do_not_break_a_command(project):
    project.profile("dev.toml", '[variables]\nA = "1"\n')
    app = ("exec", "--env", "dev", "--", "sh", "-c", "echo ran >&2; echo unheard 2>/dev/null")
    done = redirected(project, ">&-", *app)
    assert done.stderr.startswith("ran\n")
    assert done.returncode != 0, "the app's stdout is not closed"

    silent = redirected(project, "2>&-", "get", "NOPE", "--env", "dev")
    assert (silent.stdout, silent.returncode) == ("", 2), "an error is not told on stdout"

    asked = redirected(project, "<&-", "set", "A", "--env", "dev")
    assert asked.stderr == "envkit: error: cannot read -: bad file descriptor [usage]\n"
    assert asked.returncode == 2


def test_errors_have_colours_on_a_terminal_and_none_in_a_pipe(project):
    mistyped = ("exec", "--evn", "x", "true")
    shown, status = project.on_terminal(*mistyped)
    assert status == 2
    assert shown == (
        "\x1b[31menvkit: error:\x1b[0m envkit exec has no option '--evn' [usage]\n"
        "\x1b[36menvkit: hint:\x1b[0m did you mean '--env'? run: envkit exec --env x -- true\n"
    )
    shown, _ = project.on_terminal(*mistyped, env={"NO_COLOR": "1"})
    assert "\x1b" not in shown


def test_a_traceback_appears_only_for_debugging_and_shows_no_value(project):
    project.profile("dev.toml", 'variables = { A = "{{ A }}" }\n')
    done = project.run("exec", "--env", "dev", "true", env={"ENVKIT_DEBUG": "1"})
    assert "resolve.py" in done.stderr
    assert "ResolutionError" in done.stderr
    assert "resolution.py" not in project.run("exec", "--env", "dev", "true").stderr

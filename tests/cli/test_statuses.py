"""The exit statuses of envkit itself, each with what a person is told; 126 and 127 are exec's."""

import signal
import subprocess
import sys

import pytest

from support.fault_proxy import free_port
from support.terminal import run_on_terminal
from support.transcript import transcript

# what no command may do when it fails
APP = ("--", "touch", "ran")


def refused(project, *arguments, **options):
    done = project.run("exec", *arguments, *APP, **options)
    assert not (project.root / "ran").exists(), "the app was started"
    return transcript(done)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[variables]\nPORT = { vaule = "1" }\n',
            (
                "2> envkit: error: profiles/dev.toml:2: PORT: unknown key 'vaule'\n"
                "2> envkit: hint: did you mean 'value'?\n"
            ),
        ),
        (
            '[variables]\nA = "x {{ B"\n',
            (
                "2> envkit: error: profiles/dev.toml:2: A: '{{' has no '}}'"
                " (column 3 of the value)\n"
                '2> envkit: hint: for a literal, write {{ "{{" }}\n'
            ),
        ),
        (
            '[variables]\nA = "{{ B }}"\nB = "{{ A }}"\n',
            "2> envkit: error: profiles/dev.toml:3: variables need each other in a circle: ",
        ),
        (
            'variables = { A = "{{ valt:db#password }}" }\n',
            (
                "2> envkit: error: cannot resolve 1 variable of dev\n"
                "2>   A (profiles/dev.toml:1): unknown source 'valt' in valt:db#password\n"
                "2> envkit: hint: did you mean 'vault'?\n"
            ),
        ),
        (
            'variables = { PORT = { value = "seventy hunter2", type = "port" } }\n',
            (
                "2> envkit: error: cannot resolve 1 variable of dev\n"
                "2>   PORT (profiles/dev.toml:1): is not a port (1 to 65535)\n"
            ),
        ),
        ('a = "hunter2\n', "2> envkit: error: profiles/dev.toml:1:13: not valid TOML: "),
    ],
)
def test_3_a_profile_that_is_not_valid(project, text, told):
    project.profile("dev.toml", text)
    seen = refused(project, "--env", "dev")
    assert seen.startswith(told)
    assert seen.endswith("[3]\n")
    assert "hunter2" not in seen


VAULT = """\
[sources.vault]
address = "http://127.0.0.1:{port}"
mount = "secret"

[variables]
PASSWORD = "{{{{ vault:db#password }}}}"
"""


def test_5_a_store_that_cannot_be_used(project):
    project.profile("dev.toml", VAULT.format(port=1))
    env = {"VAULT_TOKEN": "hunter2", "VAULT_CACERT": "no-such.pem"}
    seen = refused(project, "--env", "dev", env=env)
    assert seen == (
        "2> envkit: error: cannot resolve 1 variable of dev\n"
        "2>   PASSWORD (profiles/dev.toml:6): cannot verify 'vault':"
        " there is no file 'no-such.pem'\n"
        "2> envkit: hint: correct VAULT_CACERT\n"
        "[5]\n"
    )


def test_5_a_store_that_gives_no_answer_in_time(project):
    project.profile("dev.toml", VAULT.format(port=free_port()))
    seen = refused(project, "--env", "dev", "--timeout", "0.1", env={"VAULT_TOKEN": "hunter2"})
    assert seen.startswith(
        "2> envkit: error: cannot resolve 1 variable of dev\n2>   PASSWORD (profiles/dev.toml:6): "
    )
    assert seen.endswith("[5]\n")


def test_6_nobody_is_logged_in(project):
    project.profile("dev.toml", VAULT.format(port=1))
    assert refused(project, "--env", "dev") == (
        "2> envkit: error: cannot resolve 1 variable of dev\n"
        "2>   PASSWORD (profiles/dev.toml:6): no token for 'vault'\n"
        "2> envkit: hint: run 'vault login', or set VAULT_TOKEN\n"
        "[6]\n"
    )


def test_of_several_failures_the_one_to_mend_first_decides(project):
    project.profile("dev.toml", VAULT.format(port=1) + 'A = "{{ A }}"\n')
    assert refused(project, "--env", "dev").endswith("[6]\n")


@pytest.mark.parametrize("command", ["export", "show"])
def test_a_reader_that_has_gone_ends_it_in_silence(project, command):
    project.profile("dev.env", "".join(f"NAME_{number}=value\n" for number in range(5000)))
    with subprocess.Popen(
        [sys.executable, "-m", "envkit", command, "--env", "dev"],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 128 + signal.SIGPIPE


@pytest.fixture
def many(project):
    """A profile whose output is more than any buffer."""
    project.profile("dev.env", "".join(f"NAME_{number}=value\n" for number in range(5000)))
    return project


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
def test_output_that_nobody_can_take_is_an_error(many, redirection, reason, arguments):
    command, *rest = arguments
    done = redirected(many, redirection, command, "--env", "dev", *rest)
    assert done.stderr == f"envkit: error: cannot write to stdout: {reason}\n"
    assert done.returncode == 2


def test_streams_that_the_caller_has_closed(project):
    project.profile("dev.toml", '[variables]\nA = "1"\n')
    app = ("exec", "--env", "dev", "--", "sh", "-c", "echo ran >&2; echo unheard 2>/dev/null")
    done = redirected(project, ">&-", *app)
    assert done.stderr.startswith("ran\n")
    assert done.returncode != 0, "the app's stdout is not closed"

    silent = redirected(project, "2>&-", "get", "NOPE", "--env", "dev")
    assert (silent.stdout, silent.returncode) == ("", 2), "an error is not told on stdout"

    asked = redirected(project, "<&-", "set", "A", "--env", "dev")
    assert asked.stderr == "envkit: error: cannot read -: bad file descriptor\n"
    assert asked.returncode == 2


def test_what_an_error_quotes_does_not_control_the_terminal(project):
    project.profile("dev.toml", 'lookup = ["\\u001b]0;x\\u0007\\n"]\n')
    seen = refused(project, "--env", "dev")
    assert seen.startswith(
        "2> envkit: error: profiles/dev.toml:1: 'lookup' names unknown source '\\x1b]0;x\\x07\\n'\n"
    )


def test_errors_have_colour_on_a_terminal_and_none_without(project):
    shown, status = run_on_terminal("exec", "--evn", "x", "true", cwd=project.root)
    assert status == 2
    assert shown == (
        "\x1b[31menvkit: error:\x1b[0m envkit exec has no option '--evn'\n"
        "\x1b[36menvkit: hint:\x1b[0m did you mean '--env'?\n"
    )
    shown, _ = run_on_terminal(
        "exec", "--evn", "x", "true", cwd=project.root, env={"NO_COLOR": "1"}
    )
    assert "\x1b" not in shown


def test_a_traceback_is_for_debugging_and_shows_no_value(project):
    project.profile("dev.toml", 'variables = { A = "{{ A }}" }\n')
    done = project.run("exec", "--env", "dev", *APP, env={"ENVKIT_DEBUG": "1"})
    assert "resolve.py" in done.stderr
    assert "ResolutionError" in done.stderr
    assert "resolution.py" not in project.run("exec", "--env", "dev", *APP).stderr

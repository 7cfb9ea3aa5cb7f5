"""`envkit exec`: the environment, signals and files of the app are as if envkit had not run.

Each test runs without an agent and through one, with the same result.
"""

import os
import signal
import subprocess
import sys

import pytest

from envkit.launch.exec import MAX_VARIABLE_BYTES
from support.process import program
from support.sessions import replay, sessions
from support.transcript import transcript

BASE = """\
[variables]
NODE_ENV = "development"
DATABASE_URL = "postgresql://app:{{ DB_PASSWORD }}@localhost/app"
REDIS_URL = "redis://localhost:6379"
"""


@pytest.fixture(params=["cold", "agent"])
def dev(project, request, monkeypatch):
    if request.param == "agent":
        project.environ.update(request.getfixturevalue("agent").environ)
        for name, value in project.environ.items():
            monkeypatch.setenv(name, value)
        once = project.run

        def twice(*args, **more):
            first, second = once(*args, **more), once(*args, **more)
            for key in ("returncode", "stdout", "stderr"):
                assert getattr(first, key) == getattr(second, key)
            return second

        monkeypatch.setattr(project, "run", twice)
    project.profile("dev.toml", BASE)
    project.dotenv("dev", "DB_PASSWORD=hunter2\n")
    return project


def environment_of(done):
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("session", sessions("cli/exec"))
def test_exec_transcripts_match(dev, session):
    assert replay(dev, session) == session


@pytest.mark.parametrize("given", [{}, {"LC_CTYPE": "C.UTF-8"}, {"LC_CTYPE": "C"}])
def test_exec_does_not_pass_on_the_locale_that_python_sets_for_itself(dev, given):
    env = {"PATH": os.environ["PATH"], **dev.environ, **given}
    command = [sys.executable, "-m", "envkit", "exec", "--env", "dev", "--", "env"]
    done = subprocess.run(
        command, cwd=dev.root, env=env, capture_output=True, text=True, check=False
    )
    seen = environment_of(done)
    profile = {"NODE_ENV", "DATABASE_URL", "REDIS_URL"}
    passed = {name: value for name, value in seen.items() if name not in profile}
    env.pop("ENVKIT_AGENT", None)
    assert passed == env, "the app sees a variable that neither the caller nor the profile set"


def test_exec_does_not_pass_on_the_variables_that_only_envkit_needs(dev):
    dev.profile(
        "prod.toml",
        """\
        [sources.vault]
        address = "{{ env:OUR_VAULT }}"
        auth = { method = "approle", role_id = "r", secret_id = "{{ env:VAULT_SECRET_ID }}" }
        [variables]
        NODE_ENV = "production"
        """,
    )
    env = {
        "ENVKIT_ENV": "prod",
        "ENVKIT_DEBUG": "1",
        "DOTENV_PRIVATE_KEY_PROD": "x",
        "VAULT_SECRET_ID": "x",
        "OUR_VAULT": "x",
        "VAULT_ADDR": "kept",
    }
    seen = environment_of(dev.run("exec", "--", "env", env=env))
    assert {name for name in env if name in seen} == {"VAULT_ADDR"}
    dev.profile("prod.toml", 'variables = { ENVKIT_ENV = "{{ env:ENVKIT_ENV }}" }\n')
    seen = environment_of(dev.run("exec", "--", "env", env={"ENVKIT_ENV": "prod"}))
    assert seen["ENVKIT_ENV"] == "prod", "a profile may pass it on"


@pytest.mark.parametrize(
    ("command", "told", "status"),
    [
        (["no-such-app"], "no program 'no-such-app' [command-not-found]", 127),
        (["./missing"], "no program './missing' [command-not-found]", 127),
        (["./plain"], "cannot run ./plain: permission denied [not-executable]", 126),
        (["./folder"], "cannot run ./folder: permission denied [not-executable]", 126),
        (["./script"], "cannot run ./script: its interpreter does not exist [not-executable]", 126),
        (["./garbage"], "cannot run ./garbage: exec format error [not-executable]", 126),
        ([], "no command given [usage-incomplete]", 2),
        ([""], "the command is empty: your shell expanded a variable before envkit ran [usage]", 2),
    ],
)
def test_exec_reports_programs_that_cannot_be_run(dev, command, told, status):
    (dev.root / "plain").write_text("")
    (dev.root / "folder").mkdir()
    program(dev.root / "script", "#!/no/such/interpreter\n")
    program(dev.root / "garbage", "\0\1\2")
    done = dev.run("exec", "--env", "dev", "--", *command)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.splitlines()[0] == f"envkit: error: {told}"
    assert ("#!/bin/sh" in done.stderr) == (command == ["./garbage"]), done.stderr


@pytest.mark.parametrize("status", [0, 1, 3, 42, 255])
def test_exec_ends_with_the_exit_status_of_the_app(dev, status):
    assert dev.run("exec", "-e", "dev", "--", "sh", "-c", f"exit {status}").returncode == status


def test_exec_passes_a_value_up_to_the_kernel_limit_and_names_a_longer_one(dev):
    largest = "x" * (MAX_VARIABLE_BYTES - len("BIG="))
    dev.profile("big.toml", f'variables = {{ BIG = "{largest}" }}\n')
    length = ("--", sys.executable, "-c", "import os; print(len(os.environ['BIG']))")
    assert transcript(dev.run("exec", "-e", "big", *length)) == f"{len(largest)}\n"
    dev.profile("big.toml", f'variables = {{ BIG = "{largest}x" }}\n')
    assert transcript(dev.run("exec", "-e", "big", *length)) == (
        "2> envkit: error: BIG has 131,072 bytes with its name; "
        "the kernel passes at most 131,071 [environment-too-large]\n"
        '2> envkit: hint: give it to the program as a file: add as = "file" to the variable\n'
        "[126]\n"
    )


def test_exec_names_the_largest_variables_when_the_total_exceeds_the_kernel_limit(dev):
    total = os.sysconf("SC_ARG_MAX")
    count = total // 120_000 + 1
    lines = [f'V{number} = "{"x" * 120_000}"\n' for number in range(count)]
    dev.profile("big.toml", "[variables]\n" + "".join(lines) + f'LARGEST = "{"x" * 120_000}"\n')
    done = dev.run("exec", "-e", "big", "--", "touch", "ran")
    assert done.returncode == 126
    assert (
        f"the kernel passes at most {total:,}; the largest are LARGEST (120,008), V" in done.stderr
    )
    assert not (dev.root / "ran").exists()


# ---------------------------------------------------------------- as if envkit were not there


def start(project, *command, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "envkit", "exec", "--env", "dev", "--", *command],
        cwd=project.root,
        stdout=subprocess.PIPE,
        **options,
    )


def test_exec_gives_its_process_id_to_the_app(dev):
    with start(dev, "sh", "-c", "echo $$") as process:
        out, _ = process.communicate()
    assert int(out) == process.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_exec_lets_signals_reach_the_app(dev, number):
    with start(dev, "sh", "-c", "echo ready; read line", stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait() == -number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_exec_as_process_1_of_a_container_ends_on_a_signal_while_it_waits(number):
    # every process may call it; process 1 needs it
    script = (
        "import sys; from envkit.launch.exec import end_on_signals; end_on_signals();"
        "print('waiting', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"waiting\n"
        process.send_signal(number)
        assert process.wait() == 128 + number


def test_exec_lets_the_app_handle_a_signal(dev):
    script = "trap 'echo bye; exit 7' TERM; echo ready; while read -r line; do :; done"
    with start(dev, "sh", "-c", script, stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        process.stdin.close()  # a shell runs its trap between commands
        assert process.stdout.readline() == b"bye\n"
        assert process.wait() == 7


def test_exec_restores_the_signals_that_python_changes_for_itself(dev):
    done = dev.run("exec", "-e", "dev", "--", "grep", "SigIgn", "/proc/self/status")
    ignored = int(done.stdout.split()[1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored & (1 << (number - 1)), f"{number.name} is ignored"


def test_exec_passes_open_files_on_to_the_app(dev):
    read_end, write_end = os.pipe()
    write = f"import os; os.write({write_end}, b'hello')"
    with start(dev, sys.executable, "-c", write, pass_fds=[write_end]) as process:
        os.close(write_end)
        process.wait()
    with os.fdopen(read_end) as pipe:
        assert pipe.read() == "hello"

"""`--output` preserves what an open file already contains."""

import shlex
import sys

import pytest

from support.process import environment, run_program

EXPORT = f"{shlex.quote(sys.executable)} -m envkit export --env dev"


@pytest.fixture
def in_bash(project, tmp_path):
    project.profile("dev.toml", '[variables]\nA = "1"\n')

    def run(script):
        home = environment(tmp_path)
        done = run_program(
            "bash", "-c", script.replace("EXPORT", EXPORT), cwd=project.root, env=home
        )
        return done.stdout, done.stderr

    return run


SAME_FILE = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1", "-"]


@pytest.mark.parametrize("name", [*SAME_FILE, "/dev/../dev/fd/../stdout"])
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("(echo first; EXPORT -o {}; echo last) >> out; cat out", "first\nA=1\nlast\n"),
        ("echo KEEP=1 > log; EXPORT -o {} >> log; cat log", "KEEP=1\nA=1\n"),
        ("EXPORT -o {} | cat", "A=1\n"),
        ("EXPORT -o {}", "A=1\n"),
    ],
)
def test_output_to_an_open_file_continues_at_its_position(in_bash, name, script, expected):
    assert in_bash(script.format(name)) == (expected, "")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("(echo first; EXPORT -o /dev/stdout; echo last) > out; cat out", "first\nA=1\nlast\n"),
        ("exec 3>> log; echo a >&3; EXPORT -o /dev/fd/3; echo b >&3; cat log", "a\nA=1\nb\n"),
        ("exec 4>&1 > log; echo a; EXPORT -o /proc/$$/fd/1; cat log >&4", "a\nA=1\n"),
        ("EXPORT -o /dev/stderr 2> log; cat log", "A=1\n"),
        ("EXPORT -o >(cat); wait $!", "A=1\n"),
        ("mkfifo p; cat p & EXPORT -o p; wait", "A=1\n"),
        ("EXPORT -o /dev/null; test -c /dev/null && echo a device", "a device\n"),
        ("EXPORT --format json -o - | tr -d ' \\n'", '{"A":"1"}'),
        ("echo x > real; ln -s real link; EXPORT -o link; cat real; readlink link", "A=1\nreal\n"),
    ],
)
def test_output_to_a_pipe_device_or_link_does_not_replace_it(in_bash, script, expected):
    assert in_bash(script) == (expected, "")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("EXPORT -o /dev/fd/9", "cannot write /dev/fd/9: bad file descriptor"),
        (
            "EXPORT -o /dev/stdin < profiles/dev.toml",
            "cannot write /dev/stdin: bad file descriptor",
        ),
        (
            "EXPORT -o /dev/fd/99999999999999999999",
            "cannot write /dev/fd/99999999999999999999: bad",
        ),
        ("EXPORT -o ''", "--output is empty: your shell expanded a variable that is not set"),
        ("EXPORT --format github -o ''", "--output is empty: "),
        ("EXPORT -o new/", "cannot write new/: is a directory"),
        ("EXPORT -o profiles/", "cannot write profiles/: is a directory"),
        ("EXPORT -o /dev/stdout >&-", "cannot write /dev/stdout: bad file descriptor"),
        ("ln -s /dev/stdout out; EXPORT -o out", "out is a link that leads out of this folder"),
        ("ln -s /dev/null out; EXPORT -o out", "out is a link that leads out of this folder"),
    ],
)
def test_output_that_cannot_be_written_is_an_error(in_bash, script, message):
    stdout, stderr = in_bash(script)
    assert stdout == ""
    assert stderr.startswith(f"envkit: error: {message}")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("printf 'B=2\\n' > env; GITHUB -o env; cat env", "B=2\nA<<D\n1\nD\n"),
        ("printf 'B=2' > env; GITHUB -o env; cat env", "B=2\nA<<D\n1\nD\n"),
        ("GITHUB -o env; GITHUB -o env; cat env", "A<<D\n1\nD\nA<<D\n1\nD\n"),
        ("GITHUB -o env; stat -c %a env", "600\n"),
        ("touch env; chmod 644 env; GITHUB -o env; stat -c %a env", "644\n"),
        ("touch real; ln -s real env; GITHUB -o env; cat real", "A<<D\n1\nD\n"),
        ("GITHUB -o - > env; GITHUB -o /dev/stdout >> env; grep -c A env", "2\n"),
    ],
)
def test_output_is_appended_to_the_environment_file_of_a_github_job(in_bash, script, expected):
    script = script.replace("GITHUB", "EXPORT --format github") + " | sed 's/envkit-.*/D/'"
    assert in_bash(script) == (expected, "")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("GITHUB -o profiles", "cannot write profiles: "),
        ("GITHUB -o no/such", "cannot write no/such: no such file or directory"),
        ("ln -s /tmp/envkit-elsewhere env; GITHUB -o env", "env is a link that leads out"),
    ],
)
def test_output_to_an_environment_file_that_cannot_be_appended_to_is_an_error(
    in_bash, script, message
):
    stdout, stderr = in_bash(script.replace("GITHUB", "EXPORT --format github"))
    assert stdout == ""
    assert stderr.startswith(f"envkit: error: {message}")

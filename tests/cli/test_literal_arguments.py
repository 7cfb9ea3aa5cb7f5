"""On a terminal, `exec` warns about an argument that a shell should have expanded."""

import pytest

from envkit.cli.exec.literal_arguments import warn

NAMES = {"DB_URL": 1, "TOKEN": 1, "_X1": 1}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["app", "$DB_URL"], "DB_URL"),
        (["app", "${DB_URL}"], "DB_URL"),
        (["app", "--url=$DB_URL"], "DB_URL"),
        (["app", "--url", "pg://${TOKEN}@db/x"], "TOKEN"),
        (["app", "${TOKEN:-none}"], "TOKEN"),
        (["/usr/bin/app", "a $_X1 b"], "_X1"),
        (["app", "$HOME", "$TOKEN"], "TOKEN"),
        (["env", "A=1", "app", "$TOKEN"], "TOKEN"),
        (["sudo", "-E", "app", "$TOKEN"], "TOKEN"),
        (["bash", "deploy.sh", "$TOKEN"], "TOKEN"),
        (["nohup", "app", "-c", "$TOKEN"], "TOKEN"),
        (["app", "-c", "sh", "$TOKEN"], "TOKEN"),
        (["app", "$TOKEN.$DB_URL"], "TOKEN"),
        (["env", "-i", "node", "app.js", "$TOKEN"], "TOKEN"),
        (["app", "awk", "$TOKEN"], "TOKEN"),
        (["python", "-m", "app", "-S", "$TOKEN"], "TOKEN"),
    ],
)
def test_exec_warns_once_of_a_variable_that_was_not_expanded(capsys, command, name):
    warn(command, NAMES)
    program, shell = command[0].rpartition("/")[2], "envkit exec ... -- sh -c"
    assert capsys.readouterr().err.splitlines() == [
        f"envkit: warning: {program} gets ${name} unexpanded: no shell expands it",
        f"envkit: hint: to expand it, run a shell: {shell} '{program} ... \"${name}\"'",
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["app", "$HOME"],
        ["app", "$TOKENS", "$token", "$1", "$", "$$TOKEN", "\\$TOKEN", "$(TOKEN)"],
        ["sh", "-c", "app $TOKEN"],
        ["bash", "-lc", "app $TOKEN"],
        ["/bin/zsh", "-ec", "app ${TOKEN}"],
        ["dash", "-x", "-c", "app $TOKEN"],
        ["ksh", "-c", "app $TOKEN"],
        ["fish", "--command", "app $TOKEN"],
        ["fish", "--command=app $TOKEN"],
        ["env", "A=1", "sh", "-c", "app $TOKEN"],
        ["sudo", "-u", "app", "bash", "-c", "app $TOKEN"],
        ["nohup", "nice", "-n", "5", "sh", "-c", "app $TOKEN"],
        ["docker", "exec", "web", "sh", "-c", "app $TOKEN"],
        ["busybox", "sh", "-c", "app $TOKEN"],
        ["envsubst", "$TOKEN"],
        ["awk", "{ print $TOKEN }"],
        ["sudo", "-E", "perl", "-e", "print $TOKEN"],
        ["env", "A=1", "/usr/bin/awk", "{ print $TOKEN }"],
        ["timeout", "5", "ssh", "web", "app $TOKEN"],
        ["xargs", "-n1", "make", "url=$TOKEN"],
        ["env", "-S", "app ${TOKEN}"],
        ["env", "--split-string=app ${TOKEN}"],
        ["tmux", "new", "app $TOKEN"],
        ["hyperfine", "app $TOKEN"],
        ["tcsh", "-c", "app $TOKEN"],
    ],
)
def test_exec_does_not_warn_of_an_argument_without_a_literal_variable(capsys, command):
    warn(command, NAMES)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("argument", ["$TOKEN", "${TOKEN}"])
def test_exec_warns_on_a_terminal_and_then_starts_the_app(project, argument):
    project.profile("dev.env", "TOKEN=made-up\n")
    command = ("exec", "--env", "dev", "--", "echo", argument)
    shown, status = project.on_terminal(*command, env={"NO_COLOR": "1"})
    assert status == 0
    assert shown.splitlines() == [
        "envkit: warning: echo gets $TOKEN unexpanded: no shell expands it",
        "envkit: hint: to expand it, run a shell: envkit exec ... -- sh -c 'echo ... \"$TOKEN\"'",
        argument,
    ]
    done = project.run(*command)
    assert (done.stdout, done.stderr) == (f"{argument}\n", "")

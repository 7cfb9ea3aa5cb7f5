"""`envkit exec --watch` and `--supervise` on the command line, with real profiles and files."""

import os
import signal

import pytest

from envkit.cli.hot import asks_for_help
from support.process import program, started
from support.watched_app import Running

WAITS = "while :; do sleep 0.01; done"


@pytest.fixture
def dev(project):
    project.logged()
    project.profile("dev.toml", '[variables]\nKEY = "{{ KEY }}"\nMODE = "a"\n')
    project.dotenv("dev", "KEY=one\n")
    return project


def test_watch_restarts_the_app_when_a_file_changes_and_records_each_change(dev):
    with Running(dev, f"echo KEY is $KEY; {WAITS}", "--watch") as run:
        assert run.line() == "KEY is one\n"
        dev.dotenv("dev", "KEY=two\n")
        assert run.line() == "KEY is two\n"
    assert run.said() == "envkit: note: KEY changed: restarting the app\n"
    seen = [(entry["command"], entry["names"], entry["outcome"]) for entry in dev.records()]
    assert seen == [("exec", ["KEY", "MODE"], "ok"), ("exec", ["KEY"], "ok")]


def test_an_app_goes_on_while_its_environment_is_invalid(dev):
    with Running(dev, f"echo KEY is $KEY; {WAITS}", "--watch") as run:
        assert run.line() == "KEY is one\n"
        dev.dotenv("dev", "OTHER=\n")
        run.says("envkit: warning: the changed environment is not valid, and not used")
        dev.dotenv("dev", "KEY=one\n")
        run.says("envkit: note: the environment is valid again")
        dev.dotenv("dev", "KEY=three\n")
        assert run.line() == "KEY is three\n", "an app was started for nothing"
    assert "one" not in run.said()


def test_a_variable_that_loads_code_never_reaches_the_app_without_trust(dev):
    with Running(dev, f"echo KEY is $KEY $BASH_ENV; {WAITS}", "--watch") as run:
        assert run.line() == "KEY is one\n"
        dev.profile("dev.toml", '[variables]\nKEY = "{{ KEY }}"\nBASH_ENV = "evil.sh"\n')
        run.says("BASH_ENV")
        assert "not used" in run.said()
        dev.profile("dev.toml", '[variables]\nKEY = "two"\n')
        assert run.line() == "KEY is two\n"


def test_supervise_reports_a_change_and_restarts_nothing(dev):
    with Running(dev, f"echo KEY is $KEY; trap 'exit 0' TERM; {WAITS}", "--supervise") as run:
        assert run.line() == "KEY is one\n"
        dev.dotenv("dev", "KEY=two\n")
        run.says("envkit: warning: KEY changed: restart the app to use the new values\n")
        run.process.terminate()
        assert run.process.stdout.read() == b""
        assert run.process.wait() == 0


@pytest.mark.parametrize("way", ["--watch", "--supervise"])
@pytest.mark.parametrize(
    ("options", "command"),
    [
        ([], ["true"]),
        ([], ["sh", "-c", "echo $KEY; exit 5"]),
        ([], ["sh", "-c", "kill -HUP $$"]),
        ([], ["no-such-program"]),
        ([], ["/etc/passwd"]),
        ([], ["/"]),
        ([], ["./no-interpreter"]),
        ([], []),
        ([], [""]),
        (["--only", "NOTHING"], ["true"]),
        (["--env", "nope"], ["true"]),
        (["--set", "KEY"], ["true"]),
        (["--env", "big"], ["true"]),
        (["--env", "missing"], ["true"]),
        (["--env", "protected"], ["true"]),
        (["--dry-run"], ["true"]),
        (["--pristine", "--set", "A=b"], ["sh", "-c", "env | grep -v HOME"]),
    ],
)
def test_messages_output_and_status_are_those_of_plain_exec(dev, way, options, command):
    dev.profile("missing.toml", '[variables]\nNONE = "{{ NONE }}"\n')
    dev.profile("protected.toml", 'protected = true\n[variables]\nA = "a"\n')
    dev.profile("big.toml", f'[variables]\nBIG = "{"x" * 131_072}"\n')
    program(dev.root / "no-interpreter", "#!/nowhere\n")
    plain, watched = (
        dev.run("exec", "--env", "dev", *more, *options, "--", *command) for more in ([], [way])
    )
    assert (watched.returncode, watched.stdout) == (plain.returncode, plain.stdout)
    assert watched.stderr.replace(f"{way} ", "") == plain.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--watch=restrat"],
            (
                "--watch: unknown action 'restrat'|did you mean 'restart'? "
                "run: envkit exec --env dev --watch=restart -- true"
            ),
        ),
        (["--watch=signal"], "--watch=signal needs more|write --watch=signal:HUP"),
        (["--watch=run:"], "--watch=run needs more|write --watch=run:'make reload'"),
        (["--watch=x"], "--watch: unknown action 'x'|use one of: restart, run, signal"),
        (["--watch="], "--watch= has no value|write --watch, or a value behind the '='"),
        (["--watch=signal:HPU"], "--watch=signal has no signal 'HPU'|did you mean 'HUP'?"),
        (["--watch", "--stop-signal", "TRM"], "--stop-signal has no signal 'TRM'|did you mean "),
        (["--watch", "--stop-signal", ""], "--stop-signal has no signal ''|use one of: ABRT"),
        (["--watch", "--splay", "x"], "--splay is not a number of seconds|write --splay 5"),
        (["--watch", "--debounce=-1"], "--debounce is not a number of seconds|write --debounce"),
        (["--watch", "restart"], "--watch takes a value only behind '='|write --watch=restart"),
        (["--watch", "run:a b"], "--watch takes a value only behind '='|write --watch='run:a b'"),
        (["--supervise=yes"], "--supervise takes no value"),
        (["--wathc"], "envkit exec has no option '--wathc'|did you mean '--watch'?"),
        *(
            ([f"--{name}", value], f"--{name} needs --watch or --supervise|write envkit exec ")
            for name, value in [
                ("stop-signal", "TERM"),
                ("stop-timeout", "1"),
                ("debounce", "1"),
                ("splay", "1"),
            ]
        ),
    ],
)
def test_a_wrong_option_is_refused_with_a_correction(dev, options, said):
    done = dev.run("exec", "--env", "dev", *options, "--", "true")
    message, _, hint = said.partition("|")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"envkit: error: {message} [usage]\n")
    assert hint in done.stderr


def test_watch_never_takes_the_next_word(dev):
    done = dev.run("exec", "--env", "dev", "--watch", "echo", "signal:HUP")
    assert (done.returncode, done.stdout) == (0, "signal:HUP\n")
    assert asks_for_help("exec", ["--watch", "--help"])
    assert not asks_for_help("exec", ["--watch", "app", "--help"])


def test_a_protected_profile_is_watched_with_its_reason(dev):
    dev.profile("dev.toml", 'protected = true\n[variables]\nKEY = "{{ KEY }}"\n')
    with Running(dev, f"echo KEY is $KEY; {WAITS}", "--watch", "--reason", "night") as run:
        assert run.line() == "KEY is one\n"
        dev.dotenv("dev", "KEY=two\n")
        assert run.line() == "KEY is two\n"
    assert [entry["reason"] for entry in dev.records()] == ["night", "night"]


def test_a_signal_ends_envkit_while_the_first_values_are_read(project):
    os.mkfifo(project.root / "never")
    project.profile("dev.toml", '[sources.dotenv]\npath = "never"\n[variables]\nA = "{{ A }}"\n')
    process = started(project, "exec", "--env", "dev", "--watch", "--", "true")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM

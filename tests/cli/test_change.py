"""`envkit set`, `unset`, `history` and `rollback`: where a value is kept, and nowhere else."""

import json
import re

import pytest

from envkit.cli.prompt import MAX_LINE_BYTES
from support.terminal import run_on_terminal
from support.transcript import told

BASE = '[variables]\nLOG_LEVEL = "info"  # for all\n'
DEV = """\
extends = "base"
lookup = ["dotenv", "env"]

[variables]
PORT = { value = 8080, type = "port" }   # of the app
NODE_ENV = "development"   # not production
API_KEY = { pattern = "^sk_" }
ALIAS = { value = "{{ API_KEY }}", max = 20 }
URL = "https://{{ USER ?? \\"app\\" }}:{{ API_KEY | urlencode }}@db/{{ dotenv:PATH_PART }}"
TRIMMED = "{{ API_KEY | trim }}"
PINNED = "{{ dotenv:?version=previous#API_KEY }}"
FROM_ENV = "{{ env:FROM_ENV }}"
QUOTED = "{{ \\"x\\" | base64encode }}"
"""
DOTENV = "# keys\nAPI_KEY='sk_old'  # note\nOTHER=1\n"


@pytest.fixture
def dev(project):
    project.profile("base.toml", BASE)
    project.profile("dev.toml", DEV)
    project.dotenv("dev", DOTENV)
    return project


def stored(project):
    return (project.root / ".env.dev").read_text(encoding="utf-8")


def profile(project):
    return (project.profiles / "dev.toml").read_text()


def run(project, *arguments, **options):
    options["env"] = {"XDG_STATE_HOME": str(project.root / "state"), **options.get("env", {})}
    return project.run(*arguments, **options)


# ---------------------------------------------------------------- set


def test_a_value_from_stdin_goes_where_the_variable_is_kept(dev):
    done = run(dev, "set", "API_KEY", "--env", "dev", input="sk_new\n")
    assert told(done) == "set API_KEY in .env.dev#API_KEY (version V)\n"
    assert stored(dev) == DOTENV.replace("'sk_old'", "sk_new")
    [record] = dev.records()
    assert (record["command"], record["names"], record["outcome"]) == ("set", ["API_KEY"], "ok")
    assert record["versions"]["API_KEY"][0] in done.stdout


@pytest.mark.parametrize(
    ("piped", "kept"),
    [
        ("sk_x", "sk_x"),
        ("sk_x\n", "sk_x"),
        ("sk_x\r\n", "sk_x"),
        ("sk_x\n\n", "sk_x\n"),
        (" sk_x \t", " sk_x \t"),
        ("sk_x\r", "sk_x\r"),
        ("sk_é{{ x }}$HOME", "sk_é{{ x }}$HOME"),
    ],
)
def test_of_what_is_piped_the_last_newline_alone_is_left_out(dev, piped, kept):
    dev.profile("dev.toml", "[variables]\nAPI_KEY = {}\n")
    assert run(dev, "set", "API_KEY", "-e", "dev", input=piped).returncode == 0
    assert dev.run("get", "API_KEY", "-e", "dev").stdout == kept


@pytest.mark.parametrize("content", ["sk_x\n", "", "-----\nsk_\n-----\n"])
def test_of_a_file_every_byte_is_taken(dev, content):
    dev.profile("dev.toml", "[variables]\nAPI_KEY = {}\n")
    (dev.root / "value").write_text(content)
    assert run(dev, "set", "API_KEY", "-e", "dev", "--from-file", "value").returncode == 0
    assert dev.run("get", "API_KEY", "-e", "dev").stdout == content
    piped = run(dev, "set", "API_KEY", "-e", "dev", "--from-file", "-", input=f"{content}\n")
    assert piped.returncode == 0
    assert dev.run("get", "API_KEY", "-e", "dev").stdout == f"{content}\n"


@pytest.mark.parametrize("piped", ["", "\n"])
def test_nothing_is_not_taken_for_a_value(dev, piped):
    assert told(run(dev, "set", "API_KEY", "-e", "dev", input=piped)) == (
        "2> envkit: error: the new value is empty; nothing was changed\n"
        "2> envkit: hint: if it shall be empty, add --from-file /dev/null\n"
        "[2]\n"
    )
    dev.profile("dev.toml", "[variables]\nAPI_KEY = {}\n")
    assert run(dev, "set", "API_KEY", "-e", "dev", "--from-file", "/dev/null").returncode == 0
    assert dev.run("get", "API_KEY", "-e", "dev").stdout == ""


@pytest.mark.parametrize("arguments", [("API_KEY", "sk_hunter2"), ("API_KEY=sk_hunter2",)])
def test_a_value_on_the_command_line_is_refused_and_not_repeated(dev, arguments):
    assert told(run(dev, "set", *arguments, "-e", "dev")) == (
        "2> envkit: error: a value is not taken from the command line, where others can see it\n"
        "2> envkit: hint: write envkit set NAME, and type the value or pipe it in\n"
        "[2]\n"
    )


def test_a_literal_is_changed_in_the_profile_and_its_comment_stays(dev):
    assert told(run(dev, "set", "NODE_ENV", "-e", "dev", input="a {{b}}\n")) == (
        "set NODE_ENV in profiles/dev.toml:6\n"
    )
    assert told(run(dev, "set", "PORT", "-e", "dev", input="9090")) == (
        "set PORT in profiles/dev.toml:5\n"
    )
    assert profile(dev) == DEV.replace("8080", "9090").replace(
        '"development"', '"a {{ \\"{{\\" }}b}}"'
    )
    assert dev.run("get", "NODE_ENV", "-e", "dev").stdout == "a {{b}}"
    assert [record["versions"] for record in dev.records()] == [{}, {}]


def test_a_literal_of_an_env_profile(project):
    path = project.profile("dev.env", "# note\nexport A='1' # one\nB={{B}}\n")
    assert run(project, "set", "A", "-e", "dev", input="two {{x").returncode == 0
    assert project.run("get", "A", "-e", "dev").stdout == "two {{x"
    assert path.read_text().startswith("# note\nexport A='two {{")
    assert path.read_text().endswith(" # one\nB={{B}}\n")


def test_a_variable_that_equals_another_one_is_kept_where_that_is(dev):
    assert told(run(dev, "set", "ALIAS", "-e", "dev", input="sk_x")) == (
        "set ALIAS in .env.dev#API_KEY (version V)\n"
    )
    assert dev.records()[0]["names"] == ["ALIAS", "API_KEY"]
    for value, told_of in (("x", "^sk_"), ("sk_" + "x" * 30, "above the maximum")):
        done = run(dev, "set", "ALIAS", "-e", "dev", input=value)
        assert (done.returncode, told_of in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "URL",
            "URL is made of several parts (profiles/dev.toml:9)",
            (
                "change a part of it: envkit set --ref 'dotenv:#USER' --env dev, "
                "or envkit set API_KEY --env dev, or envkit set --ref 'dotenv:PATH_PART' --env dev"
            ),
        ),
        (
            "TRIMMED",
            "TRIMMED is made of several parts (profiles/dev.toml:10)",
            "change a part of it: envkit set API_KEY --env dev",
        ),
        ("QUOTED", "QUOTED is made of several parts (profiles/dev.toml:13)", "change it there"),
        (
            "LOG_LEVEL",
            "LOG_LEVEL is written in profiles/base.toml:2, which dev extends",
            "write it into profiles/dev.toml, where it counts for dev alone",
        ),
        (
            "PINNED",
            "PINNED is pinned to one version: dotenv:?version=previous#API_KEY",
            "take out what follows '?'",
        ),
        (
            "FROM_ENV",
            "FROM_ENV comes from env:FROM_ENV, which envkit cannot change",
            "change it there",
        ),
    ],
)
def test_what_is_kept_in_no_one_place_says_what_to_change(dev, name, message, hint):
    expected = f"2> envkit: error: {message}\n2> envkit: hint: {hint}\n[3]\n"
    for command in ("set", "unset"):
        assert told(run(dev, command, name, "-e", "dev", input="x")) == expected
    assert (stored(dev), profile(dev)) == (DOTENV, DEV)


def test_a_reference_is_set_without_a_variable(dev):
    ref = "dotenv:PATH_PART"
    assert told(run(dev, "set", "--ref", ref, "-e", "dev", input="app")) == (
        "set dotenv:PATH_PART in .env.dev#PATH_PART (version V)\n"
    )
    assert stored(dev) == f"{DOTENV}PATH_PART=app\n"
    assert dev.records()[0]["names"] == [ref]
    assert told(run(dev, "unset", "--ref", ref, "-e", "dev")) == (
        "took dotenv:PATH_PART out of .env.dev#PATH_PART (version V)\n"
    )
    assert stored(dev) == DOTENV


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("set", "-e", "dev"), "one variable is changed at a time"),
        (("set", "A", "--ref", "env:A", "-e", "dev"), "one variable is changed at a time"),
        (("set", "API_KEY", "-e", "dev", "-e", "base"), "one environment is changed at a time"),
        (("set", "API_KEY"), "no environment is named"),
        (("set", "API_KE", "-e", "dev"), "no variable 'API_KE' in dev"),
        (("set", "API_*", "-e", "dev"), "no variable 'API_*' in dev"),
        (("set", "API_KEY", "-e", "dev", "--from-file", "none"), "cannot read none: no such"),
    ],
)
def test_usage(dev, arguments, message):
    done = run(dev, *arguments, input="x")
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert stored(dev) == DOTENV


def test_a_variable_that_the_profile_does_not_have_yet(dev):
    done = run(dev, "set", "BRAND_NEW", "-e", "dev", input="x")
    assert 'write BRAND_NEW = "{{ BRAND_NEW }}" into profiles/dev.toml first' in done.stderr


def test_what_the_profile_does_not_allow_is_not_written(dev):
    assert told(run(dev, "set", "API_KEY", "-e", "dev", input="pk_x")) == (
        "2> envkit: error: the new value of API_KEY does not match the pattern ^sk_;"
        " nothing was changed\n"
        "2> envkit: hint: look at profiles/dev.toml:7, which asks for it\n"
        "[3]\n"
    )
    done = run(dev, "set", "PORT", "-e", "dev", input="70000")
    assert "is not a port" in done.stderr
    assert (stored(dev), profile(dev)) == (DOTENV, DEV)
    assert [record["outcome"] for record in dev.records()] == ["value-invalid"] * 2


def test_skip_unchanged(dev):
    path = dev.root / ".env.dev"
    before = path.stat()
    done = run(dev, "set", "API_KEY", "-e", "dev", "--skip-unchanged", input="sk_old")
    assert told(done) == "API_KEY in .env.dev#API_KEY has this value already\n"
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert dev.records()[0]["outcome"] == "unchanged"
    run(dev, "set", "API_KEY", "-e", "dev", input="sk_old")
    assert path.stat().st_ino != before.st_ino
    done = run(dev, "set", "API_KEY", "-e", "dev", "--skip-unchanged", input="sk_new")
    assert done.stdout.startswith("set API_KEY in ")


def test_a_new_value_goes_to_the_first_source_of_the_lookup_that_can_be_written(project):
    project.profile("dev.toml", 'lookup = ["env", "dotenv"]\n[variables]\nA = {}\n')
    assert told(run(project, "set", "A", "-e", "dev", input="1")) == (
        "set A in .env.dev#A (version V)\n"
    )
    # what is written there would not be found behind the environment
    done = run(project, "set", "A", "-e", "dev", input="2", env={"A": "x"})
    assert "A comes from env:A, which envkit cannot change" in done.stderr
    project.profile("dev.toml", 'lookup = ["dotenv", "env"]\n[variables]\nB = {}\n')
    assert run(project, "set", "B", "-e", "dev", input="2", env={"B": "x"}).returncode == 0
    assert stored(project) == "A=1\nB=2\n"


def test_a_protected_profile_asks_for_a_reason_before_its_store(dev):
    dev.profile("dev.toml", 'protected = true\n[variables]\nAPI_KEY = {}\nX = "1"\n')
    for command in (("set", "API_KEY"), ("unset", "X"), ("rollback", "API_KEY"), ("edit",)):
        done = run(dev, *command, "-e", "dev", input="x")
        assert told(done) == (
            "2> envkit: error: dev is protected, and no reason is given\n"
            "2> envkit: hint: say why with --reason TEXT, or set ENVKIT_REASON\n"
            "[6]\n"
        )
    assert dev.records() == []
    assert run(dev, "set", "X", "-e", "dev", "--reason", "INC-1", input="2").returncode == 0
    assert dev.records()[0]["reason"] == "INC-1"


def test_without_a_log_nothing_of_a_protected_profile_is_changed(dev):
    dev.profile("dev.toml", "protected = true\n[variables]\nAPI_KEY = {}\n")
    (dev.root / "state").write_text("")
    done = run(dev, "set", "API_KEY", "-e", "dev", "--reason", "x", input="sk_new")
    assert (done.returncode, "cannot write the audit log" in done.stderr) == (6, True)
    assert stored(dev) == DOTENV


# ---------------------------------------------------------------- on a terminal


def on_terminal(project, *arguments, answers):
    env = {"XDG_STATE_HOME": str(project.root / "state")}
    return run_on_terminal(*arguments, cwd=project.root, env=env, answers=answers)


def test_what_is_typed_is_not_shown_and_asked_for_twice(dev):
    shown, status = on_terminal(
        dev,
        *("set", "API_KEY", "-e", "dev"),
        answers=[("New value of API_KEY:", "sk_typed\n"), ("Again:", "sk_typed\n")],
    )
    assert status == 0
    assert re.sub(r"version \S+\)", "version V)", shown) == (
        "New value of API_KEY: \nAgain: \nset API_KEY in .env.dev#API_KEY (version V)\n"
    )
    assert "API_KEY=sk_typed" in stored(dev)


@pytest.mark.parametrize(
    ("answers", "status", "message"),
    [
        ([("API_KEY:", "sk_one\n"), ("Again:", "sk_two\n")], 2, "the two are not the same"),
        ([("API_KEY:", "\n"), ("Again:", "\n")], 2, "the new value is empty"),
        ([("API_KEY:", "\x04")], 2, "nothing was typed"),
        ([("API_KEY:", "\x03")], 130, ""),
        ([("API_KEY:", "sk_one\n"), ("Again:", "\x03")], 130, ""),
    ],
)
def test_what_is_not_typed_twice_changes_nothing(dev, answers, status, message):
    shown, ended = on_terminal(dev, "set", "API_KEY", "-e", "dev", answers=answers)
    assert (ended, message in shown) == (status, True), shown
    assert "sk_one" not in shown
    assert stored(dev) == DOTENV
    assert sorted(path.name for path in dev.root.iterdir()) == [".env.dev", "profiles", "state"]
    assert dev.records()[0]["outcome"] == ("interrupted" if status == 130 else "usage")


def test_what_a_terminal_would_cut_off_is_refused(dev):
    long = "sk_" + "x" * MAX_LINE_BYTES
    shown, status = on_terminal(
        dev, "set", "API_KEY", "-e", "dev", answers=[("API_KEY:", f"{long}\n")]
    )
    assert (status, "use --from-file" in shown) == (2, True)
    assert stored(dev) == DOTENV


# ---------------------------------------------------------------- unset


def test_unset(dev):
    assert told(run(dev, "unset", "API_KEY", "-e", "dev")) == (
        "took API_KEY out of .env.dev#API_KEY (version V)\n"
    )
    assert stored(dev) == "# keys\nOTHER=1\n"
    assert told(run(dev, "unset", "API_KEY", "-e", "dev")) == (
        "API_KEY is absent in .env.dev#API_KEY already\n"
    )
    assert [record["outcome"] for record in dev.records()] == ["ok", "unchanged"]


def test_unset_takes_a_literal_out_of_the_profile(dev):
    assert told(run(dev, "unset", "NODE_ENV", "-e", "dev")) == (
        "took NODE_ENV out of profiles/dev.toml:6\n"
    )
    assert profile(dev) == DEV.replace('NODE_ENV = "development"   # not production\n', "")


# ---------------------------------------------------------------- history and rollback


@pytest.fixture
def changed(dev):
    assert run(dev, "set", "API_KEY", "-e", "dev", input="sk_new").returncode == 0
    return dev


def times(text):
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)


def test_history(changed):
    shown = run(changed, "history", "API_KEY", "-e", "dev").stdout
    lines = [
        re.sub(r"^[0-9a-f]+-[0-9a-f]+-[0-9a-f]+ +", "V  ", line) for line in shown.splitlines()
    ]
    assert [" ".join(times(line).split()) for line in lines] == [
        "VERSION CREATED STATE",
        "V TIME current",
        "previous TIME previous",
    ]
    document = json.loads(run(changed, "history", "API_KEY", "-e", "dev", "-f", "json").stdout)
    assert document["name"] == "API_KEY"
    assert document["place"] == ".env.dev#API_KEY"
    current, previous = document["versions"]
    assert previous == {
        "version": "previous",
        "created": previous["created"],
        "author": None,
        "state": "previous",
        "note": None,
    }
    assert current["state"] == "current"
    assert times(current["created"]) == "TIME"
    assert len(changed.records()) == 1  # no value was read


def test_a_literal_has_no_history_of_its_own(dev):
    for command in (("history", "PORT"), ("rollback", "PORT", "--yes")):
        assert told(run(dev, *command, "-e", "dev")) == (
            "2> envkit: error: PORT is written in profiles/dev.toml:5, and has no versions of its"
            " own\n"
            "2> envkit: hint: run 'git log -p profiles/dev.toml'\n"
            "[3]\n"
        )


def test_rollback_and_back_again(changed):
    for value in ("sk_old", "sk_new", "sk_old"):
        assert told(run(changed, "rollback", "API_KEY", "-e", "dev", "--yes")) == (
            "brought API_KEY back to version previous of .env.dev#API_KEY (version V)\n"
        )
        assert changed.run("get", "API_KEY", "-e", "dev").stdout == value
    assert changed.records()[-1]["command"] == "rollback"
    assert list(changed.records()[-1]["versions"]) == ["API_KEY"]


def test_rollback_of_what_was_unset(changed):
    run(changed, "unset", "API_KEY", "-e", "dev")
    assert run(changed, "rollback", "API_KEY", "-e", "dev", "-y").returncode == 0
    assert changed.run("get", "API_KEY", "-e", "dev").stdout == "sk_new"


@pytest.mark.parametrize(
    ("answer", "status", "value"),
    [("y\n", 0, "sk_old"), ("n\n", 0, "sk_new"), ("\n", 0, "sk_new"), ("\x03", 130, "sk_new")],
)
def test_rollback_asks_on_a_terminal(changed, answer, status, value):
    shown, ended = on_terminal(
        changed, "rollback", "API_KEY", "-e", "dev", answers=[("[y/N]", answer)]
    )
    assert ended == status
    question = times(shown.splitlines()[0])
    assert question.startswith("Bring API_KEY of dev back to version previous, made TIME? [y/N]")
    assert changed.run("get", "API_KEY", "-e", "dev").stdout == value


def test_rollback_where_nobody_is_there_to_ask(changed):
    assert told(run(changed, "rollback", "API_KEY", "-e", "dev")) == (
        "2> envkit: error: nobody is there to be asked\n"
        "2> envkit: hint: add --yes if you are sure\n"
        "[2]\n"
    )
    assert changed.run("get", "API_KEY", "-e", "dev").stdout == "sk_new"


def test_rollback_without_another_value_to_go_back_to(changed):
    run(changed, "set", "--ref", "dotenv:OTHER", "-e", "dev", input="2")
    assert told(run(changed, "rollback", "API_KEY", "-e", "dev", "--yes")) == (
        "2> envkit: error: no earlier version of .env.dev#API_KEY has another value\n[5]\n"
    )
    assert told(run(changed, "rollback", "API_KEY", "-e", "dev", "--to", "previous")) == (
        "API_KEY has the value of version previous already\n"
    )
    done = run(changed, "rollback", "API_KEY", "-e", "dev", "--to", "7", "--yes")
    assert re.search(r"has no version 7 \(known: \S+, previous\)", done.stderr)
    assert done.returncode == 5


def test_rollback_to_what_the_profile_does_not_allow_any_more(changed):
    changed.profile("dev.toml", '[variables]\nAPI_KEY = { pattern = "^sk_n" }\n')
    done = run(changed, "rollback", "API_KEY", "-e", "dev", "--yes")
    assert (done.returncode, "does not match the pattern" in done.stderr) == (3, True)
    assert changed.run("get", "API_KEY", "-e", "dev").stdout == "sk_new"


# ---------------------------------------------------------------- one file of several


def test_the_file_that_is_written_is_named_and_no_other(project):
    project.profile("dev.toml", 'aliases = ["development"]\nvariables = { A = {}, B = {} }\n')
    assert told(run(project, "set", "A", "--env", "dev", input="1")) == (
        "set A in .env.dev#A (version V)\n"
    )
    (project.root / ".env.dev").rename(project.root / ".env.development")
    assert told(run(project, "set", "A", "--env", "dev", input="2")) == (
        "set A in .env.development#A (version V)\n"
    )
    assert told(run(project, "rollback", "A", "--env", "dev", "--yes")) == (
        "brought A back to version previous of .env.development#A (version V)\n"
    )


def test_of_the_files_of_a_source_the_one_that_had_it_is_named(project):
    project.profile(
        "dev.toml",
        '[sources.dotenv]\npath = [".env.shared", ".env.dev"]\n[variables]\nA = {}\nB = {}\n',
    )
    project.dotenv("shared", "A=1\n")
    assert told(run(project, "unset", "A", "--env", "dev")) == (
        "took A out of .env.shared#A (version V)\n"
    )
    assert told(run(project, "set", "B", "--env", "dev", input="2")) == (
        "set B in .env.dev#B (version V)\n"
    )

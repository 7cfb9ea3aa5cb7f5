"""`envkit set`, `unset`, `history` and `rollback` change a value only where it is stored."""

import re

import pytest

from envkit.cli.interaction.prompt import MAX_LINE_BYTES
from envkit.sources.poke import last_poke
from support.rotating import table
from support.sessions import replay, sessions
from support.transcript import told
from support.vectors import vectors

VECTORS = vectors("cli/change")
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
    return project.logged()


def stored(project):
    return (project.root / ".env.dev").read_text(encoding="utf-8")


@pytest.mark.parametrize("session", sessions("cli/change"))
def test_change_transcripts_match(dev, session):
    assert replay(dev, session) == session


def set_and_get(dev, *options, piped):
    dev.profile("dev.toml", "[variables]\nAPI_KEY = {}\n")
    assert dev.run("set", "API_KEY", "-e", "dev", *options, input=piped).returncode == 0
    return dev.run("get", "API_KEY", "-e", "dev").stdout


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
def test_set_strips_only_the_last_newline_of_piped_text(dev, piped, kept):
    assert set_and_get(dev, piped=piped) == kept


@pytest.mark.parametrize("content", ["sk_x\n", "", "-----\nsk_\n-----\n"])
def test_set_stores_every_byte_of_a_file(dev, content):
    (dev.root / "value").write_text(content)
    assert set_and_get(dev, "--from-file", "value", piped="") == content
    assert set_and_get(dev, "--from-file", "-", piped=f"{content}\n") == f"{content}\n"


@pytest.mark.parametrize("piped", ["", "\n"])
def test_set_accepts_an_empty_value_only_from_a_file(dev, piped):
    assert told(dev.run("set", "API_KEY", "-e", "dev", input=piped)) == (
        "2> envkit: error: the new value is empty; nothing was changed [usage]\n"
        "2> envkit: hint: to store an empty value, add --from-file /dev/null\n"
        "[2]\n"
    )
    assert set_and_get(dev, "--from-file", "/dev/null", piped=piped) == ""


@pytest.mark.parametrize("command", ["set", "unset"])
@pytest.mark.parametrize(("name", "message", "hint"), VECTORS["a_value_that_is_not_in_one_place"])
def test_set_of_a_composed_value_gets_a_hint_that_names_its_parts(
    dev, command, name, message, hint
):
    expected = f"2> envkit: error: {message} [not-changeable]\n2> envkit: hint: {hint}\n[3]\n"
    assert told(dev.run(command, name, "-e", "dev", input="x")) == expected
    assert (stored(dev), (dev.profiles / "dev.toml").read_text()) == (DOTENV, DEV)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("set", "-e", "dev"), "name exactly one variable or reference"),
        (("set", "A", "--ref", "env:A", "-e", "dev"), "name exactly one variable or reference"),
        (
            ("set", "API_KEY", "-e", "dev", "-e", "base"),
            "only one environment can be changed at a time",
        ),
        (("set", "API_KEY"), "no environment given"),
        (("set", "API_KE", "-e", "dev"), "no variable 'API_KE' in dev"),
        (("set", "API_*", "-e", "dev"), "no variable 'API_*' in dev"),
        (("set", "API_KEY", "-e", "dev", "--from-file", "none"), "cannot read none: no such"),
    ],
)
def test_change_commands_refuse_bad_usage_and_change_nothing(dev, arguments, message):
    done = dev.run(*arguments, input="x")
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert stored(dev) == DOTENV


def test_change_of_a_protected_profile_asks_for_a_reason_before_it_opens_the_store(dev):
    dev.profile("dev.toml", 'protected = true\n[variables]\nAPI_KEY = {}\nX = "1"\n')
    for command in (("set", "API_KEY"), ("unset", "X"), ("rollback", "API_KEY"), ("edit",)):
        done = dev.run(*command, "-e", "dev", input="x")
        assert told(done) == (
            "2> envkit: error: dev is protected: a reason is required [reason-missing]\n"
            "2> envkit: hint: add --reason TEXT, or set ENVKIT_REASON\n"
            "[6]\n"
        )
    assert dev.records() == []
    assert dev.run("set", "X", "-e", "dev", "--reason", "INC-1", input="2").returncode == 0
    assert dev.records()[0]["reason"] == "INC-1"


# ---------------------------------------------------------------- on a terminal


def test_set_asks_twice_for_a_typed_value_and_does_not_echo_it(dev):
    shown, status = dev.on_terminal(
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
        ([("API_KEY:", "sk_one\n"), ("Again:", "sk_two\n")], 2, "the two values differ"),
        ([("API_KEY:", "\n"), ("Again:", "\n")], 2, "the new value is empty"),
        ([("API_KEY:", "\x04")], 2, "nothing was typed"),
        ([("API_KEY:", "\x03")], 130, ""),
        ([("API_KEY:", "sk_one\n"), ("Again:", "\x03")], 130, ""),
    ],
)
def test_set_changes_nothing_when_the_two_typed_values_differ(dev, answers, status, message):
    shown, ended = dev.on_terminal("set", "API_KEY", "-e", "dev", answers=answers)
    assert (ended, message in shown) == (status, True), shown
    assert "sk_one" not in shown
    assert stored(dev) == DOTENV
    assert sorted(path.name for path in dev.root.iterdir()) == [".env.dev", "profiles", "state"]
    assert dev.records()[0]["outcome"] == ("interrupted" if status == 130 else "usage")


def test_set_refuses_a_typed_value_that_the_terminal_would_truncate(dev):
    long = "sk_" + "x" * MAX_LINE_BYTES
    shown, status = dev.on_terminal(
        "set", "API_KEY", "-e", "dev", answers=[("API_KEY:", f"{long}\n")]
    )
    assert (status, "use --from-file" in shown) == (2, True)
    assert stored(dev) == DOTENV


@pytest.mark.parametrize(
    ("answer", "status", "value"),
    [("y\n", 0, "sk_old"), ("n\n", 0, "sk_new"), ("\n", 0, "sk_new"), ("\x03", 130, "sk_new")],
)
def test_rollback_asks_for_confirmation_on_a_terminal(dev, answer, status, value):
    assert dev.run("set", "API_KEY", "-e", "dev", input="sk_new").returncode == 0
    rollback = ("rollback", "API_KEY", "-e", "dev")
    shown, ended = dev.on_terminal(*rollback, answers=[("[y/N]", answer)])
    assert ended == status
    question = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", shown.splitlines()[0])
    assert question.startswith("Restore version previous of API_KEY in dev, created TIME? [y/N]")
    assert dev.run("get", "API_KEY", "-e", "dev").stdout == value


@pytest.fixture
def pokes(dev, monkeypatch):
    """Return how often watchers of this user were poked since the last call."""
    monkeypatch.setenv("XDG_STATE_HOME", dev.environ["XDG_STATE_HOME"])
    seen = [last_poke()]

    def poked():
        before, now = seen[-1], last_poke()
        seen.append(now)
        return now != before

    return poked


@pytest.mark.parametrize(
    ("command", "poked"),
    [
        ("set API_KEY --env dev", True),
        ("unset API_KEY --env dev", True),
        ("rollback API_KEY --env dev --yes", True),
        ("promote dev test API_KEY --secrets --yes", True),
        ("rotate key", True),
        ("get API_KEY --env dev", False),
        ("set NONE --env dev", False),
        ("history API_KEY --env dev", False),
    ],
)
def test_a_write_pokes_watchers_and_nothing_else_does(dev, pokes, command, poked):
    dev.profile(
        "dev.toml", '[variables]\nAPI_KEY = "{{ dotenv:API_KEY }}"\n' + table("key", "OTHER")
    )
    assert dev.run("set", "API_KEY", "-e", "dev", input="sk_newer").returncode == 0
    dev.profile("test.toml", '[variables]\nAPI_KEY = "{{ dotenv:API_KEY }}"\n')
    assert pokes()
    done = dev.run(*command.split(), input="sk_newest", env={"ENVKIT_TRUST": "1"})
    assert (pokes(), done.returncode == 0) == (poked, poked or "NONE" not in command), done.stderr

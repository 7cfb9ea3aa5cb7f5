"""What the agent answers, when its memory of questions is full and when it can start no process."""

import os
import time

import pytest

from envkit import __version__
from envkit.agent import answers
from envkit.agent.asking import Unusable
from envkit.agent.question import Question
from support import agents


@pytest.fixture
def ask(served, project):
    """Return a function that asks for the value of X in `dev`."""
    project.profile("dev.toml", "[variables]\nX = '{{ env:OURS ?? \"default\" }}'\n")
    time.sleep(0.1)  # old enough to be kept

    def asked(overrides=(), reason="", **environ):
        question = Question(
            *(__version__, str(project.root), None, ["dev"], (), (), (), overrides),
            *("exec", reason, 15.0),
        )
        given = {"HOME": os.environ["HOME"], **environ}
        environ = {k.encode(): v.encode() for k, v in given.items()}
        return agents.ask(served, question, environ).values[0].decode()

    return asked


def test_an_answer_is_not_used_before_the_client_has_sent_what_it_depends_on(ask, monkeypatch):
    monkeypatch.setattr(answers, "MAX_SHAPES", 1)
    assert ask() == "default"
    assert ask(["X", "another question"]) == "another question"  # the first one is forgotten
    assert ask(OURS="mine") == "mine"
    assert ask() == "default"


@pytest.mark.usefixtures("project")
def test_an_agent_that_can_start_no_process_declines_and_goes_on(ask, monkeypatch):
    def no_process(*_, **__):
        raise OSError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(answers, "Job", no_process)
        with pytest.raises(Unusable, match="cannot start a process: resource temporarily") as found:
            ask()
        assert found.value.declined
    assert ask() == "default"


def test_a_reason_with_a_value_or_a_part_of_one_is_left_to_the_client(ask):
    value = "postgres://app:hunter2@db"
    for reason in (f"try {value}!", "try hunter2 again"):
        with pytest.raises(Unusable, match="may have a secret") as found:
            ask(OURS=value, reason=reason)
        assert found.value.declined
    assert ask(OURS=value, reason="INC-7") == value

"""What the agent answers and keeps, also when it can start no process."""

import gc
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
    encoded = "Y = '{{ env:OURS ?? \"default\" | urlencode }}'"
    project.profile(
        "dev.toml", f"[variables]\nX = '{{{{ env:OURS ?? \"default\" }}}}'\n{encoded}\n"
    )
    time.sleep(0.1)  # old enough to be kept

    def asked(overrides=(), reason="", only=("X",), **environ):
        question = Question(
            *(__version__, str(project.root), None, ["dev"], only, (), (), overrides),
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


@pytest.mark.parametrize("only", ["X", "Y"], ids=["as it is", "encoded"])
def test_a_reason_with_a_secret_that_was_read_is_left_to_the_client(ask, only):
    given = {"OURS": "hunter/2", "only": [only]}
    passed = ask(**given)
    for _ in range(2):
        with pytest.raises(Unusable, match="has a secret") as found:
            ask(reason="try hunter/2 again", **given)
        assert found.value.declined
    assert ask(reason="INC-7", **given) == passed


def test_what_a_person_has_typed_is_not_kept_with_a_question(ask, project):
    ask(reason="typed")
    ask(["X", "typed"])
    ask()
    questions = [one for one in gc.get_objects() if type(one) is Question]
    kept = [one for one in questions if one.folder == str(project.root)]
    assert kept
    assert not [one for one in kept if one.reason or one.overrides]

"""When answers are saved, and for which store and user they are used again."""

import os
import threading

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import DeniedError, ResolutionError, UnavailableError
from envkit.resolution.last_known_good import key as key_module
from envkit.resolution.prepare import prepare
from envkit.resolution.resolve import USE, resolve_prepared
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading

PROFILE = """
fallback = { max_age = "24h" }
[sources.vault]
address = '{{ env:WHERE ?? "https://vault" }}'
prefix = '{{ env:BELOW ?? "" }}'
auth = { method = "token", token = '{{ env:LOGIN ?? "x" }}' }
[variables]
A = "{{ vault:app#a }}"
B = { value = "{{ vault:app#b }}", default = "d" }
"""
DOWN = UnavailableError("down")


class Store:
    """A store behind a network that answers what a test says, by field."""

    settings, remote, name = {}, True, "vault"

    def __init__(self, **answers):
        self.answers = answers

    def check(self, ref):
        pass

    def locate(self, ref):
        return f"vault:{ref}"

    def fetch(self, refs):
        return {ref: self.answers[ref.field] for ref in refs}


def value(text, **more):
    return Reading(Secret(text), "1", "vault:app", **more)


@pytest.fixture(autouse=True)
def _place(project, monkeypatch):
    project.profile("prod.toml", PROFILE)
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(project.root / name))


def read(**answers):
    """Return the values of `prod`, or the first error."""
    deadline = Deadline(60)
    store = {"vault": Store(**answers)}
    prepared = prepare(
        ["prod"], profiles=None, environ=os.environ, deadline=deadline, sources=store
    )
    try:
        found = resolve_prepared(prepared, deadline, saved=USE)
    except ResolutionError as error:
        return error.failures[0].error.message
    return {name: secret.reveal() for name, secret in found.items()}


SAVED = {"A": "1", "B": "2"}


def test_all_answers_of_an_unavailable_store_are_those_of_one_time():
    assert read(a=value("1"), b=value("2")) == SAVED
    assert read(a=DOWN, b=DOWN) == read(a=value("new"), b=DOWN) == SAVED


@pytest.mark.parametrize("answer", [DeniedError("denied"), Absent("deleted")])
def test_a_store_that_answers_for_one_secret_is_believed(answer):
    read(a=value("1"), b=value("2"))
    assert read(a=DOWN, b=answer) != SAVED


def test_what_was_absent_and_still_is_does_not_matter():
    read(a=value("1"), b=Absent("never there"))
    assert read(a=DOWN, b=Absent("never there")) == {"A": "1", "B": "d"}


@pytest.mark.parametrize(
    "name",
    [
        *("WHERE", "BELOW", "VAULT_ADDR", "VAULT_NAMESPACE", "BAO_ADDR", "BAO_NAMESPACE"),
        *("AWS_PROFILE", "AWS_REGION", "AWS_ROLE_ARN", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE"),
        *("AWS_SHARED_CREDENTIALS_FILE", "AWS_VAULT", "AWS_ACCESS_KEY_ID"),
    ],
)
def test_values_are_used_only_for_the_store_and_user_that_they_were_read_from(monkeypatch, name):
    read(a=value("1"), b=value("2"))
    monkeypatch.setenv(name, "AKIA-other")
    assert "no earlier values are saved" in read(a=DOWN, b=DOWN)
    monkeypatch.delenv(name)
    assert read(a=DOWN, b=DOWN) == SAVED


@pytest.mark.parametrize(
    ("name", "text"), [("LOGIN", "another token"), ("AWS_ACCESS_KEY_ID", "ASIA-of-a-session")]
)
def test_a_new_login_of_the_same_user_finds_them(monkeypatch, name, text):
    read(a=value("1"), b=value("2"))
    monkeypatch.setenv(name, text)
    assert read(a=DOWN, b=DOWN) == SAVED


def test_the_login_of_a_lease_is_not_saved():
    read(a=value("1", leased=True), b=value("2"))
    assert "no earlier values are saved" in read(a=DOWN, b=DOWN)


def test_a_keyring_that_hangs_is_asked_once_for_each_start(monkeypatch):
    import keyring

    asked, done = [], threading.Event()
    monkeypatch.setattr(key_module, "KEYRING_SECONDS", 0.01)

    def hang():
        asked.append(None)
        done.wait()

    monkeypatch.setattr(keyring, "get_keyring", hang)
    read(a=value("1"), b=value("2"))
    assert len(asked) == 1
    assert read(a=DOWN, b=DOWN) == SAVED
    assert len(asked) == 2
    done.set()

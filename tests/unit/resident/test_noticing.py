"""Tokens of the values of sources."""

from __future__ import annotations

import os
import textwrap

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import DeniedError, InvalidReferenceError, ProtocolError, UnavailableError
from envkit.resident.noticing import WatchedSource, look, watched_sources
from envkit.resolution.prepare import prepare
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading
from support.shelf import Shelf, reference

REFS = [reference("shelf:a#b"), reference("shelf:c#d")]


def looked(source, refs=REFS):
    return look(WatchedSource("prod/shelf", source, refs, 60.0, is_quick=False))


def tokens(*values):
    contents = {str(ref): value for ref, value in zip(REFS, values, strict=False)}
    found = looked(Shelf(contents))
    assert found.error is None
    return found.tokens


def test_a_token_of_a_source_without_versions_is_equal_as_long_as_the_value_is():
    assert tokens("one", "two") == tokens("one", "two")
    assert tokens("one", "two") != tokens("one", "three")
    assert tokens("one") == tokens("one") != tokens("one", "")
    assert tokens("\udcff\ud800") == tokens("\udcff\ud800") != tokens("\udcff")


def test_a_token_shows_nothing_of_the_value():
    shown = repr(tokens("hunter2", "aaaa"))
    assert "hunter2" not in shown
    assert "aaaa" not in shown
    assert "f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7" not in shown


def test_a_reference_that_fails_does_not_hide_the_others():
    denied = DeniedError("no")
    found = looked(Shelf({str(REFS[0]): "one", str(REFS[1]): denied}))
    assert found.error is denied
    assert found.tokens == {tuple(REFS[0]): tokens("one")[tuple(REFS[0])]}


class Versioned(Shelf):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def versions(self, refs):
        if isinstance(self.answer, Exception):
            raise self.answer
        return dict(zip(refs, self.answer, strict=False))


def test_the_cheap_question_is_asked_in_place_of_a_read():
    source = Versioned(["1", Absent()])
    assert looked(source).tokens == {tuple(REFS[0]): "=1", tuple(REFS[1]): "absent"}
    assert looked(Versioned(["1"])).tokens == looked(source).tokens
    assert looked(Versioned(["absent"])).tokens != looked(Versioned([])).tokens
    assert source.asked == []


@pytest.mark.parametrize("error", [UnavailableError("down"), InvalidReferenceError("odd")])
def test_a_source_that_fails_as_a_whole_gives_its_error_and_no_token(error):
    assert looked(Versioned(error)) == ({}, error)


def test_an_exception_of_a_source_is_an_error_without_its_message():
    found = looked(Versioned(ValueError("hunter2")))
    assert isinstance(found.error, ProtocolError)
    assert "hunter2" not in str(found.error)
    assert "ValueError" in str(found.error)
    assert isinstance(looked(Shelf(breaks=ValueError("hunter2"))).error, ProtocolError)


def watched(project, profile):
    project.profile("prod.toml", textwrap.dedent(profile))
    deadline = Deadline(10)
    prepared = prepare(
        ["prod"], profiles=str(project.profiles), environ=os.environ, deadline=deadline
    )
    return watched_sources(prepared)


def test_each_source_has_its_own_poll_and_those_that_cannot_change_have_none(project, monkeypatch):
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    monkeypatch.setenv("VAULT_TOKEN", "t")
    found = watched(
        project,
        """
        [sources.vault]
        poll = "5m"
        [sources.fixed]
        type = "memory"
        secrets = { db = { a = "1" } }
        [variables]
        A = "{{ dotenv:A }}"
        B = "{{ vault:kv/b#c }}"
        C = "{{ aws:d#e }}"
        D = "{{ env:HOME }}"
        E = "{{ fixed:db#a }}"
        F = "literal"
        """,
    )
    assert {name: (one.poll_seconds, one.is_quick) for name, one in found.items()} == {
        "prod/dotenv": (1.0, True),
        "prod/vault": (300.0, False),
        "prod/aws": (60.0, False),
    }


def test_values_are_compared_by_their_readings(project):
    reading = Reading(Secret("one"), "1", "here")
    later = reading._replace(version="2", location="there")
    assert (
        looked(Shelf({str(REFS[0]): reading})).tokens == looked(Shelf({str(REFS[0]): later})).tokens
    )

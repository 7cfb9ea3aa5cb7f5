"""A secret shows its value only on request, and preserves every byte."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.errors import InvalidValueError
from envkit.secret import Plain, Secret, look_for_secrets_in, without_secrets

CANARY = "c4nary"


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        format,
        lambda s: f"{s:>40}{s!r}",
        lambda s: "%s %r" % (s, s),  # noqa: UP031 - it is one of the ways
        lambda s: "{} {!r}".format(s, s),  # noqa: UP032 - and so is this
        lambda s: str([s, {"k": s}]),
        lambda s: repr(vars(type(s))),
    ],
)
def test_no_way_of_showing_a_secret_shows_its_value(show) -> None:
    shown = show(Secret(CANARY))
    assert CANARY not in shown
    assert "****" in shown or "Secret" in shown


def test_the_mask_does_not_reveal_the_length() -> None:
    assert repr(Secret("")) == repr(Secret("x" * 100))
    assert str(Secret("")) == str(Secret("x" * 100))


def test_a_log_line_and_a_traceback_do_not_show_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("app").debug("got %s and %r", secret, secret)
    assert "got ********" in caplog.text
    assert CANARY not in caplog.text
    try:
        secret.password  # type: ignore[attr-defined]  # noqa: B018
    except AttributeError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert "secret = Secret('********')" in "".join(report.format())
    assert f"'{CANARY}'" not in "".join(report.format())


@pytest.mark.parametrize(
    "take", [pickle.dumps, json.dumps, hash, len, list, lambda s: s + "x", lambda s: s[0], vars]
)
def test_a_secret_cannot_be_taken_apart_by_accident(take) -> None:
    with pytest.raises(TypeError) as caught:
        take(Secret(CANARY))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_protocol_accepts_a_secret(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps({"deep": [Secret(CANARY)]}, protocol)


def test_a_secret_cannot_be_changed() -> None:
    secret = Secret(CANARY)
    for change in (
        lambda: setattr(secret, "_value", "other"),
        lambda: setattr(secret, "new", 1),
        lambda: delattr(secret, "_value"),
    ):
        with pytest.raises(AttributeError, match="cannot be changed"):
            change()
    assert secret.reveal() == CANARY


def test_a_copy_of_a_secret_is_the_secret_itself() -> None:
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"k": [secret]})["k"][0] is secret


@given(st.text(), st.text())
def test_secrets_are_equal_when_their_values_are(one: str, other: str) -> None:
    assert Secret(one) == Secret(one)
    assert (Secret(one) == Secret(other)) is (one == other)
    assert (Secret(one) != Secret(other)) is (one != other)


def test_a_secret_equals_only_a_secret() -> None:
    assert Secret(CANARY) != CANARY
    assert Secret("") is not None


@given(st.binary())
def test_bytes_of_a_secret_are_returned_unchanged(raw: bytes) -> None:
    assert Secret.from_bytes(raw).to_bytes() == raw


@given(st.text())
def test_text_of_a_secret_is_returned_unchanged(text: str) -> None:
    assert Secret(text).reveal() == text
    assert Secret(text).to_bytes() == text.encode()


def test_half_a_surrogate_pair_has_no_bytes_and_its_error_shows_no_value() -> None:
    secret = Secret(f"{CANARY}\ud800")
    with pytest.raises(InvalidValueError) as caught:
        secret.to_bytes()
    assert CANARY not in f"{caught.value!r} {caught.value.__cause__}"
    assert caught.value.__suppress_context__
    assert secret == Secret(f"{CANARY}\ud800")
    assert secret != Secret(CANARY)


@pytest.mark.parametrize("value", [None, b"bytes", 5432, Secret("nested")])
def test_a_secret_accepts_only_text(value) -> None:
    with pytest.raises(TypeError, match="a Secret takes a str"):
        Secret(value)


def test_a_plain_value_shows_itself_and_never_as_bare_text() -> None:
    """A mistaken formatting fails in every environment, not only with a secret."""
    plain = Plain("production")
    for shown in (repr(plain), str(plain), f"{plain}", "%s" % plain, str([plain])[1:-1]):  # noqa: UP031
        assert shown == "Plain('production')"
    assert f"{plain:>21}" == "  Plain('production')"


@pytest.mark.parametrize("use", [pickle.dumps, hash, len, lambda s: setattr(s, "_value", "x")])
def test_a_plain_value_is_used_like_a_secret(use) -> None:
    plain = Plain("production")
    assert plain == Secret("production") == plain
    assert plain.reveal() == "production"
    assert type(Plain.from_bytes(b"x")) is Plain
    with pytest.raises((TypeError, AttributeError)):
        use(plain)


@pytest.mark.parametrize(
    ("text", "values", "shown"),
    [
        ("try hunter2 again", ["hunter2"], "try (a secret) again"),
        ("hunter2", ["hunter2\n"], "(a secret)"),
        ("hunter2-url, hunter2", ["hunter2", "hunter2-url"], "(a secret), (a secret)"),
        ("INC-7", ["INC-7", ""], "INC-7"),  # too short to be recognised
    ],
)
def test_secrets_that_were_pasted_into_a_text_are_found(monkeypatch, text, values, shown) -> None:
    monkeypatch.setattr("envkit.secret._texts", [])
    monkeypatch.setattr("envkit.secret._found", [])
    look_for_secrets_in(text)
    for value in values:
        assert Plain(value).reveal() == value
    assert without_secrets(text) == text
    for value in values:
        assert Secret(value).reveal() == value
    assert without_secrets(text) == shown

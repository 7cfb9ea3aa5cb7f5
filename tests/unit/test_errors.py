"""Codes and exit statuses are promises: scripts and the documentation rely on them."""

from __future__ import annotations

import copy
import importlib
import inspect
import logging
import pickle
import pkgutil
import re
import traceback

import pytest

import envkit
from envkit import errors
from envkit.errors import (
    AbsentError,
    AuthError,
    DeniedError,
    EnvkitError,
    InvalidReferenceError,
    InvalidValueError,
    NeedFailedError,
    PlaceholderError,
    ProfileError,
    ResolutionError,
    UnavailableError,
    VariableFailure,
)
from envkit.sources.aws.errors import RefusedError

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, EnvkitError)
]


def descendants(kind: type[EnvkitError]) -> set[type[EnvkitError]]:
    below = {one for child in kind.__subclasses__() for one in descendants(child)}
    return {kind, *below}


for module in pkgutil.walk_packages(envkit.__path__, "envkit."):
    if module.name != "envkit.__main__":
        importlib.import_module(module.name)
EVERYWHERE = sorted(
    (kind for kind in descendants(EnvkitError) if kind.__module__.startswith("envkit.")),
    key=lambda kind: kind.__qualname__,
)

# users' scripts depend on these: add lines, and never change one
PROMISED = {
    "internal": 70,  # EX_SOFTWARE: 1 is an answer
    "usage": 2,
    "extra-missing": 2,
    "profile-invalid": 3,
    "profile-not-found": 3,
    "placeholder-invalid": 3,
    "reference-invalid": 3,
    "value-invalid": 3,
    "dotenv-invalid": 3,
    "ciphertext-invalid": 3,
    "key-invalid": 3,
    "wrong-type": 3,
    "value-absent": 4,
    "store-error": 5,
    "store-unavailable": 5,
    "target-unavailable": 5,
    "store-protocol": 5,
    "no-such-variable": 4,
    "no-such-version": 5,
    "access-denied": 6,
    "not-logged-in": 6,
    "private-key-missing": 6,
    "private-key-wrong": 6,
    "key-file-exposed": 6,
    "conflict": 7,
    "locked": 7,
    "environment-too-large": 126,
    "not-executable": 126,
    "command-not-found": 127,
}


def an_error(kind: type[EnvkitError]) -> EnvkitError:
    if kind is PlaceholderError:
        return PlaceholderError("bad (column 3)", column=3, hint="do this")
    if kind is NeedFailedError:
        return NeedFailedError("DB_PASSWORD", DeniedError("no", hint="do this"))
    if issubclass(kind, ResolutionError):
        return kind(
            "prod", [VariableFailure("A", "prod.toml:3", DeniedError("no", hint="do this"))]
        )
    if kind is RefusedError:
        return RefusedError("it went wrong", aws_code="InvalidRequest", hint="do this")
    return kind("it went wrong", hint="do this")


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_its_own_code(kind: type[EnvkitError]) -> None:
    assert "code" in vars(kind), f"{kind.__name__} has its parent's code"
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert [other for other in KINDS if other.code == kind.code] == [kind]


def test_errors_have_the_documented_exit_statuses() -> None:
    statuses = {kind.code: kind.exit_status for kind in (*EVERYWHERE, *KINDS)}
    assert {code: statuses.get(code) for code in PROMISED} == PROMISED


@pytest.mark.parametrize("kind", KINDS)
def test_every_exit_status_is_one_of_the_documented(kind: type[EnvkitError]) -> None:
    assert an_error(kind).exit_status in {*range(1, 8), 70, 126, 127}


@pytest.mark.parametrize("kind", EVERYWHERE)
@pytest.mark.parametrize(
    "again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy]
)
def test_an_error_survives_pickling_and_copying(kind: type[EnvkitError], again) -> None:
    error = an_error(kind)
    copied = again(error)
    assert type(copied) is kind
    assert str(copied) == str(error)
    assert copied.message == error.message
    for name in ("hint", "code", "exit_status"):
        assert getattr(copied, name) == getattr(error, name)
    assert vars(copied).keys() == vars(error).keys()


def test_the_attributes_of_an_error_survive_pickling() -> None:
    placed = pickle.loads(pickle.dumps(an_error(PlaceholderError)))
    assert placed.column == 3
    [failure] = pickle.loads(pickle.dumps(an_error(ResolutionError))).failures
    assert (failure.name, failure.location) == ("A", "prod.toml:3")
    assert failure.error.code == "access-denied"


def test_only_outages_are_retryable() -> None:
    retryable = {kind.code for kind in KINDS if getattr(kind, "retryable", False)}
    assert retryable == {"store-unavailable", "target-unavailable"}


@pytest.mark.parametrize(
    ("failed", "status"),
    [
        ([AbsentError("a")], 4),
        ([AbsentError("a"), UnavailableError("b")], 5),
        ([AbsentError("a"), UnavailableError("b"), AuthError("c")], 6),
        ([UnavailableError("b"), DeniedError("c"), InvalidReferenceError("d")], 3),
        ([UnavailableError("b"), InvalidValueError("d")], 3),
        ([AbsentError("a"), NeedFailedError("B", UnavailableError("b"))], 5),
    ],
)
def test_the_most_basic_of_several_failures_sets_the_exit_status(
    failed: list[EnvkitError], status: int
) -> None:
    failures = [VariableFailure(f"V{i}", f"p.toml:{i}", e) for i, e in enumerate(failed)]
    for order in (failures, failures[::-1]):
        assert ResolutionError("prod", order).exit_status == status


def test_a_resolution_error_names_every_failure_and_gives_the_first_hint() -> None:
    failures = [
        VariableFailure("A", "prod.toml:1", AbsentError("env:A is missing")),
        VariableFailure("B", "prod.toml:2", DeniedError("vault:b: denied", hint="log in")),
        VariableFailure("C", "prod.toml:3", DeniedError("vault:c: denied", hint="other")),
    ]
    error = ResolutionError("prod", failures)
    assert error.summary == "cannot resolve 3 variables of prod"
    assert error.message == (
        "cannot resolve 3 variables of prod: A (prod.toml:1): env:A is missing; "
        "B (prod.toml:2): vault:b: denied; C (prod.toml:3): vault:c: denied"
    )
    assert error.hint == "log in"
    assert str(error) == (
        "cannot resolve 3 variables of prod\n"
        "  A (prod.toml:1): env:A is missing\n"
        "  B (prod.toml:2): vault:b: denied\n"
        "  C (prod.toml:3): vault:c: denied\n"
        "hint: log in\n"
        "hint: other"
    )
    assert [str(failure) for failure in error.failures] == [
        "A (prod.toml:1): env:A is missing",
        "B (prod.toml:2): vault:b: denied",
        "C (prod.toml:3): vault:c: denied",
    ]
    assert ResolutionError("prod", failures[:1]).summary == "cannot resolve 1 variable of prod"


def test_variables_that_failed_for_one_reason_are_listed_below_it():
    down = UnavailableError("vault is sealed", hint="unseal it")
    error = ResolutionError("prod", [VariableFailure(n, f"prod.toml:{n}", down) for n in "12"])
    assert str(error) == (
        "cannot resolve 2 variables of prod\n  vault is sealed:\n"
        "    1 (prod.toml:1)\n    2 (prod.toml:2)\nhint: unseal it"
    )
    assert error.message == (
        "cannot resolve 2 variables of prod: 1 (prod.toml:1), 2 (prod.toml:2): vault is sealed"
    )


class ImproperlyConfiguredError(Exception):
    """An error that a framework raises from another one."""


def chained(error: EnvkitError) -> BaseException:
    try:
        try:
            raise error
        except EnvkitError as caught:
            raise ImproperlyConfiguredError("settings") from caught
    except ImproperlyConfiguredError as framework:
        return framework


def logged(error: EnvkitError) -> str:
    record = logging.LogRecord("app", logging.ERROR, "", 0, "", (), (type(error), error, None))
    return logging.Formatter().format(record)


@pytest.mark.parametrize("kind", EVERYWHERE)
@pytest.mark.parametrize(
    "shown",
    [
        str,
        "{}".format,
        logged,
        lambda error: "".join(traceback.format_exception(error)),
        lambda error: "".join(traceback.format_exception_only(error)),
        lambda error: "".join(traceback.format_exception(chained(error))),
        lambda error: "".join(traceback.format_exception(ExceptionGroup("several", [error]))),
        lambda error: str(pickle.loads(pickle.dumps(error))),
    ],
    ids=["str", "format", "log", "traceback", "last line", "chain", "group", "pickled"],
)
def test_an_error_is_complete_wherever_it_is_shown(kind: type[EnvkitError], shown) -> None:
    error = an_error(kind)
    assert error.hints() == ["do this"]
    text = shown(error)
    for line in [*error.lines(), "hint: do this"]:
        assert line.strip() in text


@pytest.mark.parametrize("kind", EVERYWHERE)
def test_the_message_alone_is_complete_and_one_line(kind: type[EnvkitError]) -> None:
    """Error trackers use the attribute `message` instead of `str()`."""
    error = an_error(kind)
    assert "\n" not in error.message
    for failure in getattr(error, "failures", ()):
        for fact in (failure.name, failure.location, failure.error.message):
            assert fact in error.message


def test_an_error_without_a_hint_is_its_message() -> None:
    assert str(ProfileError("prod.toml:1: no")) == "prod.toml:1: no"


def test_a_message_that_is_made_more_precise_is_shown() -> None:
    error = ProfileError("no", hint="do this")
    error.message = f"prod.toml:1: {error.message}"
    assert str(error) == "prod.toml:1: no\nhint: do this"


def test_a_placeholder_error_is_a_profile_error() -> None:
    assert isinstance(an_error(PlaceholderError), ProfileError)

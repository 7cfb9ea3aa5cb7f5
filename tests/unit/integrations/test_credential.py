"""Whether the login of a connection is still the current one."""

import copy
import os
import traceback

import pytest

from envkit.errors import InvalidValueError
from envkit.integrations import credential as module
from envkit.integrations.asyncpg import arguments
from envkit.integrations.credential import Credential
from support.living import look, of_store, until


@pytest.fixture
def world(project, monkeypatch):
    monkeypatch.setattr(module, "SPREAD_SECONDS", 0.0)
    live, store = of_store(project)
    yield live, store
    live.close()


PARTS = {"user": "USER", "password": "PASSWORD"}


def opened(live, **options):
    credential = Credential(live, PARTS, **options)
    environment = live.snapshot().environment
    return credential.opened({name: environment[name] for name in credential.names})


def rotate(live, store, password, **more):
    generation = live.snapshot().generation
    store.rotate(password, **more)
    look(live)
    until(lambda: live.snapshot().generation > generation)


def test_a_connection_is_due_once_its_login_has_changed(world):
    live, store = world
    connection = opened(live)
    assert not connection.is_due()
    rotate(live, store, "new")
    assert connection.is_due()
    assert not opened(live).is_due()


def test_a_change_of_another_variable_closes_no_connection(world):
    live, store = world
    connection = opened(live)
    rotate(live, store, "old", mode="fast")
    assert not connection.is_due()


def test_a_login_that_comes_back_makes_its_connections_current_again(world):
    live, store = world
    connection = opened(live)
    rotate(live, store, "new")
    rotate(live, store, "old")
    assert not connection.is_due()


def test_without_recycle_no_connection_is_ever_due(world):
    live, store = world
    connection = opened(live, recycle=False)
    rotate(live, store, "new")
    assert not connection.is_due()


def test_connections_are_not_due_all_at_once(world, monkeypatch):
    monkeypatch.setattr(module, "SPREAD_SECONDS", 1e9)
    live, store = world
    connections = [opened(live) for _ in range(5)]
    rotate(live, store, "new")
    assert [connection.is_due() for connection in connections] == [False] * 5


def test_a_connection_of_another_process_is_inherited(world, monkeypatch):
    connection = opened(world[0])
    assert not connection.is_inherited()
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    assert connection.is_inherited()
    assert f"opened in process {parent}" in connection.fork_message()


def test_a_url_and_parts_give_their_texts(world):
    live, _ = world
    environment = live.snapshot().environment
    by_url, by_parts = Credential(live, "PASSWORD"), Credential(live, PARTS)
    assert (by_url.url(environment), by_url.parts(environment)) == ("old", {})
    assert (by_parts.url(environment), by_parts.parts(environment)) == (
        "",
        {"user": "app", "password": "old"},
    )


@pytest.mark.parametrize("login", [PARTS, "PASSWORD"], ids=["parts", "a URL"])
def test_a_value_that_no_driver_can_encode_is_refused_and_not_shown(world, login):
    live, store = world
    rotate(live, store, "canary-\udcff")
    credential, environment = Credential(live, login), live.snapshot().environment
    with pytest.raises(InvalidValueError, match="PASSWORD cannot be used to log in") as caught:
        (credential.parts if login == PARTS else credential.url)(environment)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
    shown = [str(caught.value), *(repr(frame.f_locals) for frame in frames)]
    assert "canary" not in " ".join(shown)
    assert caught.value.__context__ is None
    assert caught.value.hint.startswith("write the values" if login == PARTS else "write a URL")


@pytest.mark.parametrize(
    ("text", "is_usable"),
    [
        ("postgresql://app:x@h/db", True),
        ("postgres://app:x@[::1]:5432/db?a=b@c", True),
        ("postgresql:///db?host=/run", True),
        ("postgresql://a,b:1", True),
        ("postgresql://app:x@canary@h/db", False),
        ("mysql://app:x@h/db", False),
        ("", False),
    ],
)
def test_asyncpg_does_not_look_up_a_part_of_a_password(world, text, is_usable):
    live, store = world
    rotate(live, store, text)
    credential, environment = Credential(live, "PASSWORD"), live.snapshot().environment
    if is_usable:
        assert arguments(credential, environment) == {"dsn": text}
    else:
        with pytest.raises(InvalidValueError):
            arguments(credential, environment)


@pytest.mark.parametrize("login", [{}, "", {"username": "USER"}])
def test_a_login_without_known_parts_is_refused(world, login):
    with pytest.raises(TypeError, match="user, password, host, port, dbname"):
        Credential(world[0], login)


def test_a_copy_of_settings_shares_the_live_environment_and_shows_only_names(world):
    credential = Credential(world[0], PARTS)
    assert copy.deepcopy({"x": credential})["x"] is credential
    assert repr(credential) == "Credential(USER, PASSWORD)"

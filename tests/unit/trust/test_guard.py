"""The guard: what is not allowed is refused, a person is asked once, and only for what is new."""

from __future__ import annotations

import json
import os
import threading

import pytest

from envkit.errors import UntrustedError
from envkit.profile.loader import load
from envkit.trust.destination import READ, SEND, Destination
from envkit.trust.guard import Guard

VAULT = Destination(SEND, "https://vault.example.com", ("$VAULT_TOKEN",))
AWS = Destination(SEND, "https://aws.example.com", ("your AWS credentials",))


class Person:
    """Answers as they are told, and notes what they were asked."""

    def __init__(self, *, agrees=True):
        self.agrees = agrees
        self.asked = []

    def __call__(self, folder, destinations):
        self.asked.append((folder, destinations))
        return self.agrees


class World:
    """Two profiles, and a user who has allowed nothing yet."""

    def __init__(self, folder, home):
        self.folder = folder
        self.prod, self.dev = load("prod", folder), load("dev", folder)
        self.environ = {
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CONFIG_HOME": str(home / "config"),
        }

    def guard(self, person=None, **environ):
        warnings = []
        made = Guard({**self.environ, **environ}, ask=person, warn=warnings.append)
        made.warned = warnings
        return made


@pytest.fixture
def world(project, tmp_path):
    project.profile("prod.toml", "")
    project.profile("dev.toml", "")

    return World(str(project.profiles), tmp_path)


def test_destinations_that_are_not_allowed_are_refused_together(world):
    with pytest.raises(UntrustedError) as caught:
        world.guard().require([(world.prod, VAULT), (world.dev, AWS), (world.dev, VAULT)])
    error = caught.value
    assert (error.code, error.exit_status) == ("untrusted-profile", 6)
    assert error.message == (
        "prod and dev are not trusted with this: $VAULT_TOKEN to https://vault.example.com; "
        "your AWS credentials to https://aws.example.com"
    )
    assert error.hint == (
        "run 'envkit trust --env prod --env dev', or set ENVKIT_TRUST if there is no terminal"
    )


def test_the_user_is_asked_once_about_everything_new(world):
    person = Person()
    wanted = [(world.prod, VAULT), (world.dev, AWS)]
    guard = world.guard(person)
    assert guard.require(wanted)
    assert person.asked == [(os.path.realpath(world.folder), [VAULT, AWS])]
    assert not guard.require(wanted)
    assert not world.guard(person).require(wanted)
    more = VAULT._replace(gets=("$VAULT_TOKEN", "{{ env:X }}"))
    assert world.guard(person).require([(world.prod, more)])
    assert person.asked[1:] == [
        (os.path.realpath(world.folder), [VAULT._replace(gets=("{{ env:X }}",))])
    ]


def test_a_no_allows_nothing(world):
    person = Person(agrees=False)
    for _ in range(2):
        with pytest.raises(UntrustedError):
            world.guard(person).require([(world.prod, VAULT)])
    assert len(person.asked) == 2


def test_only_the_main_thread_may_ask(world):
    person = Person()
    refused = []

    def work():
        try:
            world.guard(person).require([(world.prod, VAULT)])
        except UntrustedError as error:
            refused.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (person.asked, len(refused)) == ([], 1)


def test_envkit_trust_1_trusts_everything(world):
    guard = world.guard(ENVKIT_TRUST="1")
    assert not guard.require([(world.prod, VAULT)])
    assert guard.may_leave(os.path.dirname(world.folder), "/etc/passwd")


def test_a_list_in_the_environment_replaces_stored_decisions(world):
    person = Person()
    world.guard(person).require([(world.prod, VAULT), (world.prod, AWS)])
    guard = world.guard(person, ENVKIT_TRUST="https://aws.example.com")
    guard.require([(world.prod, AWS)])
    with pytest.raises(UntrustedError) as caught:
        guard.require([(world.prod, VAULT)])
    hint = "add it to ENVKIT_TRUST, which trusts only the environments that it names"
    assert caught.value.hint == hint
    assert len(person.asked) == 1


def test_folders_in_the_configuration_of_the_user_are_trusted(world, tmp_path):
    config = tmp_path / "config" / "envkit" / "config.toml"
    config.parent.mkdir(parents=True)
    root = json.dumps(os.path.dirname(world.folder))
    config.write_text(f"trusted = [{root}]\nother = 1\n")
    guard = world.guard()
    assert not guard.require([(world.prod, VAULT)])
    assert len(guard.warned) == 1
    config.chmod(0o666)
    guard = world.guard()
    with pytest.raises(UntrustedError):
        guard.require([(world.prod, VAULT)])
    assert "other users can write to it" in guard.warned[0]


def test_decisions_of_another_process_apply_at_once(world):
    guard = world.guard()
    with pytest.raises(UntrustedError):
        guard.check(world.prod, [VAULT])
    other = world.guard()
    other.allow(os.path.realpath(world.folder), [VAULT])
    guard.check(world.prod, [VAULT])
    other.store.remove(os.path.realpath(world.folder), lambda _: False)
    with pytest.raises(UntrustedError):
        guard.check(world.prod, [VAULT])


def test_a_folder_is_identified_by_its_real_path(world, project):
    world.guard(Person()).require([(world.prod, VAULT)])
    link = project.root.parent / "link"
    link.symlink_to(project.root)
    world.guard().check(load("prod", str(link / "profiles")), [VAULT])
    copy = project.root.parent / "copy" / "profiles"
    copy.mkdir(parents=True)
    (copy / "prod.toml").write_text("")
    with pytest.raises(UntrustedError):
        world.guard().check(load("prod", str(copy)), [VAULT])


def test_a_link_to_trusted_profiles_does_not_trust_the_files_beside_it(world, project):
    world.guard(Person()).require([(world.prod, VAULT)])
    other = project.root.parent / "other"
    other.mkdir()
    (other / "profiles").symlink_to(world.folder)
    with pytest.raises(UntrustedError):
        world.guard().check(load("prod", str(other / "profiles")), [VAULT])


def test_a_file_outside_the_project_is_read_after_it_was_allowed(world):
    root = os.path.realpath(os.path.dirname(world.folder))
    guard = world.guard(Person())
    assert not guard.may_leave(root, "/etc/ca.pem")
    guard.require([(world.prod, Destination(READ, "/etc/ca.pem"))])
    assert guard.may_leave(root, "/etc/ca.pem")
    assert world.guard().may_leave(root, "/etc/ca.pem")
    assert not world.guard().may_leave(root, "/etc/passwd")
    assert not world.guard().may_leave("/elsewhere", "/etc/ca.pem")


def test_untrusted_profiles_are_named_among_several(world, project):
    table = '[rotation.x]\nsecret = "dotenv:X"\nrotator = "random"\nevery = "30d"\n'
    project.profile("dev.toml", table)
    project.profile("prod.toml", f'{table}before = [["./stop"]]\n')
    plain = '[sources.vault]\naddress = "http://vault"\n' + table.replace("dotenv:X", "vault:a#b")
    project.profile("third.toml", plain)
    profiles = [load(name, world.folder) for name in ("dev", "prod", "third")]
    rotations = [(profile, "x") for profile in profiles]
    refused = world.guard().before_rotations(rotations)
    assert list(refused) == ["third", "prod"]
    assert "runs ./stop" in refused["prod"].message
    assert "is http" in refused["third"].message
    assert list(world.guard().before_rotations(rotations, reading=True)) == ["third"]
    assert list(world.guard(Person()).before_rotations(rotations)) == ["third"]

"""The sides of a comparison: profiles at any time, files, processes, unreadable values."""

import os
from datetime import UTC, datetime

import pytest

import envkit
from envkit._internal.clock import Deadline
from envkit.comparison.sides import prepare_sides, read_names, read_sides
from envkit.errors import (
    AbsentError,
    AuthError,
    DeniedError,
    NoVersionError,
    ProfileError,
    ProfileNotFoundError,
    ProtocolError,
    ResolutionError,
    UnavailableError,
    UsageError,
)
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext, Version
from support.refusals import raising
from support.shelf import Shelf, SilentShelf


def day(number):
    """Noon of a day in January 2020, in seconds since the epoch."""
    return datetime(2020, 1, number, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def store():
    """A store with a secret of three versions, and one that was created on the third day."""
    made = MemorySource(SourceContext("vault", deadline=Deadline(10)))
    for number in (1, 2, 3):
        made.put("db", {"password": f"password-{number}"}, created=day(number))
    made.put("late", {"key": "key-of-day-3"}, created=day(3))
    return made


@pytest.fixture
def prod(project):
    def write(variables, name="prod"):
        text = f'lookup = []\n[sources.vault]\ntype = "memory"\n[variables]\n{variables}\n'
        return project.profile(f"{name}.toml", text)

    write('DB = "{{ vault:db#password }}"\nLATE = "{{ vault:late#key }}"\nMODE = "live"')
    return write


def values(side):
    return {name: value.reveal() for name, value in side.environment.items()}


def errors(side):
    return {failure.name: failure.error for failure in side.failures}


def read(names, **options):
    return read_sides(prepare_sides(names, **options))


def read_one(name, store, **options):
    [_, side] = read([name, name], sources={"vault": store}, environ={}, **options)
    return side


class TestProfiles:
    def test_a_profile_side_has_its_resolved_values(self, prod, store):
        side = read_one("prod", store)
        assert values(side) == {"DB": "password-3", "LATE": "key-of-day-3", "MODE": "live"}
        assert side.label == side.belongs_to == "prod"
        assert set(side.declared) == {"DB", "LATE", "MODE"}
        assert side.secret_names == {"DB", "LATE"}

    def test_globs_select_the_variables_of_a_side(self, prod, store):
        side = read_one("prod", store, only=["*D*", "LATE"], exclude=["MODE"])
        assert list(side.declared) == list(side.environment) == ["DB", "LATE"]

    def test_a_variable_that_is_only_needed_by_another_is_not_compared(self, prod, store):
        prod('BASE = "{{ vault:gone#x }}"\nURL = "http://{{ BASE }}"')
        side = read_one("prod", store, only=["URL"])
        assert list(errors(side)) == ["URL"]
        assert isinstance(errors(side)["URL"], AbsentError)

    def test_an_unknown_profile_is_an_error(self, prod, store):
        with pytest.raises(ProfileNotFoundError, match="known: prod"):
            read_one("staging", store)

    def test_a_failing_store_fails_only_its_variables(self, prod):
        failing = Shelf(breaks=UnavailableError("no answer"), name="vault", remote=True)
        side = read_one("prod", failing)
        assert values(side) == {"MODE": "live"}
        assert {type(error) for error in errors(side).values()} == {UnavailableError}

    def test_a_store_that_does_not_answer_fails_only_its_variables(self, prod):
        silent = SilentShelf(name="vault")
        side = read_one("prod", silent, timeout_seconds=0.05)
        silent.released.set()
        assert values(side) == {"MODE": "live"}

    def test_a_store_that_cannot_be_opened_fails_only_its_variables(self, project):
        project.profile(
            "prod.toml",
            '[sources.vault]\ntype = "vault"\naddress = "http://127.0.0.1:9"\n'
            'auth = { method = "token", token = "{{ env:NO_SUCH_TOKEN }}" }\n'
            '[variables]\nKEY = "{{ vault:secret/x#y }}"\nMODE = "live"\n',
        )
        [side, _] = read(["prod", "prod"], environ={})
        assert values(side) == {"MODE": "live"}
        assert isinstance(errors(side)["KEY"], AuthError)
        assert "NO_SUCH_TOKEN" in errors(side)["KEY"].message

    def test_an_invalid_profile_is_an_error(self, prod, project, store):
        prod('X = "{{ vault:db?stage=AWSCURRENT#password }}"')
        with pytest.raises(ResolutionError):
            read_one("prod", store)
        project.profile("prod.toml", "this is no TOML")
        with pytest.raises(ProfileError, match="not valid TOML"):
            read_one("prod", store)


class TestPointInTime:
    def test_a_version_applies_to_every_secret(self, prod, store):
        side = read_one("prod@v1", store)
        assert values(side) == {"DB": "password-1", "LATE": "key-of-day-3", "MODE": "live"}
        assert side.label == "prod@v1"
        assert side.belongs_to == "prod"

    @pytest.mark.parametrize(
        ("point", "password"),
        [
            ("2020-01-01T13:00Z", 1),
            ("2020-01-02T12:00Z", 2),
            ("2020-01-03T11:59Z", 2),
            ("2021-01-01", 3),
        ],
    )
    def test_a_time_selects_the_version_that_was_current_then(self, prod, store, point, password):
        side = read_one(f"prod@{point}", store)
        assert values(side)["DB"] == f"password-{password}"

    @pytest.mark.parametrize("point", ["v2", "2020-01-02"])
    def test_a_secret_created_later_is_missing(self, prod, store, point):
        found = errors(read_one(f"prod@{point}", store))
        assert list(found) == ["LATE"]
        assert isinstance(found["LATE"], AbsentError)
        assert "vault:late#key is missing" in found["LATE"].message

    def test_a_field_added_later_is_missing(self, prod, store):
        store.put("db", {"password": "password-4", "user": "app"}, created=day(4))
        prod('USER = "{{ vault:db#user }}"')
        assert isinstance(errors(read_one("prod@v3", store))["USER"], AbsentError)

    def test_a_version_pinned_in_the_profile_stays_pinned(self, prod, store):
        prod('DB = "{{ vault:db?version=2#password }}"')
        assert values(read_one("prod@v1", store)) == {"DB": "password-2"}

    def test_the_history_of_each_secret_is_requested_once(self, prod, store, monkeypatch):
        asked = []
        history = store.history
        monkeypatch.setattr(store, "remote", True, raising=False)
        monkeypatch.setattr(store, "history", lambda ref: asked.append(ref.path) or history(ref))
        prod('A = "{{ vault:db#password }}"\nB = "{{ vault:db#user }}"\nC = "{{ vault:late#key }}"')
        read_one("prod@v1", store)
        assert sorted(asked) == ["db", "db", "late", "late"]  # once for each of the two sides

    def test_a_dropped_deleted_or_destroyed_version_is_not_missing(self, prod):
        class Dropping(MemorySource):
            versions = (
                Version("7", day(7), None, "current"),
                Version("6", day(6), None, "deleted"),
            )

            def history(self, ref):
                return self.versions

        store = Dropping(SourceContext("vault", deadline=Deadline(10)))
        prod('DB = "{{ vault:db#password }}"')
        for point in ("v6", "v5", "2020-01-05", "2020-01-06T12:00Z"):
            assert isinstance(errors(read_one(f"prod@{point}", store))["DB"], NoVersionError)

    def test_a_rollback_at_an_unknown_time_is_in_doubt(self, prod):
        class RolledBack(MemorySource):
            def history(self, ref):
                current = Version("1", day(1), None, "current")
                return (current, Version("2", day(3), None, "previous"))

        store = RolledBack(SourceContext("vault", deadline=Deadline(10)))
        for text in ("first", "second"):
            store.put("db", {"password": text})
        prod('DB = "{{ vault:db#password }}"')
        assert values(read_one("prod@2020-01-02", store)) == {"DB": "first"}
        assert "rolled back" in errors(read_one("prod@2020-01-04", store))["DB"].message

    def test_the_backup_copy_of_a_file_is_its_previous_version(self, project):
        project.profile("dev.toml", '[variables]\nKEY = "{{ KEY }}"\nNEW = "{{ NEW }}"\n')
        for name, text, written in (
            (".env.dev", "KEY=now\nNEW=1\n", day(3)),
            (".env.dev.envkit-previous", "KEY=then\n", day(1)),
        ):
            (project.root / name).write_text(text)
            os.utime(project.root / name, (written, written))
        then, now, before = read(["dev@2020-01-02", "dev@2020-01-04", "dev@2019-01-01"], environ={})
        assert values(then) == {"KEY": "then"}
        assert values(now) == {"KEY": "now", "NEW": "1"}
        assert {type(error) for error in errors(before).values()} == {NoVersionError}

    def test_a_store_without_versions_is_an_error(self, prod):
        side = read_one("prod@v1", Shelf({"vault:db#password": "x"}, name="vault"))
        assert values(side) == {"MODE": "live"}
        assert errors(side)["DB"].message == "'vault' does not store versions"

    def test_a_failing_history_is_the_error_of_its_variables(self, prod, store, monkeypatch):
        monkeypatch.setattr(store, "history", raising(DeniedError("may not list versions")))
        assert isinstance(errors(read_one("prod@2020-01-02", store))["DB"], DeniedError)
        # a version that is named can be read all the same; only its absence is in doubt
        side = read_one("prod@v2", store)
        assert values(side)["DB"] == "password-2"
        assert isinstance(errors(side)["LATE"], DeniedError)

    def test_a_history_that_raises_shows_none_of_its_data(self, prod, store, monkeypatch):
        monkeypatch.setattr(store, "history", lambda ref: {}["secret-canary"])
        error = errors(read_one("prod@2020-01-02", store))["DB"]
        assert isinstance(error, ProtocolError)
        assert error.message == "the source 'vault' crashed: KeyError"

    def test_an_interrupt_in_a_history_is_not_swallowed(self, prod, store, monkeypatch):
        monkeypatch.setattr(store, "history", raising(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            read_one("prod@v1", store)


class TestFiles:
    def test_a_file_belongs_to_the_environment_with_its_name_as_alias(self, project):
        project.profile("prod.toml", 'aliases = ["live"]\n[variables]\n')
        (project.root / ".env.live").write_text("A=1\n")
        assert read(["file:.env.live", "prod"], environ={})[0].belongs_to == "prod"


class TestProcesses:
    def test_this_process_is_compared_only_in_variables_of_the_profiles(self, prod, store):
        environ = {"MODE": "test", "PATH": "/bin", "HOME": "/root"}
        _, side = read(["prod", "env:"], sources={"vault": store}, environ=environ)
        assert values(side) == {"MODE": "test"}
        assert side.left_out == 2
        assert side.belongs_to is None

    def test_processes_alone_are_compared_in_all_variables(self, project):
        environ = {"PATH": "/bin"}
        assert values(read(["env:", "env:"], environ=environ)[0]) == environ

    def test_a_running_process_can_be_compared_by_its_id(self, project):
        name = f"pid:{os.getpid()}"
        [side, _] = read([name, name], environ={})
        assert (side.label, side.assumed) == (name, True)
        assert "PATH" in values(side)


class TestNamesAlone:
    def test_comparing_names_opens_no_source(self, project):
        project.profile("prod.toml", '[variables]\nX = "{{ vault:secret/x#y }}"\n')
        project.dotenv("local", "A=1\nB=encrypted:x\n")
        (_, profile), (_, names) = read_names(["prod", "file:.env.local"], environ={})
        assert list(profile.variables) == ["X"]
        assert list(names) == ["A", "B"]

    def test_comparing_names_refuses_a_point_in_history(self, project):
        with pytest.raises(UsageError, match="does not read the stores"):
            read_names(["prod@v1", "prod"], environ={})


def test_the_library_compares_environments_by_name(project):
    project.profile("dev.toml", '[variables]\nMODE = "a"\nKEY = "{{ KEY }}"\n')
    project.profile("prod.toml", '[variables]\nMODE = "b"\n')
    project.dotenv("dev", "KEY=secret-canary\n")
    found = envkit.diff("dev", "prod")
    assert isinstance(found, envkit.EnvDiff)
    statuses = [(entry.name, entry.status) for entry in found.entries]
    assert statuses == [("KEY", "missing"), ("MODE", "different")]
    assert "canary" not in repr(found)

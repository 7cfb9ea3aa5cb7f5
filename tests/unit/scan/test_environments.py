"""Which environments a scan reads, and what it does with those that it cannot read."""

import os

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import ProfileNotFoundError, ResolutionError
from envkit.scan.environments import choose, files_of, read

AWAY = '[sources.vault]\naddress = "http://127.0.0.1:9"\n'


@pytest.fixture
def choosing(project, trusted):
    def act(*environments, has_reason=False, **more):
        return choose(
            environments,
            str(project.profiles),
            environ=os.environ,
            deadline=Deadline(5),
            has_reason=has_reason,
            **more,
        )

    return act


def names(chosen):
    return {one.profile.name: one.plan.selected for one in chosen.prepared}


def test_by_default_the_local_values_of_all_profiles_are_read(project, choosing):
    project.profile("base.toml", '[variables]\nA = "{{ A }}"\n')
    project.profile(
        "dev.toml",
        f'extends = "base"\n{AWAY}'
        '[variables]\nB = "{{ vault:secret/b#b }}"\nC = "{{ B }} x"\n',
    )
    project.profile("test.env", "D={{ dotenv:D }}\nLITERAL=x\n")
    project.profile("literal.toml", 'protected = true\n[variables]\nE = "x"\n')
    chosen = choosing()
    assert names(chosen) == {"dev": ("A",), "test": ("D",)}
    assert chosen.left_out == (
        "not searched for: 2 values of dev in remote stores; to read them, use --env dev",
    )


def test_named_environments_are_read_as_a_whole(project, choosing):
    project.profile(
        "dev.toml", f'{AWAY}[variables]\nA = "{{{{ A }}}}"\nB = "{{{{ vault:secret/b#b }}}}"\n'
    )
    project.profile("other.env", "C={{ C }}\n")
    chosen = choosing("dev")
    assert (names(chosen), chosen.left_out) == ({"dev": ("A", "B")}, ())


def test_an_environment_outside_its_hours_is_left_out_unless_it_is_named(project, choosing):
    project.profile("prod.toml", '[variables]\nA = "{{ A }}"\n')
    chosen = choosing(is_closed=lambda profile: profile.name == "prod")
    assert names(chosen) == {}
    [left_out] = chosen.left_out
    assert left_out == (
        "not searched for: the values of prod, because it is outside its hours; to read them, "
        "use --break-glass --reason TEXT"
    )
    assert names(choosing("prod", is_closed=lambda _: True)) == {"prod": ("A",)}


def test_a_protected_environment_needs_a_reason_or_its_name(project, choosing):
    project.profile("prod.toml", 'protected = true\n[variables]\nA = "{{ A }}"\n')
    assert names(choosing()) == {}
    assert choosing().left_out == (
        "not searched for: the values of prod, which is protected; to read them, use --reason",
    )
    assert names(choosing(has_reason=True)) == names(choosing("prod")) == {"prod": ("A",)}


def test_a_profile_that_is_not_valid_is_noted_unless_it_is_named(project, choosing):
    project.profile("bad.toml", '[variables]\nA = "{{ nosuch:a }}"\n')
    project.profile("worse.toml", "[variables\n")
    project.profile("dev.env", "B={{ B }}\n")
    chosen = choosing()
    assert names(chosen) == {"dev": ("B",)}
    assert [note.split(":")[1] for note in chosen.notes] == [
        " the values of worse",
        " the values of bad",
    ]
    with pytest.raises(ResolutionError):
        choosing("bad")


@pytest.mark.parametrize("environments", [(), ("dev",)])
def test_a_folder_without_the_profile_is_refused(project, choosing, environments):
    with pytest.raises(ProfileNotFoundError):
        choosing(*environments)


def test_values_are_read_with_the_names_that_they_have_in_their_store(project, choosing):
    project.profile(
        "dev.toml", '[variables]\nA = "{{ B }}/{{ C }}"\nB = "{{ X }}"\nD = "{{ NO }}"\n'
    )
    project.dotenv("dev", "X=1\nC=2\n")
    [one] = read(choosing(), Deadline(5))
    stored = {
        name: [(text.name, text.text.reveal()) for text in texts]
        for name, texts in one.stored.items()
    }
    assert stored == {"B": [("X", "1")], "A": [("C", "2"), ("X", "1")], "D": []}
    assert [variable.name for variable in one.variables] == ["A", "B"]
    assert (one.absent, one.failed) == (["D"], [])


def test_a_value_that_cannot_be_read_is_a_failure(project, choosing):
    project.profile("dev.toml", '[variables]\nA = "{{ A }}"\n')
    project.dotenv("dev", "A='open\n")
    [one] = read(choosing(), Deadline(5))
    assert [failure.name for failure in one.failed] == ["A"]


def test_the_files_of_the_values_are_known(project, choosing):
    project.profile("dev.toml", '[variables]\nA = "{{ A }}"\n')
    assert str(project.root / ".env.dev") in files_of(choosing().prepared)

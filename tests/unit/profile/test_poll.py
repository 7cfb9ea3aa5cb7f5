"""The setting `poll` of every source."""

from __future__ import annotations

import os

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import ProfileError
from envkit.profile.loader import load
from envkit.sources.registry import open_source, store_identity


def source_of(project, table):
    project.profile("prod.toml", f'[variables]\nA = "1"\n\n[sources.vault]\n{table}\n')
    profile = load("prod", str(project.profiles))
    return profile, profile.sources["vault"]


@pytest.mark.parametrize(
    ("table", "seconds"),
    [
        ("", None),
        ('poll = "30s"', 30.0),
        ('poll = "1s"', 1.0),
        ('poll = "1.5h"', 5400.0),
        ('poll = "90"', 90.0),
    ],
)
def test_poll_is_a_duration_of_a_second_or_more(project, table, seconds):
    _, spec = source_of(project, table)
    assert spec.poll_seconds == seconds


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ('"999ms"', "is shorter than a second"),
        ('"0"', "is shorter than a second"),
        ('"often"', "is not a duration"),
        ('""', "is not a duration"),
        ("30", "is not a duration"),
        ("true", "is not a duration"),
        ('["30s"]', "is not a duration"),
        ('"{{ env:POLL }}"', "is not a duration"),
    ],
)
def test_any_other_value_is_refused_with_its_place(project, setting, complaint):
    with pytest.raises(ProfileError) as refused:
        source_of(project, f"poll = {setting}")
    assert refused.value.message == f"profiles/prod.toml:5: [sources.vault]: 'poll' {complaint}"
    assert refused.value.hint.startswith('write poll = "')


def test_the_last_of_the_files_of_a_profile_wins(project):
    project.profile("base.toml", '[sources.vault]\npoll = "5m"\naddress = "https://vault"\n')
    project.profile("prod.toml", 'extends = ["base"]\n[sources.vault]\npoll = "10s"\n')
    project.profile("dev.toml", 'extends = ["base"]\n[sources.vault]\nmount = "secret"\n')
    seconds = {
        name: load(name, str(project.profiles)).sources["vault"].poll_seconds
        for name in ("base", "prod", "dev")
    }
    assert seconds == {"base": 300.0, "prod": 10.0, "dev": 300.0}


def test_sources_do_not_see_it_and_it_makes_no_other_store(project):
    with_it, spec = source_of(project, 'poll = "30s"')
    assert spec.settings == {}
    without, _ = source_of(project, "")
    assert store_identity(with_it, "vault") == store_identity(without, "vault")


def test_a_misspelt_poll_gets_a_hint(project):
    profile, _ = source_of(project, 'pol = "30s"')
    with pytest.raises(ProfileError) as refused:
        open_source(profile, "vault", environ=os.environ, deadline=Deadline(10))
    assert refused.value.hint == "did you mean 'poll'?"

"""A drill resolves the profiles of a backup from nothing but the backup."""

import os

import pytest

from envkit.backup import replay
from envkit.backup.drill import drill
from envkit.backup.format import EnvironmentBackup, Failed, LeftOut
from envkit.profile.placeholder import Reference, parse_reference
from support.backups import backup_of, saved
from support.kills import killed_at

BASE = '[variables]\nPORT = { value = "{{ dotenv:PORT }}", type = "port" }\n'
PROD = """\
extends = "base"
lookup = ["dotenv"]
[variables]
URL = "pg://app:{{ vault:db#password | urlencode }}@db:{{ PORT }}"
NAME = "{{ NAME }}"
NOTE = { value = "{{ vault:db#note }}", required = false }
"""
PORT = parse_reference("dotenv:PORT")
SECRETS = {
    "port": saved("dotenv:PORT", "5432"),
    "password": saved("vault:db#password", "p@ss"),
    "name": saved("dotenv:#NAME", "shop"),
    "note": saved("vault:db#note", None),
}


def environment(*, profiles=None, left_out=(), failed=(), **secrets):
    texts = {"prod.toml": PROD, "base.toml": BASE} if profiles is None else profiles
    entries = {**SECRETS, **secrets}
    return EnvironmentBackup(
        "prod", texts, tuple(one for one in entries.values() if one), left_out, failed
    )


def drilled(*environments):
    report = drill(backup_of(*environments))
    return report, [str(failure) for failure in report.failures]


def test_every_variable_gets_its_value_from_the_backup_alone(monkeypatch):
    monkeypatch.setenv("NAME", "another")  # nothing is read from the process environment
    report, failures = drilled(environment())
    assert failures == []
    assert report.error is None
    assert [(one.name, one.resolved, one.not_covered) for one in report.environments] == [
        ("prod", 3, ())
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"password": saved("vault:db#password", None)}, "URL (profiles/prod.toml:4)"),
        ({"password": None}, "the backup does not have vault:db#password"),
        ({"port": saved("dotenv:PORT", "no port")}, "PORT (profiles/base.toml:2)"),
        ({"name": saved("dotenv:#NAME", None)}, "NAME (profiles/prod.toml:5)"),
        ({"profiles": {"prod.toml": "this is no TOML"}}, "profile (in the backup)"),
        ({"profiles": {"prod.toml": PROD}}, "profile (in the backup)"),
        ({"profiles": {}}, "profile (in the backup)"),
        ({"profiles": {"../prod.toml": PROD}}, "has a name that no file can have"),
        ({"profiles": {"prod\0.toml": PROD}}, "has a name that no file can have"),
        ({"profiles": {f"{'a' * 300}.toml": PROD}}, "cannot write the profiles of the backup"),
        (
            {"failed": (Failed(("[rotation.db]",), "vault:admin#url", "access-denied", "denied"),)},
            "[rotation.db] (vault:admin#url)",
        ),
    ],
)
def test_a_variable_without_a_valid_value_fails_the_drill(changes, told):
    report, failures = drilled(environment(**changes))
    assert any(told in failure for failure in failures), failures
    assert not any("envkit-backup-" in failure for failure in failures), failures
    assert report.error.exit_status == 1


def test_secrets_that_no_backup_can_have_do_not_fail_a_drill():
    dynamic = Reference("vault", "database/creds/app", "username")
    report, failures = drilled(
        environment(
            profiles={
                "prod.toml": "[variables]\n"
                'USER = "{{ vault:database/creds/app#username }}"\n'
                'DSN = "pg://{{ USER }}@db"\n'
                'CI = "{{ env:CI_TOKEN }}"\n'
                'NAME = "{{ NAME }}"\n'
            },
            left_out=(LeftOut(("USER",), dynamic, "vault:x", "dynamic"),),
        )
    )
    assert failures == []
    assert [(one.resolved, one.not_covered) for one in report.environments] == [
        (1, ("CI", "DSN", "USER"))
    ]


def test_one_environment_does_not_stop_the_drill_of_another():
    broken = environment(profiles={"prod.toml": "this is no TOML"})
    report, failures = drilled(broken, environment())
    assert len(failures) == 1
    assert [one.resolved for one in report.environments] == [0, 3]


def test_a_killed_drill_leaves_no_profile_after_the_next_one(monkeypatch, tmp_path):
    monkeypatch.setattr(replay, "_MEMORY", str(tmp_path))
    backup = backup_of(environment())
    number = 1
    left = []
    while killed_at(number, lambda: drill(backup), "envkit-backup-"):
        left += os.listdir(tmp_path)
        drill(backup)
        assert os.listdir(tmp_path) == []
        number += 1
    assert left, "no kill left a folder"

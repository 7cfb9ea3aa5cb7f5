"""Output and decisions of `envkit trust`, for people and programs."""

from __future__ import annotations

import json

import pytest

from support.process import run_envkit, run_here
from support.rotating import table

ADDRESS = "https://vault.example.com:8200"
PROFILE = f'[sources.vault]\naddress = "{ADDRESS}"\n[variables]\nA = "{{{{ vault:kv/a#a }}}}"\n'
OUTSIDE = '[variables]\nS = "{{ dotenv:/etc/hostname#S }}"\n'
QUESTION = "Allow this? [y/N]"


@pytest.fixture
def shop(project, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    project.environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    project.profile("prod.toml", PROFILE)
    project.profile("dev.env", "A=1\n")
    return project


def on_terminal(shop, answer, *arguments):
    return shop.on_terminal("trust", *arguments, answers=[(QUESTION, answer)])


def test_trust_shows_what_is_new_and_records_a_yes(shop):
    shown, status = on_terminal(shop, "y\n")
    assert status == 0
    assert shown == (
        f"envkit: the profiles in {shop.profiles} need your trust:\n"
        f"  1. $VAULT_TOKEN to {ADDRESS}\n"
        f"{QUESTION} y\n"
        "allowed; run 'envkit trust --revoke' to undo this\n"
    )
    assert run_here("trust").stdout == "nothing to trust: everything is already allowed\n"


@pytest.mark.parametrize("answer", ["n\n", "\n", "yeah\n"])
def test_trust_records_nothing_for_an_answer_other_than_yes(shop, answer):
    shown, status = on_terminal(shop, answer)
    assert status == 6
    assert shown.endswith("nothing was allowed\n")
    assert run_here("trust", "--list").stdout.startswith("STATUS       PROFILES")


def test_trust_without_a_terminal_exits_with_6_and_a_hint(shop):
    done = run_here("trust")
    assert done.returncode == 6
    assert "set ENVKIT_TRUST" in done.stderr


def test_trust_reports_that_a_profile_needs_none(shop):
    done = run_here("trust", "--env", "dev")
    assert (done.returncode, done.stdout) == (0, "nothing to trust: no profile needs trust\n")


def test_trust_list_as_json_has_every_destination(shop):
    done = run_here("trust", "--list", "--format", "json")
    assert done.returncode == 0
    token = {"kind": "send", "where": ADDRESS, "gets": ["$VAULT_TOKEN"], "why": ""}
    found = {**token, "unencrypted": False, "profiles": ["prod"], "trusted": False}
    assert json.loads(done.stdout) == {"destinations": [found]}
    trusted = run_here("trust", "--list", "--format", "json", env={"ENVKIT_TRUST": "1"})
    assert json.loads(trusted.stdout)["destinations"][0]["trusted"] is True


def test_trust_in_one_profile_can_be_revoked(shop):
    shop.profile("other.toml", PROFILE.replace("vault.", "other."))
    on_terminal(shop, "y\n")
    done = run_here("trust", "--revoke", "--env", "other")
    assert done.stdout == "no longer trusted: $VAULT_TOKEN to https://other.example.com:8200\n"
    assert run_here("trust", "--env", "prod").returncode == 0
    assert run_here("trust", "--env", "other").returncode == 6
    assert "vault.example.com" in run_here("trust", "--revoke").stdout
    assert run_here("trust", "--revoke").stdout == "nothing was trusted\n"


def test_trust_continues_after_a_profile_that_cannot_be_read(shop):
    shop.profile("broken.toml", "x = [")
    done = run_here("trust", "--list")
    assert "vault.example.com" in done.stdout
    assert "envkit: warning: profiles/broken.toml:" in done.stderr


def test_trust_refuses_options_that_exclude_each_other(shop):
    assert run_here("trust", "--list", "--revoke").returncode == 2
    assert run_here("trust", "--format", "json").returncode == 2


@pytest.fixture
def outside(tmp_path):
    """A file of values outside the project."""
    path = tmp_path / "outside" / "away.env"
    path.parent.mkdir()
    path.write_text("SECRET=canary-6610\n")
    return path


def test_trust_asks_about_a_linked_profile_before_it_reads_it(shop, outside):
    (shop.profiles / "linked.env").symlink_to(outside)
    assert run_here("show", "--env", "linked").returncode == 6
    shown, _ = on_terminal(shop, "y\n", "--env", "linked")
    assert f"reads {outside}, outside the project, as a profile" in shown
    assert run_here("get", "SECRET", "--env", "linked").stdout == "canary-6610"


def test_text_of_a_profile_cannot_control_the_terminal(shop):
    shop.profile("prod.toml", table("x", "A", 'before = [["\\u001b[2Jx\\u202ey"]]'))
    shown, _ = on_terminal(shop, "n\n")
    assert "runs '\\x1b[2Jx\\u202ey'" in shown


@pytest.mark.parametrize("folder", ["profiles", "conf", "linked"])
def test_trust_covers_profiles_elsewhere_in_a_folder_of_any_name(shop, outside, folder):
    if folder == "linked":
        (shop.root / folder).symlink_to(outside.parent)
    else:
        (shop.root / folder).mkdir(exist_ok=True)
        (shop.root / folder / "away.env").symlink_to(outside)
    get = ("get", "SECRET", "--env", "away", "--profiles", folder)
    assert run_here(*get).returncode == 6
    on_terminal(shop, "y\n", "--env", "away", "--profiles", folder)
    assert run_here(*get).stdout == "canary-6610"


def test_a_clone_that_is_a_profile_folder_does_not_own_the_files_beside_it(tmp_path):
    other = tmp_path / "src" / "other"
    other.mkdir(parents=True)
    (other / ".env").write_text("S=canary-of-another-project\n")
    clone = tmp_path / "src" / "profiles"
    (clone / ".git").mkdir(parents=True)
    (clone / "prod.toml").write_text('[variables]\nS = "{{ dotenv:other/.env#S }}"\n')
    for arguments in ((), ("--profiles", ".")):
        done = run_envkit("get", "S", "--env", "prod", *arguments, cwd=clone)
        assert done.returncode == 6, done.stdout
        assert "canary" not in done.stdout + done.stderr
        assert "trust" in done.stderr


def test_a_submodule_of_profiles_belongs_to_the_surrounding_project(project):
    project.profile("prod.toml", '[variables]\nS = "{{ dotenv:conf/.env#S }}"\n')
    (project.profiles / ".git").write_text("gitdir: ../.git/modules/profiles\n")
    (project.root / "conf").mkdir()
    (project.root / "conf" / ".env").write_text("S=ours\n")
    assert project.run("get", "S", "--env", "prod").stdout == "ours"


def test_trust_explains_that_a_list_in_the_environment_replaces_decisions(project):
    project.profile("prod.toml", OUTSIDE)
    done = project.run("trust", env={"ENVKIT_TRUST": "https://vault.example.com"})
    assert done.returncode == 6
    assert "ENVKIT_TRUST lists what is trusted" in done.stderr


def test_trust_list_continues_after_an_unencrypted_address(project):
    project.profile("bad.toml", PROFILE.replace("https:", "http:"))
    project.profile("good.toml", OUTSIDE)
    done = project.run("trust", "--list")
    assert done.returncode == 0
    assert "/etc/hostname" in done.stdout
    assert "warning: profiles/bad.toml:2" in done.stderr

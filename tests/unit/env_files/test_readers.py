"""Each `.env` file that a profile with access rules reads is found, wherever the command runs."""

import os

import pytest

from envkit._internal.clock import Deadline
from envkit.env_files.readers import guarded_readers

RULES = "[access]\nreason = true\n"
GUARDED = f"""{RULES}
[sources.dotenv]
path = [".env", "config/{{{{ env:WHERE }}}}.env", ".env.local"]
[sources.other]
type = "dotenv"
[variables]
X = "{{{{ other:named.env#X }}}}"
"""


def readers(path, profiles=None):
    environ = {**os.environ, "WHERE": "here"}
    return [one.name for one in guarded_readers(str(path), profiles, environ, Deadline(60))]


@pytest.fixture
def root(project, tmp_path, monkeypatch):
    """The folder of a project, in which the command does not run."""
    project.profile("prod.toml", GUARDED)
    project.profile("eu.toml", f'{RULES}\n[sources.dotenv]\npath = [".env", ".env.eu"]\n')
    project.profile("dev.toml", '[sources.dotenv]\npath = [".env", ".env.dev"]\n')
    project.profile("wrong.toml", f"{RULES}\n[sources.dotenv]\npath = 7\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return project.root


@pytest.mark.parametrize(
    ("file", "names"),
    [
        (".env", ["eu", "prod"]),
        (".env.local", ["prod"]),
        ("config/here.env", ["prod"]),
        ("named.env", ["prod"]),
        (".env.prod", ["prod"]),
        (".env.eu", ["eu"]),
        (".env.eu.envkit-previous", ["eu"]),
        (".env.dev", []),
        ("config/.env.eu", []),
    ],
)
def test_every_file_that_a_profile_reads_is_a_file_of_the_profile(root, file, names):
    assert readers(root / file) == names


@pytest.mark.parametrize(
    "wrong",
    [
        (
            '[sources.dotenv]\npath = "{{ env:NOT_SET }}"\n'
            '[sources.other]\ntype = "dotenv"\npath = ".env.eu"\n'
        ),
        '[variables]\nX = "{{ typo:x }}"\n',
        '[variables]\nX = "{{ Y }}"\nY = "{{ X }}"\n',
    ],
)
def test_a_mistake_elsewhere_in_a_profile_does_not_lift_its_rules(root, wrong):
    (root / "profiles" / "eu.toml").write_text(f"{RULES}\n{wrong}")
    assert readers(root / ".env.eu") == ["eu"]


def test_a_link_and_what_it_leads_to_are_the_same_file(root, tmp_path):
    real = tmp_path / "real.env"
    real.write_text("")
    (root / ".env.eu").symlink_to(real)
    (tmp_path / "link").symlink_to(root / ".env.eu")
    assert readers(root / ".env.eu") == ["eu"]
    assert readers(tmp_path / "link") == [], "no folder of profiles is above it or its target"
    assert readers(tmp_path / "link", str(root / "profiles")) == ["eu"]


def test_projects_within_a_project_all_count(root):
    inner = root / "service"
    (inner / "profiles").mkdir(parents=True)
    (inner / "profiles" / "prod.toml").write_text(f"{RULES}\n")
    assert readers(inner / ".env.prod") == ["prod"]
    assert readers(root / ".env.prod") == ["prod"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_profiles_of_another_user_have_no_say(root):
    os.chown(root / "profiles", 12345, 12345)
    assert readers(root / ".env.eu") == []

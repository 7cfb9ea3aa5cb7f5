"""The example profiles of this repository load and resolve."""

import shutil
from pathlib import Path

import pytest

from envkit import resolve
from envkit.profile.discovery import profile_names
from envkit.profile.loader import load
from envkit.resolution.plan import plan

FOLDER = str(Path(__file__).parents[2] / "profiles")
NAMES = profile_names(FOLDER)
VARIABLES = ["DATABASE_URL", "NODE_ENV", "REDIS_URL"]


def test_repo_has_an_example_profile_for_each_environment():
    assert NAMES == ["base", "dev", "prod", "staging"]
    assert Path(FOLDER, "staging.env").is_file()  # one in the form that teams have


@pytest.mark.parametrize("name", NAMES)
def test_each_repo_profile_loads_and_can_be_planned(name):
    profile = load(name, FOLDER)
    assert sorted(profile.variables) == VARIABLES
    assert plan(profile, profile.variables).selected == tuple(profile.variables)
    assert profile.warnings == []


@pytest.mark.parametrize(("alias", "name"), [("development", "dev"), ("production", "prod")])
def test_repo_profiles_have_aliases(alias, name):
    assert load(alias, FOLDER).name == name


@pytest.mark.parametrize(
    ("name", "prefix", "node_env"),
    [
        ("dev", None, "development"),
        ("staging", "STAGING", "staging"),
        ("prod", "PROD", "production"),
    ],
)
def test_each_repo_profile_resolves_with_injected_variables(tmp_path, name, prefix, node_env):
    # away from the .env files of a developer
    copied = shutil.copytree(FOLDER, tmp_path / "profiles")
    database, redis = "postgresql://localhost:5432/myapp_dev", "redis://localhost:6379"
    injected = {}
    if prefix is not None:
        database, redis = f"postgresql://u:p@{name}:5432/app", f"rediss://{name}:6379"
        injected = {f"{prefix}_DB_URL": database, f"{prefix}_REDIS_URL": redis}
    found = resolve(name, profiles=str(copied), environ=injected)
    expected = {"NODE_ENV": node_env, "DATABASE_URL": database, "REDIS_URL": redis}
    assert {key: value.reveal() for key, value in found.items()} == expected
    assert found.secret_names() == (set() if prefix is None else {"DATABASE_URL", "REDIS_URL"})

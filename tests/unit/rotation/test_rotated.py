"""Which rotation changes a value, however the value and the rotation are written."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import ProfileError
from envkit.profile.loader import load
from envkit.profile.placeholder import parse_reference
from envkit.rotation.rotated import find_rotations
from envkit.sources.registry import open_source
from support.rotating import table

ENVIRON = {"VAULT_ADDR": "http://127.0.0.1:1", "AWS_DEFAULT_REGION": "eu-west-1"}
SOURCES = """\
[sources.vault]
mount = "secret"
prefix = "shop"
[sources.aws]
type = "aws-secrets-manager"
prefix = "shop/"
[sources.files]
type = "dotenv"
path = [".env.shared", ".env.prod"]
[sources.memory]
type = "memory"
[sources.root]
type = "vault"
mount = "secret"
auth = { token = "x" }
"""
ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret"


def rotation_of(project, text, profile="prod"):
    """Return the name of the rotation of a reference in a profile."""
    loaded = load(profile, str(project.profiles))
    reference = parse_reference(text)
    deadline = Deadline(15)
    source = open_source(loaded, reference.source, environ=ENVIRON, deadline=deadline)
    found = find_rotations(loaded, environ=ENVIRON, deadline=deadline)(source, reference)
    return None if found is None else found.full_name


@pytest.mark.parametrize(
    ("secret", "others", "not_others"),
    [
        (
            "vault:db#password",
            [
                "vault:db#password",
                "vault:/secret/shop/db#password",
                "vault:db",
                "root:shop/db#password",
            ],
            ["vault:db#user", "vault:db2#password", "aws:db#password", "memory:db#password"],
        ),
        (
            "aws:db#password",
            ["aws:db#password", "aws:/shop/db#password", f"aws:{ARN}:shop/db-Ab12Cd#password"],
            ["aws:db#user", f"aws:{ARN}:shop/other-Ab12Cd#password", "vault:db#password"],
        ),
        (f"aws:{ARN}:shop/db-Ab12Cd#password", ["aws:db#password"], ["aws:db2#password"]),
        ("aws:key", ["aws:key", "aws:key#field"], ["aws:key2"]),
        (
            "dotenv:PASSWORD",
            [
                "dotenv:PASSWORD",
                "dotenv:.env.prod#PASSWORD",
                "dotenv:./.env.prod#PASSWORD",
                "dotenv:linked#PASSWORD",
                "files:PASSWORD",
            ],
            ["dotenv:OTHER", "dotenv:.env.shared#PASSWORD", "memory:PASSWORD"],
        ),
    ],
)
def test_the_rotation_of_a_value_is_found_by_every_spelling(project, secret, others, not_others):
    project.profile("prod.toml", table("db", secret) + SOURCES)
    project.dotenv("prod", "PASSWORD=x\nOTHER=x\n")
    project.dotenv("shared", "SHARED=x\n")
    (project.root / "linked").symlink_to(".env.prod")
    assert {text: rotation_of(project, text) for text in others} == dict.fromkeys(others, "prod/db")
    assert [text for text in not_others if rotation_of(project, text)] == []


def test_every_field_that_a_rotator_changes_is_rotated(project):
    project.profile(
        "prod.toml", table("db", "vault:db#key", 'target = { previous_field = "old" }') + SOURCES
    )
    found = {name: rotation_of(project, f"vault:db#{name}") for name in ("key", "old", "user")}
    assert found == {"key": "prod/db", "old": "prod/db", "user": None}


def test_a_rotation_in_another_profile_is_found(project):
    project.profile("prod.toml", SOURCES)
    project.profile("jobs.toml", SOURCES + table("db", "vault:db#password"))
    project.profile("broken.toml", "[rotation.x]\n")
    assert rotation_of(project, "vault:db#password") == "jobs/db"
    assert rotation_of(project, "vault:db#user") is None


def test_a_rotation_in_the_profile_itself_has_priority(project):
    project.profile("base.toml", SOURCES + table("db", "vault:db#password"))
    for name in ("a", "b"):
        project.profile(f"{name}.toml", 'extends = "base"\n')
    for name in ("a", "b", "base"):
        assert rotation_of(project, "vault:db#password", name) == f"{name}/db"


def test_a_broken_rotation_of_the_profile_may_rotate_any_value(project):
    project.profile("prod.toml", SOURCES + table("db", "vault:db#password") + "[rotation.x]\n")
    assert rotation_of(project, "vault:db#password") == "prod/db"
    with pytest.raises(ProfileError, match=r"rotation\.x"):
        rotation_of(project, "vault:db#user")

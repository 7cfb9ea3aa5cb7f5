"""The catalog has the rotations of all profiles, each secret once, and reports conflicts."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import ProfileError, ProfileNotFoundError, UsageError
from envkit.rotation.catalog import collect, pick

TABLE = '[rotation.{name}]\nsecret = "{secret}"\nrotator = "random"\nevery = "{every}"\n'
VAULT = '[sources.vault]\nmount = "secret"\nprefix = "{prefix}"\n'


def table(name="db", secret="vault:db#password", every="30d"):
    return TABLE.format(name=name, secret=secret, every=every)


def found(project, *environments, environ=None):
    environ = {"VAULT_ADDR": "http://127.0.0.1:1"} if environ is None else environ
    return collect(str(project.profiles), environments, environ=environ, deadline=Deadline(5))


def names(collected):
    return [one.full_name for one in collected.rotations]


def test_catalog_has_the_rotations_of_every_profile(project):
    project.profile("prod.toml", VAULT.format(prefix="prod") + table() + table("a", "vault:a#b"))
    project.profile("staging.toml", VAULT.format(prefix="staging") + table())
    project.profile("dev.env", "A=1\n")
    assert names(found(project)) == ["prod/a", "prod/db", "staging/db"]
    assert names(found(project, "staging")) == ["staging/db"]
    places = [one.location for one in found(project).rotations]
    assert places[1:] == ["vault:secret/prod/db#password", "vault:secret/staging/db#password"]


def test_a_rotation_in_a_base_belongs_to_the_profiles_that_extend_it(project):
    project.profile("base.toml", table())
    for name in ("prod", "staging"):
        project.profile(f"{name}.toml", f'extends = "base"\n{VAULT.format(prefix=name)}')
    assert names(found(project)) == ["prod/db", "staging/db"]
    project.profile("base.toml", VAULT.format(prefix="base") + table())
    assert names(found(project, "base")) == ["base/db"], "unless it is named"


def test_a_secret_that_several_profiles_share_is_rotated_once(project):
    project.profile("base.toml", VAULT.format(prefix="shared") + table())
    project.profile("prod.toml", 'extends = "base"\naliases = ["live"]\n')
    project.profile("staging.toml", 'extends = "base"\n')
    (one,) = found(project).rotations
    assert (one.full_name, one.shared) == ("prod/db", ("prod", "staging"))
    for environment in ("staging", "live"):
        assert names(found(project, environment)) == ["prod/db"], (
            "whichever environment is asked for"
        )
    assert pick([one], ["staging/db"]) == [one]


@pytest.mark.parametrize(
    "other",
    [
        table("database"),
        table(every="7d"),
        table(secret="vault:/secret/shared/db#password", every="7d"),
        table("database", "other:shared/db#password")
        + '[sources.other]\ntype = "vault"\nmount = "secret"\n',
    ],
    ids=["another name", "another time", "another spelling", "another source"],
)
def test_two_different_rotations_of_one_secret_are_both_broken(project, other):
    vault = VAULT.format(prefix="shared")
    project.profile("prod.toml", vault + table())
    project.profile("staging.toml", vault + other)
    with pytest.raises(ProfileError) as caught:
        found(project)
    assert "prod/db (profiles/prod.toml:5)" in caught.value.message
    assert "(profiles/staging.toml:5)" in caught.value.message
    assert "vault:secret/shared/db#password" in caught.value.message


def test_two_rotations_of_one_secret_in_one_profile_are_both_broken(project):
    project.profile("prod.toml", table("a", "dotenv:KEY") + table("b", "dotenv:KEY"))
    with pytest.raises(ProfileError, match="rotate the same secret"):
        found(project)


def test_equal_paths_in_different_stores_are_different_secrets(project):
    for name in ("prod", "staging"):
        address = f'address = "http://{name}.example.com"\n'
        project.profile(f"{name}.toml", VAULT.format(prefix="x") + address + table())
    assert names(found(project)) == ["prod/db", "staging/db"]


def test_an_unreadable_profile_hides_no_rotation_of_another(project):
    project.profile("prod.toml", table(secret="dotenv:KEY"))
    project.profile("broken.toml", "[rotation.db]\nnonsense = 1\n")
    project.profile("worse.toml", "= no TOML")
    collected = found(project)
    assert names(collected) == ["prod/db"]
    assert set(collected.broken) == {"broken/db", "worse"}
    assert "unknown key 'nonsense'" in collected.broken["broken/db"].message
    assert found(project, "prod").broken == {}
    assert set(found(project, "worse").broken) == {"worse"}


def test_an_invalid_table_hides_no_other_rotation_of_its_profile(project):
    wrong = "[rotation.wrong]\nnonsense = 1\n"
    project.profile("prod.toml", table(secret="dotenv:KEY") + wrong)
    collected = found(project)
    assert names(collected) == ["prod/db"]
    assert set(collected.broken) == {"prod/wrong"}


def test_an_impossible_secret_name_breaks_only_its_rotation(project):
    project.profile("prod.toml", table("a", "dotenv:KEY") + table("b", "dotenv:~/x#KEY"))
    collected = found(project)
    assert names(collected) == ["prod/a"]
    assert set(collected.broken) == {"prod/b"}


def test_an_unknown_profile_is_an_error(project):
    project.profile("prod.toml", table(secret="dotenv:KEY"))
    with pytest.raises(ProfileNotFoundError):
        found(project, "prd")


def test_pick_selects_rotations_by_name(project):
    project.profile("prod.toml", table("db", "dotenv:A") + table("api", "dotenv:B"))
    project.profile("staging.toml", table("db", "dotenv:A"))
    rotations = found(project).rotations
    assert [one.full_name for one in pick(rotations, ["api", "staging/db"])] == [
        "prod/api",
        "staging/db",
    ]
    with pytest.raises(UsageError, match="is ambiguous: prod/db and staging/db"):
        pick(rotations, ["db"])
    with pytest.raises(UsageError) as caught:
        pick(rotations, ["prod/ap"])
    assert caught.value.hint == "did you mean 'prod/api'?"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("vault:db#password", "vault:/secret/db#password"),
        ("aws:db#password", "aws:/team/db#password"),
        ("dotenv:KEY", "dotenv:.env.shared#KEY"),
    ],
)
def test_one_secret_in_two_spellings_is_rotated_once(project, first, second):
    sources = {
        "vault": '[sources.vault]\nmount = "secret"\n',
        "aws": '[sources.aws]\ntype = "aws-secrets-manager"\nprefix = "team/"\n',
        "dotenv": '[sources.dotenv]\npath = ".env.shared"\n',
    }
    head = sources[first.partition(":")[0]]
    project.profile("prod.toml", head + table("key", first))
    project.profile("staging.toml", head.replace('path = ".env.shared"', "") + table("key", second))
    (rotation,) = found(project).rotations
    assert rotation.shared == ("prod", "staging")

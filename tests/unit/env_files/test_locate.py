"""The file of an environment is the one that its profile reads, or the one that the user names."""

import os

import pytest

from envkit.env_files.locate import locate
from envkit.errors import EnvkitError, ProfileNotFoundError, UsageError


def found(*environments, file=None, environ=None):
    return locate(environments, file, profiles=None, environ={**os.environ, **(environ or {})})


@pytest.mark.parametrize(
    ("source", "existing", "expected"),
    [
        ("", [], ".env.prod"),
        ("", [".env.production"], ".env.production"),
        ("", [".env.prod", ".env.production"], ".env.prod"),
        ('path = "config/app.env"', [], "config/app.env"),
        ('path = [".env", ".env.prod"]', [".env"], ".env.prod"),
        ('path = [".env.prod", ".env.prod.local"]', [".env.prod.local"], ".env.prod"),
        ('path = [".env.local", ".env.prod.local"]', [], ".env.prod.local"),
        ('path = "{{ env:WHERE }}/x.env"', [], "there/x.env"),
    ],
)
def test_the_file_is_the_last_one_of_the_profile_that_the_team_shares(
    project, source, existing, expected
):
    project.profile("prod.toml", f'aliases = ["production"]\n[sources.dotenv]\n{source}\n')
    for name in ("config", "there"):
        (project.root / name).mkdir()
    for name in existing:
        (project.root / name).write_text("")
    one = found("production", environ={"WHERE": "there"})
    assert (one.environment, one.name, one.option) == ("prod", expected, "--env prod")
    assert one.path == one.beside == str(project.root / expected)


def test_the_first_source_of_dotenv_files_in_the_lookup_is_used(project):
    project.profile(
        "prod.toml",
        'lookup = ["vault", "secrets"]\n[sources.secrets]\ntype = "dotenv"\npath = "secrets.env"\n',
    )
    assert found("prod").name == "secrets.env"


def test_without_profiles_the_file_is_in_the_working_folder(project):
    assert found("prod").name == ".env.prod"
    assert found("prod").profile is None
    assert found(environ={"ENVKIT_ENV": "dev"}).name == ".env.dev"


def test_a_named_file_is_followed_through_its_links(project, tmp_path):
    (tmp_path / "real.env").write_text("")
    (project.root / "link").symlink_to(tmp_path / "real.env")
    one = found(file="link")
    assert (one.path, one.beside) == (str(tmp_path / "real.env"),) * 2
    assert one.option.startswith("--file ")


def test_the_keys_of_a_linked_file_are_beside_the_link(project):
    project.profile("prod.toml", "")
    (project.root / "real").mkdir()
    (project.root / "real" / "x.env").write_text("")
    (project.root / ".env.prod").symlink_to("real/x.env")
    one = found("prod")
    assert (one.path, one.beside) == (
        str(project.root / "real" / "x.env"),
        str(project.root / ".env.prod"),
    )


@pytest.mark.parametrize(
    ("environments", "file", "error"),
    [
        ((), None, UsageError),
        (("a", "b"), None, UsageError),
        (("a",), ".env", UsageError),
        (("../a",), None, UsageError),
        (("",), None, UsageError),
        ((), "", UsageError),
        ((), "profiles", UsageError),
    ],
)
def test_anything_but_one_environment_or_file_is_refused(project, environments, file, error):
    with pytest.raises(error):
        found(*environments, file=file)


def test_an_unknown_environment_of_a_project_with_profiles_is_refused(project):
    project.profile("prod.toml", "")
    with pytest.raises(ProfileNotFoundError):
        found("prd")


def test_a_profile_without_dotenv_files_names_the_option(project):
    project.profile("prod.toml", '[sources.dotenv]\ntype = "env"\n')
    with pytest.raises(EnvkitError) as raised:
        found("prod")
    assert "--file" in raised.value.hint

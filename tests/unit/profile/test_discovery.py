"""Which folder and file of profiles is used: never another than the requested one."""

import os

import pytest

from envkit.errors import ProfileError, ProfileNotFoundError
from envkit.profile import discovery as discover
from support.transcript import transcript


def test_the_profile_folder_is_searched_upwards(project, monkeypatch):
    below = project.root / "src" / "app"
    below.mkdir(parents=True)
    for folder in (project.root, below):
        monkeypatch.chdir(folder)
        assert discover.profiles_folder(None, {}) == str(project.profiles)


def test_the_closest_profile_folder_is_used(project, monkeypatch):
    inner = project.root / "service" / "profiles"
    inner.mkdir(parents=True)
    (inner / "dev.toml").write_text("")
    monkeypatch.chdir(inner.parent)
    assert discover.profiles_folder(None, {}) == str(inner)


@pytest.mark.parametrize(
    "files",
    [
        ["__init__.py", "models.py"],
        ["profiles.yml"],
        ["dev.yaml", "README.md"],
        ["__init__.py", "pyproject.toml"],
        ["Cargo.toml"],
        [".env"],
        [".env.dev"],
        ["dev.toml.bak"],
        [".hidden.toml"],
        ["my profile.toml"],
        [],
    ],
    ids=lambda files: ",".join(files) or "empty",
)
def test_a_folder_without_profiles_is_skipped(project, monkeypatch, files):
    project.profile("dev.toml", "")
    inner = project.root / "backend" / "profiles"
    (inner.parent / "shop").mkdir(parents=True)
    inner.mkdir()
    for name in files:
        (inner / name).write_text("")
    for folder in (inner.parent, inner.parent / "shop", inner):
        monkeypatch.chdir(folder)
        assert discover.profiles_folder(None, {}) == str(project.profiles)


def test_the_closest_folder_is_named_when_none_has_a_profile(project, monkeypatch):
    inner = project.root / "backend" / "profiles"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner.parent)
    assert discover.profiles_folder(None, {}) == str(inner)
    error = discover.unknown_profile(str(inner), "dev", [])
    assert "--profiles" in error.hint


@pytest.mark.parametrize(
    ("explicit", "environ", "expected"),
    [
        ("a", {}, "a"),
        ("a", {"ENVKIT_PROFILES": "b"}, "a"),
        (None, {"ENVKIT_PROFILES": "b"}, "b"),
        (None, {"ENVKIT_PROFILES": ""}, "profiles"),
    ],
)
def test_a_named_folder_is_used(project, explicit, environ, expected):
    for name in ("a", "b"):
        (project.root / name).mkdir()
    assert discover.profiles_folder(explicit, environ) == str(project.root / expected)


def test_a_named_folder_must_exist(project):
    with pytest.raises(ProfileNotFoundError, match=r"no folder nowhere") as raised:
        discover.profiles_folder("nowhere", {})
    assert raised.value.hint == "name an existing folder with --profiles"


def test_an_empty_folder_name_is_an_error(project):
    """`--profiles "$FOLDER"` with a variable that is not set."""
    project.profile("prod.env", "A=1\n")
    assert transcript(project.run("get", "A", "--env", "prod", "--profiles", "")) == (
        "2> envkit: error: no folder '' [profile-not-found]\n"
        "2> envkit: hint: name an existing folder with --profiles\n"
        "[3]\n"
    )


def test_a_project_without_a_profile_folder_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(discover, "FOLDER", "profiles-5c1b")  # whatever lies above tmp_path
    with pytest.raises(ProfileNotFoundError, match=r"no profiles-5c1b/ folder in \. or above it"):
        discover.profiles_folder(None, {})


def test_a_removed_working_folder_is_an_error(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ProfileNotFoundError, match="no longer exists"):
        discover.profiles_folder(None, {})


def test_the_folder_of_another_user_is_refused_unless_it_is_named(project, monkeypatch):
    if os.getuid() == 0:
        os.chown(project.profiles, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    below = project.root / "src"
    below.mkdir()
    monkeypatch.chdir(below)
    with pytest.raises(ProfileError, match="belongs to another user") as raised:
        discover.profiles_folder(None, {})
    assert raised.value.hint == f"if you trust it, run again with --profiles {project.profiles}"
    assert discover.profiles_folder(str(project.profiles), {}) == str(project.profiles)


def test_profile_names_include_both_forms(project):
    names = ("prod.toml", "dev.env", "eu.west-1.toml", ".env.local", ".hidden.toml", "README.md")
    for name in names:
        project.profile(name, "")
    assert discover.profile_names(str(project.profiles)) == ["dev", "eu.west-1", "prod"]


def test_an_unreadable_profile_folder_is_an_error(project):
    with pytest.raises(ProfileError, match=r"^cannot read gone: no such file or directory$"):
        discover.profile_names(str(project.root / "gone"))


@pytest.mark.parametrize("name", ["", ".", "..", "../prod", "a/b", "prod\n", "prod\0", "-x", "é"])
def test_an_invalid_profile_name_has_no_file(project, name):
    project.profile("prod.toml", "")
    assert discover.profile_path(str(project.profiles), name) is None


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("folder", "is not a file"),
        ("pipe", "is not a file"),
        ("dangling", "is a dangling link"),
        ("circle", "is a dangling link"),
    ],
)
def test_a_profile_that_is_not_a_regular_file_is_an_error(project, kind, reason):
    path = project.profiles / "prod.env"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)  # reading it would never return
    else:
        path.symlink_to("prod.env" if kind == "circle" else "nowhere.env")
    done = project.run("get", "A", "--env", "prod")
    assert (
        transcript(done) == f"2> envkit: error: profiles/prod.env {reason} [profile-invalid]\n[3]\n"
    )


def test_a_link_to_a_file_is_a_profile(project):
    project.profile("prod.env", "A=1\n")
    (project.profiles / "live.env").symlink_to("prod.env")
    assert project.run("get", "A", "--env", "live").stdout == "1"


def test_a_profile_in_both_forms_is_an_error(project):
    project.profile("prod.toml", "")
    project.profile("prod.env", "")
    with pytest.raises(ProfileError) as raised:
        discover.profile_path(str(project.profiles), "prod")
    twice = "profile 'prod' has two files: profiles/prod.toml and profiles/prod.env"
    assert raised.value.message == twice


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("prd", "did you mean 'prod'?"),
        ("production", "did you mean 'prod'?"),
        ("profiles/prod.toml", "did you mean 'prod'?"),
        ("stagign", "did you mean 'staging'?"),
        ("prelvie", "did you mean 'prelive'?"),  # an alias
        ("prod,staging", "name one profile at a time: 'prod' and 'staging'"),
        ("staging prod", "name one profile at a time: 'staging' and 'prod'"),
        ("zzz", None),
    ],
)
def test_an_unknown_profile_lists_the_known_ones(project, name, hint):
    error = discover.unknown_profile(
        str(project.profiles), name, ["dev", "prod", "staging"], ["prelive"]
    )
    assert error.message == f"no profile '{name}' in profiles (known: dev, prod, staging)"
    assert error.hint == hint


def test_an_empty_profile_folder_is_reported(project):
    error = discover.unknown_profile(str(project.profiles), "dev", [])
    assert error.message == "no profile 'dev' in profiles (the folder has no profiles)"

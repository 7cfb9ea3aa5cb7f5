"""The first profiles of a project: nothing that is there changes, and no value is copied."""

import stat

import pytest

from envkit.errors import DeniedError, DotenvError, UsageError
from envkit.profile.loader import load
from envkit.scaffold.init_project import initialise
from support.permissions import as_nobody, folder_of_nobody

GITIGNORE = (
    *(".env", ".env.*", "!.env.example", "!.env.sample", "!.env.template", "!.env.dist"),
    *("*.envkit-previous", "*.envkit-rotation"),
)


def files(root):
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


def test_an_empty_project_gets_profiles_that_load(tmp_path):
    done = initialise(str(tmp_path))
    assert done.written == tuple(f"profiles/{n}.toml" for n in ("base", "dev", "staging", "prod"))
    assert done.environments == ("dev", "staging", "prod")
    assert (done.existing, done.ignored) == ((), GITIGNORE)
    for name in done.environments:
        assert load(name, str(tmp_path / "profiles")).name == name
    assert stat.S_IMODE((tmp_path / "profiles" / "dev.toml").stat().st_mode) == 0o644


def test_existing_profiles_are_not_changed_even_under_their_other_name(tmp_path):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "development.env").write_text("A=1\n")
    (tmp_path / "profiles" / "prod.toml").write_text("# ours\n")
    done = initialise(str(tmp_path))
    assert done.existing == ("dev", "prod")
    assert done.environments == ("staging",)
    assert files(tmp_path)["profiles/prod.toml"] == "# ours\n"


def test_variables_of_dotenv_files_become_lookups_and_their_values_are_not_copied(tmp_path):
    (tmp_path / ".env.example").write_text("URL=\n")
    (tmp_path / ".env").write_text("URL=canary-1\nOWN=canary-2\n")
    (tmp_path / ".env.qa").write_text("URL=canary-3\n")
    (tmp_path / ".env.bak").write_text("no definition\n")
    before = files(tmp_path)
    done = initialise(str(tmp_path))
    assert done.environments == ("dev", "staging", "prod", "qa")
    lookups = {one.environment: (one.files, one.absent) for one in done.lookups}
    assert lookups["dev"] == ((".env",), ())
    assert lookups["qa"] == ((".env.qa",), ())
    assert lookups["prod"] == ((".env.prod",), ("URL",))
    after = files(tmp_path)
    assert "canary" not in "".join(text for name, text in after.items() if name not in before)
    assert {name: after[name] for name in before} == before


def test_only_named_environments_are_created_and_each_once(tmp_path):
    assert initialise(str(tmp_path), ["eu", "us", "eu"]).environments == ("eu", "us")


@pytest.mark.parametrize("name", ["base", "", "a/b", "..", "../evil", ".x", "a b"])
def test_an_invalid_environment_name_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(UsageError, match="an environment cannot be called"):
        initialise(str(tmp_path), ["eu", name])
    assert files(tmp_path) == {}


def test_an_unreadable_dotenv_file_stops_init_before_anything_is_written(tmp_path):
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / ".env.prod").write_text("A=1\nB='open\nC=1\n")
    before = files(tmp_path)
    with pytest.raises(DotenvError, match=r"^\.env\.prod:2: "):
        initialise(str(tmp_path))
    assert files(tmp_path) == before


def test_a_dotenv_file_that_may_not_be_read_is_named_and_nothing_is_written():
    with folder_of_nobody() as root:
        (root / ".env").write_text("A=1\n")
        (root / ".env").chmod(0)
        with as_nobody(), pytest.raises(DeniedError) as caught:
            initialise(str(root))
        assert caught.value.message == "cannot read .env: permission denied"
        assert not (root / "profiles").exists()


def test_a_setting_of_envkit_and_a_key_are_no_variables_of_a_profile(tmp_path):
    (tmp_path / ".env").write_text("ENVKIT_ENV=dev\nDOTENV_PRIVATE_KEY_DEV=00\nPORT=1\n")
    assert initialise(str(tmp_path), ["dev"]).settings == ("PORT",)
    assert "ENVKIT" not in str(files(tmp_path / "profiles"))
    assert "DOTENV" not in str(files(tmp_path / "profiles"))


@pytest.mark.parametrize("file", [".env.base", ".env.base.local"])
def test_a_file_called_base_is_no_environment_so_that_no_profile_extends_itself(tmp_path, file):
    (tmp_path / ".env").write_text("PORT=1\n")
    (tmp_path / file).write_text("PORT=2\n")
    done = initialise(str(tmp_path))
    assert done.environments == ("dev", "staging", "prod")
    assert list(done.unused) == [file]
    assert "extends" not in (tmp_path / "profiles" / "base.toml").read_text()


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "profiles").write_text("")
    with pytest.raises(UsageError, match=r"^cannot create .*profiles: file exists$"):
        initialise(str(tmp_path))


@pytest.mark.parametrize(
    ("before", "added"),
    [
        ("node_modules\n", "\n# values stay out of git\n" + "\n".join(GITIGNORE) + "\n"),
        ("node_modules", "\n\n# values stay out of git\n" + "\n".join(GITIGNORE) + "\n"),
        # an exception must follow the rule that it excepts from
        (
            "!.env.example\n.env\n",
            "\n# values stay out of git\n" + "\n".join(GITIGNORE[1:]) + "\n",
        ),
        ("\n".join(f"  {entry} " for entry in GITIGNORE), ""),
    ],
)
def test_gitignore_gets_its_missing_entries_in_an_order_that_works(tmp_path, before, added):
    (tmp_path / ".gitignore").write_text(before)
    initialise(str(tmp_path))
    assert (tmp_path / ".gitignore").read_text() == before + added

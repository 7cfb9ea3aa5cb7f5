"""`envkit env`: encrypted files that a team shares in git, with and without profiles."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from envkit.encryption.env_file import set_encrypted, with_public_key
from envkit.encryption.keys import generate
from support.checking import git
from support.permissions import as_nobody, folder_of_nobody
from support.process import program, run_here
from support.sessions import replay, sessions
from support.vectors import DATA

SECRET = "canary-7c1d"
_ENVKIT = (str(Path(sys.executable).parent / "envkit"),)
PROFILE = '[variables]\nDB_PASSWORD = "{{ DB_PASSWORD }}"\nPORT = 8080\n'


@pytest.fixture
def shop(project):
    """A repository with a profile, without a `.env` file."""
    git(project.root, "init", "-q")
    for name, value in (("email", "a@example.com"), ("name", "a")):
        git(project.root, "config", f"user.{name}", value)
    project.profile("prod.toml", PROFILE)
    (project.root / ".gitignore").write_text(".env\n.env.*\n")
    return project.logged()


@pytest.fixture
def encrypted(shop):
    """The same with what `init` and `set` write: an encrypted file that has one value."""
    key = generate()
    public = key.public_key()
    text = with_public_key("", "DOTENV_PUBLIC_KEY_PROD", public, path=".env.prod")
    shop.dotenv("prod", set_encrypted(text, "DB_PASSWORD", SECRET, public, path=".env.prod"))
    shop.dotenv("keys", f"DOTENV_PRIVATE_KEY_PROD={key.text.reveal()}\n")
    ignored = ".env\n.env.*\n*.envkit-previous\n*.envkit-rotation\n!.env.prod\n"
    (shop.root / ".gitignore").write_text(ignored)
    return shop


def test_init_and_set_write_what_the_other_tests_begin_with(encrypted):
    before = {path.name: text.split(b"=")[0] for path, text in files(encrypted).items()}
    for name in (".env.prod", ".env.keys"):
        (encrypted.root / name).unlink()
    ran(encrypted, "env", "init", "--env", "prod")
    ran(encrypted, "env", "set", "DB_PASSWORD", "--env", "prod", input=SECRET)
    (encrypted.root / ".env.prod.envkit-previous").unlink()
    after = {path.name: text.split(b"=")[0] for path, text in files(encrypted).items()}
    assert after.keys() == before.keys()
    assert after[".env.prod"] == before[".env.prod"]
    assert value_of(encrypted) == SECRET


def ran(project, *args, status=0, env=None, input="", umask=0o022):  # noqa: A002 - as elsewhere
    before = os.umask(umask)
    try:
        done = run_here(*args, env={**project.environ, **(env or {})}, input=input)
    finally:
        os.umask(before)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def text_of(project, name=".env.prod"):
    return (project.root / name).read_text()


def value_of(project, name="DB_PASSWORD", **more):
    return ran(project, "get", name, "--env", "prod", **more).stdout


def files(project):
    """Return the content of every file of the project, except git's and the audit log."""
    found = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    return {
        path: content
        for path, content in found.items()
        if path.relative_to(project.root).parts[0] not in (".git", "state")
    }


def plain_files(project, secret=SECRET):
    return [path.name for path, content in files(project).items() if secret.encode() in content]


@pytest.mark.parametrize("session", sessions("cli/env"))
def test_env_transcripts_match(shop, session):
    # a known key pair: the transcript shows its public key
    key_file = (DATA / "dotenvx" / "dot-env.keys").read_text().replace("_PRODUCTION", "_PROD")
    (shop.root / ".env.keys").write_text(key_file)
    (shop.root / ".env.keys").chmod(0o600)
    assert replay(shop, session) == session


# ---------------------------------------------------------------- init


def test_init_makes_a_private_key_that_only_its_owner_can_read_and_git_ignores(shop):
    ran(shop, "env", "init", "--env", "prod", umask=0)
    assert stat.S_IMODE((shop.root / ".env.keys").stat().st_mode) == 0o600
    listed = subprocess.run(
        ["git", "-C", shop.root, "ls-files", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ".env.prod" in listed.stdout.split()
    assert ".env.keys" not in listed.stdout.split()


def test_init_adds_a_lost_public_key_only_if_the_private_key_reads_every_value(encrypted):
    path, keys = encrypted.root / ".env.prod", encrypted.root / ".env.keys"
    path.write_text(re.sub("DOTENV_PUBLIC_KEY_PROD=.*\n", "", text_of(encrypted)))
    before = text_of(encrypted)
    mine = keys.read_text()
    for others in ("", f"DOTENV_PRIVATE_KEY_PROD={generate().text.reveal()}\n"):
        keys.write_text(others)
        done = ran(encrypted, "env", "init", "--env", "prod", status=3)
        assert "encrypted values and no public key; nothing was written" in done.stderr
        assert (text_of(encrypted), keys.read_text()) == (before, others)
    keys.write_text(others.rstrip() + "," + mine.partition("=")[2])
    ran(encrypted, "env", "init", "--env", "prod")
    ran(encrypted, "env", "set", "NEW", "--env", "prod", input="x")
    assert value_of(encrypted) == SECRET


def test_init_changes_nothing_the_second_time(encrypted):
    before = files(encrypted)
    done = ran(encrypted, "env", "init", "--env", "prod")
    assert "found DOTENV_PUBLIC_KEY_PROD in .env.prod" in done.stdout
    assert files(encrypted) == before


def test_init_finishes_what_a_killed_one_began(shop):
    """The private key is written first: the next run uses it."""
    key = generate()
    (shop.root / ".env.keys").write_text(f"DOTENV_PRIVATE_KEY_PROD={key.text.reveal()}\n")
    (shop.root / ".env.keys").chmod(0o600)
    ran(shop, "env", "init", "--env", "prod")
    assert str(key.public_key()) in text_of(shop)
    assert key.text.reveal() in text_of(shop, ".env.keys")


def test_init_adds_the_keys_of_a_second_environment_to_the_first(encrypted):
    encrypted.profile("dev.toml", PROFILE)
    ran(encrypted, "env", "init", "--env", "dev")
    names = re.findall(r"^(DOTENV_\w+)=", text_of(encrypted, ".env.keys"), re.MULTILINE)
    assert names == ["DOTENV_PRIVATE_KEY_PROD", "DOTENV_PRIVATE_KEY_DEV"]
    assert value_of(encrypted) == SECRET


def test_git_goes_on_ignoring_a_file_with_plain_values_until_they_are_encrypted(shop):
    shop.dotenv("prod", f"DB_PASSWORD={SECRET}\n")
    ran(shop, "env", "init", "--env", "prod")
    assert "!.env.prod" not in text_of(shop, ".gitignore")
    ran(shop, "env", "encrypt", "--env", "prod")
    assert "!.env.prod" in text_of(shop, ".gitignore")


def test_init_without_the_private_key_tells_a_new_colleague_what_to_ask_for(encrypted):
    (encrypted.root / ".env.keys").unlink()
    before = files(encrypted)
    done = ran(encrypted, "env", "init", "--env", "prod")
    assert "the private key of .env.prod is missing: looked in $DOTENV_PRIVATE_KEY_PROD" in (
        done.stderr
    )
    assert "ask a colleague for DOTENV_PRIVATE_KEY_PROD" in done.stderr
    assert files(encrypted) == before


def test_init_refuses_a_key_file_that_git_tracks(shop):
    (shop.root / ".env.keys").write_text("")
    git(shop.root, "add", "-f", ".env.keys")
    done = ran(shop, "env", "init", "--env", "prod", status=6)
    assert "git tracks .env.keys" in done.stderr
    assert not (shop.root / ".env.prod").exists()


@pytest.mark.parametrize("profile", [True, False])
def test_the_recovery_copy_reads_the_values_after_the_key_is_lost(shop, tmp_path, profile):
    if not profile:
        (shop.profiles / "prod.toml").unlink()
    copy = tmp_path / "copy"
    ran(shop, "env", "init", "--env", "prod", "--recovery", str(copy), umask=0)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    ran(shop, "env", "set", "DB_PASSWORD", "--env", "prod", input=SECRET)
    (shop.root / ".env.keys").unlink()
    ran(shop, "env", "decrypt", "--env", "prod", "-o", "-", status=6)
    [[name, key]] = re.findall(r"^(\w+)=(\w+)$", copy.read_text(), re.MULTILINE)
    done = ran(shop, "env", "decrypt", "--env", "prod", "-o", "-", env={name: key})
    assert SECRET in done.stdout


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("copy", "is in the working tree of a git repository"),
        ("../there", "exists already"),
        ("../nowhere/copy", "no folder"),
    ],
)
def test_a_recovery_copy_in_a_bad_place_is_refused_before_anything_is_written(
    shop, tmp_path, path, message
):
    (tmp_path / "there").write_text("mine")
    before = files(shop)
    done = ran(shop, "env", "init", "--env", "prod", "--recovery", path, status=2)
    assert message in done.stderr
    assert files(shop) == before
    assert (tmp_path / "there").read_text() == "mine"


# ---------------------------------------------------------------- without profiles or git


def test_an_environment_works_without_profiles_and_without_git(tmp_path, project):
    project.profiles.rmdir()
    ran(project, "env", "init", "--env", "prod")
    ran(project, "env", "set", "DB_PASSWORD", "--env", "prod", input=SECRET)
    done = ran(project, "env", "decrypt", "--env", "prod", "-o", "-")
    assert f"DB_PASSWORD={SECRET}" in done.stdout
    git(project.root, "init", "-q")
    git(project.root, "add", ".")
    staged = subprocess.run(
        ["git", "-C", project.root, "ls-files"], capture_output=True, text=True, check=True
    )
    assert staged.stdout.split() == [".env.prod", ".gitignore"]


def test_a_file_can_be_named_in_place_of_an_environment(project):
    (project.root / ".env").write_text(f"A={SECRET}\n")
    ran(project, "env", "init", "--file", ".env")
    ran(project, "env", "encrypt", "--file", ".env")
    assert "DOTENV_PUBLIC_KEY=" in text_of(project, ".env")
    assert "DOTENV_PRIVATE_KEY=" in text_of(project, ".env.keys")
    assert f"A={SECRET}" in ran(project, "env", "decrypt", "--file", ".env", "-o", "-").stdout


def test_the_file_of_the_profile_is_used_from_a_folder_below(shop):
    shop.profile("prod.toml", f'[sources.dotenv]\npath = "config/prod.env"\n{PROFILE}')
    (shop.root / "config").mkdir()
    (shop.root / "src").mkdir()
    done = subprocess.run(
        [*_ENVKIT, "env", "init", "--env", "prod"],
        cwd=shop.root / "src",
        env={**os.environ, **shop.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (shop.root / "config" / ".env.keys").exists()
    assert "DOTENV_PUBLIC_KEY" in text_of(shop, "config/prod.env")


# ---------------------------------------------------------------- encrypt and decrypt


def test_encrypt_leaves_no_plain_value_behind(shop):
    shop.dotenv("prod", f"# note\nexport DB_PASSWORD='{SECRET}' # note\nLOG_PLAIN=info\n")
    ran(shop, "set", "DB_PASSWORD", "--env", "prod", input=f"{SECRET}-2")
    assert len(plain_files(shop)) == 2
    ran(shop, "env", "init", "--env", "prod")
    ran(shop, "env", "encrypt", "--env", "prod")
    assert plain_files(shop) == []
    assert "LOG_PLAIN=info\n" in text_of(shop)
    assert re.search(r"^export DB_PASSWORD='encrypted:[^']+' # note$", text_of(shop), re.MULTILINE)
    assert value_of(shop) == f"{SECRET}-2"


def test_encrypt_changes_only_values_that_are_plain(encrypted):
    before = text_of(encrypted).splitlines()
    with (encrypted.root / ".env.prod").open("a") as file:
        file.write("NEW=plain\n")
    ran(encrypted, "env", "encrypt", "--env", "prod")
    after = text_of(encrypted).splitlines()
    assert after[: len(before)] == before
    assert after[len(before)].startswith("NEW='encrypted:")
    assert "every value in .env.prod is encrypted already" in (
        ran(encrypted, "env", "encrypt", "--env", "prod").stdout
    )


def test_encrypt_keeps_windows_line_ends(shop):
    path = shop.dotenv("prod", "")
    path.write_bytes(f"# note\r\nDB_PASSWORD={SECRET}\r\n\r\nB=2\r\n".encode())
    ran(shop, "env", "init", "--env", "prod")
    ran(shop, "env", "encrypt", "--env", "prod")
    data = path.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    assert value_of(shop) == SECRET


def test_encrypt_refuses_the_record_of_a_rotation_that_it_cannot_read(encrypted):
    record = encrypted.root / ".env.prod.DB_PASSWORD.envkit-rotation"
    record.write_text(f'{{"values": {{"old": {{"DB_PASSWORD": "{SECRET}"')
    before = files(encrypted)
    done = ran(encrypted, "env", "encrypt", "--env", "prod", status=1)
    assert "cannot be read, so it may have plain values" in done.stderr
    assert files(encrypted) == before


def test_encrypt_knows_the_variables_of_the_files_that_the_profile_reads_before(shop):
    profile = f'[sources.dotenv]\npath = ["shared.env", ".env.prod"]\n{PROFILE}'
    shop.profile("prod.toml", profile)
    for name, text in (("shared.env", f"A={SECRET}\nB=no\n"), (".env.prod", "B=b\n")):
        (shop.root / name).write_text(text)
    ran(shop, "env", "init", "--env", "prod")
    with (shop.root / ".env.prod").open("a") as file:
        file.write('DB_PASSWORD="${A}-${B}"\n')
    before = value_of(shop)
    shutil.copy(shop.root / ".env.prod", shop.root / ".env.prod.envkit-previous")
    done = ran(shop, "env", "encrypt", "--env", "prod", env={"A": "wrong"})
    assert "DB_PASSWORD referred to other variables" in done.stderr
    assert value_of(shop) == before == f"{SECRET}-b"
    assert plain_files(shop) == ["shared.env"]


def test_decrypt_prints_or_writes_a_private_copy_and_leaves_the_file_alone(encrypted, tmp_path):
    before = files(encrypted)
    done = ran(encrypted, "env", "decrypt", "--env", "prod", "--output", "-")
    assert f"DB_PASSWORD={SECRET}" in done.stdout
    copy = tmp_path / "plain.env"
    ran(encrypted, "env", "decrypt", "--env", "prod", "-o", str(copy), umask=0)
    assert copy.read_text() == done.stdout
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert files(encrypted) == before


def test_decrypt_warns_of_a_copy_that_git_would_commit(encrypted):
    warned = "git does not ignore plain.env, which has plain values"
    command = ("env", "decrypt", "--env", "prod", "-o")
    assert warned in ran(encrypted, *command, "plain.env").stderr
    assert ran(encrypted, *command, ".env.plain").stderr == ""
    assert ran(encrypted, *command, str(encrypted.root.parent / "plain.env")).stderr == ""


@pytest.mark.parametrize("name", [".env.prod", "./.env.prod", "link"])
def test_decrypt_does_not_replace_the_file_itself_without_a_question(encrypted, name):
    (encrypted.root / "link").symlink_to(".env.prod")
    ran(encrypted, "env", "decrypt", "--env", "prod", "-o", name, status=2)
    assert plain_files(encrypted) == []


def test_decrypt_in_place_asks_and_the_file_can_be_encrypted_again(encrypted):
    command = ("env", "decrypt", "--env", "prod")
    shown, status = encrypted.on_terminal(*command, answers=[("[y/N]", "n\n")])
    assert (status, plain_files(encrypted)) == (0, [])
    assert "nothing was changed" in shown
    shown, status = encrypted.on_terminal(*command, answers=[("[y/N]", "y\n")])
    assert (status, plain_files(encrypted)) == (0, [".env.prod"])
    assert "do not commit .env.prod now" in shown
    ran(encrypted, "env", "encrypt", "--env", "prod")
    assert plain_files(encrypted) == []
    assert value_of(encrypted) == SECRET


def test_decrypt_in_place_leaves_a_file_that_only_its_owner_can_read(encrypted):
    path = encrypted.root / ".env.prod"
    path.chmod(0o644)  # as git checks it out
    ran(encrypted, "env", "decrypt", "--env", "prod", "--yes")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_decrypt_without_a_terminal_does_not_guess_where_the_values_go(encrypted):
    done = ran(encrypted, "env", "decrypt", "--env", "prod", status=2)
    assert "name a file or '-' with --output, or add --yes" in done.stderr
    assert plain_files(encrypted) == []


# ---------------------------------------------------------------- set and edit


def test_a_value_is_encrypted_without_the_private_key_and_the_user_is_warned(encrypted):
    keys = encrypted.root / ".env.keys"
    keys.rename(encrypted.root.parent / "keys")
    done = ran(encrypted, "env", "set", "NEW", "--env", "prod", input="another")
    assert (
        "no private key for .env.prod was found, so you cannot read what you write" in done.stderr
    )
    assert plain_files(encrypted, "another") == []
    (encrypted.root.parent / "keys").rename(keys)
    assert "NEW=another" in ran(encrypted, "env", "decrypt", "-e", "prod", "-o", "-").stdout


def test_encrypt_warns_if_the_private_key_is_not_at_hand(encrypted):
    (encrypted.root / ".env.keys").unlink()
    with (encrypted.root / ".env.prod").open("a") as file:
        file.write(f"NEW={SECRET}\n")
    done = ran(encrypted, "env", "encrypt", "--env", "prod")
    assert "no private key for .env.prod was found" in done.stderr
    assert plain_files(encrypted) == []


@pytest.mark.parametrize("command", ["set NEW", "encrypt", "set DB_PASSWORD"])
def test_nothing_is_encrypted_to_a_public_key_that_was_replaced(encrypted, command):
    """Otherwise a person who can commit could read what others write."""
    replaced = re.sub(r"0[23][0-9a-f]{64}", str(generate().public_key()), text_of(encrypted))
    (encrypted.root / ".env.prod").write_text(f"{replaced}NEW={SECRET}\n")
    before = text_of(encrypted)
    done = ran(encrypted, "env", *command.split(), "--env", "prod", input="x", status=3)
    assert "does not belong to the private key in .env.keys" in done.stderr
    assert text_of(encrypted) == before


@pytest.mark.parametrize("name", ["DOTENV_PUBLIC_KEY_PROD", "DOTENV_PRIVATE_KEY"])
def test_a_key_cannot_be_set_as_a_value(encrypted, name):
    before = files(encrypted)
    ran(encrypted, "env", "set", name, "--env", "prod", input="x", status=2)
    assert files(encrypted) == before


def test_set_tells_that_the_profile_lacks_the_variable(encrypted):
    done = ran(encrypted, "env", "set", "NEW", "--env", "prod", input="x")
    assert 'write: NEW = "{{ NEW }}" into profiles/prod.toml' in done.stderr


def test_set_checks_the_value_against_the_profile(encrypted):
    encrypted.profile(
        "prod.toml", '[variables]\nPIN = { value = "{{ PIN }}", pattern = "^[0-9]+$" }\n'
    )
    before = text_of(encrypted)
    ran(encrypted, "env", "set", "PIN", "--env", "prod", input="x", status=3)
    assert text_of(encrypted) == before


@pytest.mark.parametrize("arguments", [("DB_PASSWORD", SECRET), (f"DB_PASSWORD={SECRET}",)])
def test_a_value_on_the_command_line_is_refused(encrypted, arguments):
    done = ran(encrypted, "env", "set", *arguments, "--env", "prod", status=2)
    assert "the value is on the command line" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_a_typed_value_is_hidden(encrypted):
    answers = [("New value of NEW:", "typed-1\n"), ("Again:", "typed-1\n")]
    shown, status = encrypted.on_terminal("env", "set", "NEW", "-e", "prod", answers=answers)
    assert status == 0, shown
    assert "typed-1" not in shown
    assert "NEW=typed-1" in ran(encrypted, "env", "decrypt", "-e", "prod", "-o", "-").stdout


def at_once(project, *commands):
    """Run commands concurrently, each with its input."""
    started = [
        subprocess.Popen(
            [*_ENVKIT, "env", *arguments, "--env", "prod"],
            cwd=project.root,
            env={**os.environ, **project.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for arguments, _ in commands
    ]
    for process, (_, typed) in zip(started, commands, strict=True):
        _, stderr = process.communicate(typed.encode(), 60)
        assert process.returncode == 0, stderr


def test_several_inits_at_once_leave_a_file_that_can_be_read(shop):
    at_once(shop, *[(("init",), "")] * 4)
    ran(shop, "env", "set", "DB_PASSWORD", "--env", "prod", input=SECRET)
    assert value_of(shop) == SECRET


def test_values_that_several_processes_set_at_once_are_all_in_the_file(encrypted):
    (encrypted.profiles / "prod.toml").unlink()
    names = [f"VALUE_{number}" for number in range(4)]
    at_once(encrypted, *((("set", name), f"of {name}") for name in names))
    text = ran(encrypted, "env", "decrypt", "--env", "prod", "-o", "-").stdout
    assert [name for name in names if f"{name}='of {name}'" not in text] == []


def test_a_file_with_an_odd_name_can_be_changed(project):
    name = "a $b,*?%.env"
    ran(project, "env", "init", "--file", name)
    ran(project, "env", "set", "A", "--file", name, input="1")
    assert "A=1" in ran(project, "env", "decrypt", "--file", name, "-o", "-").stdout


def edited(project, script, status=0):
    runtime = project.root.parent / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    editor = program(project.root.parent / "editor", f"#!/bin/sh\n{script}\n")
    env = {"EDITOR": str(editor), "XDG_RUNTIME_DIR": str(runtime)}
    done = ran(project, "env", "edit", "--env", "prod", status=status, env=env)
    assert list(runtime.iterdir()) == [], "something was left behind"
    return done


def test_edit_shows_plain_text_and_keeps_the_lines_of_unchanged_values(encrypted):
    before = text_of(encrypted)
    script = f'grep -q "DB_PASSWORD={SECRET}" "$1" && printf "# a note\\nNEW=n\\n" >> "$1"'
    assert edited(encrypted, script).stdout == "changed NEW in .env.prod\n"
    after = text_of(encrypted)
    assert after.startswith(before)
    assert after.removeprefix(before).startswith("# a note\nNEW='encrypted:")
    assert plain_files(encrypted) == []


def test_editor_does_not_get_private_keys(encrypted, monkeypatch):
    monkeypatch.setenv("DOTENV_PRIVATE_KEY_OTHER", "ab" * 32)
    edited(encrypted, "! env | grep DOTENV_PRIVATE_KEY")


def test_edit_changes_and_removes_values(encrypted):
    ran(encrypted, "env", "set", "NEW", "--env", "prod", input="x")
    done = edited(encrypted, f'sed -i "s/{SECRET}/other/; /^NEW/d" "$1"')
    assert done.stdout == "changed DB_PASSWORD in .env.prod\nchanged NEW in .env.prod\n"
    assert value_of(encrypted) == "other"


@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ("true", 0, "no value was changed"),
        ("exit 3", 1, "the editor exited with status 3"),
        ('echo "A=\'open" >> "$1"', 3, ".env.prod:"),
        ('sed -i /DOTENV_PUBLIC_KEY/d "$1"', 3, "has another public key; nothing was changed"),
    ],
)
def test_edit_that_changes_nothing_leaves_the_file(encrypted, script, status, message):
    before = text_of(encrypted)
    done = edited(encrypted, script, status)
    assert message in done.stdout + done.stderr
    assert text_of(encrypted) == before


def test_edit_encrypts_nothing_to_a_public_key_that_another_person_has_put_there(encrypted):
    path = encrypted.root / ".env.prod"
    other = f"DOTENV_PUBLIC_KEY_PROD={generate().public_key()}"
    path.write_text(re.sub("DOTENV_PUBLIC_KEY_PROD=.*", other, text_of(encrypted)))
    before = text_of(encrypted)
    done = edited(encrypted, f'sed -i "s/{SECRET}/other/" "$1"', 3)
    assert "does not belong to the private key in .env.keys" in done.stderr
    assert text_of(encrypted) == before


def test_edit_notices_that_the_file_was_changed_meanwhile(encrypted):
    path = encrypted.root / ".env.prod"
    done = edited(encrypted, f'echo "A=1" >> "$1"; echo "# theirs" >> {path}', 7)
    assert "nothing was written" in done.stderr
    assert text_of(encrypted).endswith("# theirs\n")


# ---------------------------------------------------------------- keys


def keys_of(project, *args, **more):
    return json.loads(ran(project, "env", "keys", "--format", "json", *args, **more).stdout)[
        "files"
    ]


def test_keys_lists_the_files_of_profiles_and_others_and_shows_no_private_key(encrypted):
    ran(encrypted, "env", "init", "--file", ".env.other")
    encrypted.dotenv("plain", "A=1\n")
    found = keys_of(encrypted)
    assert [(one["environments"], one["file"], one["name"]) for one in found] == [
        (["prod"], ".env.prod", "DOTENV_PUBLIC_KEY_PROD"),
        ([], ".env.other", "DOTENV_PUBLIC_KEY_OTHER"),
    ]
    assert found[0]["private_key"] == {"state": "found", "place": ".env.keys"}
    private = re.findall(r"[0-9a-f]{64}$", text_of(encrypted, ".env.keys"), re.MULTILINE)
    shown = ran(encrypted, "env", "keys").stdout + json.dumps(found)
    assert len(private) == 2
    assert not [key for key in private if key in shown]


@pytest.mark.parametrize(
    ("text", "mode", "state"),
    [
        (None, 0, "missing"),
        (f"DOTENV_PRIVATE_KEY_PROD={generate().text.reveal()}\n", 0o600, "wrong"),
        ("DOTENV_PRIVATE_KEY_PROD=x\n", 0o600, "unreadable"),
        (None, 0o644, "unreadable"),
    ],
    ids=["missing", "wrong", "no key", "others can read it"],
)
def test_keys_tells_why_a_private_key_cannot_be_used(encrypted, text, mode, state):
    path = encrypted.root / ".env.keys"
    if text is not None:
        path.write_text(text)
    if mode:
        path.chmod(mode)
    else:
        path.unlink()
    [found] = keys_of(encrypted)
    assert found["private_key"]["state"] == state
    assert (found["problem"] is not None) == (state == "unreadable")


def test_keys_finds_a_key_in_the_environment(encrypted):
    [key] = re.findall(r"=([0-9a-f]{64})$", text_of(encrypted, ".env.keys"), re.MULTILINE)
    (encrypted.root / ".env.keys").unlink()
    [found] = keys_of(encrypted, env={"DOTENV_PRIVATE_KEY_PROD": key})
    assert found["private_key"] == {"state": "found", "place": "$DOTENV_PRIVATE_KEY_PROD"}


# ---------------------------------------------------------------- rotate-key


def test_rotate_key_keeps_the_old_key_until_it_is_dropped(encrypted):
    ran(encrypted, "env", "set", "DB_PASSWORD", "--env", "prod", input=f"{SECRET}-2")
    before, [old] = text_of(encrypted), private_keys(encrypted)
    done = ran(encrypted, "env", "rotate-key", "--env", "prod")
    assert "replaced DOTENV_PUBLIC_KEY_PROD in .env.prod; encrypted 1 value anew" in done.stdout
    assert value_of(encrypted) == f"{SECRET}-2"
    new, kept = private_keys(encrypted)
    assert (kept, new != old) == (old, True)
    env = {"DOTENV_PRIVATE_KEY_PROD": old}
    (encrypted.root / ".env.keys").rename(encrypted.root.parent / "keys")
    ran(encrypted, "get", "DB_PASSWORD", "--env", "prod", status=6, env=env)
    (encrypted.root.parent / "keys").rename(encrypted.root / ".env.keys")

    done = ran(encrypted, "env", "rotate-key", "--env", "prod", "--drop-old")
    assert "removed 1 old private key of .env.prod from .env.keys" in done.stdout
    assert private_keys(encrypted) == [new]
    assert value_of(encrypted) == f"{SECRET}-2"
    assert value_of(encrypted, "PORT") == "8080"
    versions = ran(encrypted, "history", "DB_PASSWORD", "--env", "prod").stdout
    assert "previous" in versions
    (encrypted.root / ".env.prod").write_text(before)
    ran(encrypted, "get", "DB_PASSWORD", "--env", "prod", status=6)


def test_drop_old_without_an_old_key_changes_nothing(encrypted):
    before = files(encrypted)
    done = ran(encrypted, "env", "rotate-key", "--env", "prod", "--drop-old")
    assert "removed 0 old private keys" in done.stdout
    assert files(encrypted) == before


def private_keys(project):
    return re.findall(r"[0-9a-f]{64}", text_of(project, ".env.keys"))


# ---------------------------------------------------------------- git


def commit(project, *arguments):
    return subprocess.run(
        ["git", "-C", project.root, "commit", "-qm", "x", *arguments],
        env={**os.environ, "PATH": f"{os.path.dirname(_ENVKIT[0])}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_hook_lets_an_encrypted_file_pass_and_refuses_plain_values_and_keys(encrypted):
    ran(encrypted, "env", "hook", "install")
    git(encrypted.root, "add", "-A")
    done = commit(encrypted)
    assert done.returncode == 0, done.stderr
    ran(encrypted, "env", "decrypt", "--env", "prod", "--yes")
    git(encrypted.root, "add", "-A")
    git(encrypted.root, "add", "-f", ".env.keys")
    done = commit(encrypted)
    assert done.returncode == 1
    assert "envkit: error: .env.keys has private keys" in done.stderr
    assert "DB_PASSWORD is not encrypted" in done.stderr
    assert "hint: run: envkit env encrypt --file .env.prod && git add .env.prod" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert commit(encrypted, "--no-verify").returncode == 0


def test_the_hook_refuses_a_value_of_an_encrypted_file_in_another_file(encrypted):
    ran(encrypted, "env", "hook", "install")
    (encrypted.root / "app.py").write_text(f"# a\npassword = '{SECRET}'\n")
    git(encrypted.root, "add", "-A")
    done = commit(encrypted)
    assert done.returncode == 1
    assert done.stderr == (
        "envkit: error: app.py:2: contains the value of DB_PASSWORD [leaked-value, prod]\n"
        "envkit: hint: remove the value and stage the file again, or accept it in "
        ".envkit-ignore\n"
    )
    (encrypted.root / ".envkit-ignore").write_text("app.py leaked-value  # made up\n")
    assert commit(encrypted).returncode == 0


@pytest.mark.parametrize(
    ("break_it", "note"),
    [
        (
            lambda shop: (shop.root / ".env.keys").unlink(),
            "not searched for: DB_PASSWORD of prod: there is no private key for .env.prod",
        ),
        (
            lambda shop: shop.profile("prod.toml", "["),
            "not searched for: the values of prod: ",
        ),
        (
            lambda shop: (shop.root / ".envkit-ignore").write_text("x y z # no code\n"),
            "the staged files were not searched for values: ",
        ),
        (lambda shop: shutil.rmtree(shop.profiles), ""),
    ],
    ids=["key", "profile", "ignore file", "profiles"],
)
def test_the_hook_lets_a_commit_pass_if_values_cannot_be_read_here(encrypted, break_it, note):
    ran(encrypted, "env", "hook", "install")
    break_it(encrypted)
    git(encrypted.root, "add", "-A")
    done = commit(encrypted)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert [line.startswith(f"envkit: note: {note}") for line in lines] == [True] * bool(note)


def test_git_diff_shows_which_values_changed_and_no_value(encrypted):
    ran(encrypted, "env", "hook", "install", "--textconv")
    git(encrypted.root, "add", "-A")
    assert commit(encrypted).returncode == 0
    ran(encrypted, "env", "set", "DB_PASSWORD", "--env", "prod", input="changed-1")
    with (encrypted.root / ".env.prod").open("a") as file:
        file.write("B=plain-canary\n")
    diff = subprocess.run(
        ["git", "-C", encrypted.root, "diff"],
        env={**os.environ, "PATH": f"{os.path.dirname(_ENVKIT[0])}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.search(r"^-DB_PASSWORD=encrypted [0-9a-f]{8}$", diff, re.MULTILINE), diff
    assert re.search(r"^\+DB_PASSWORD=encrypted [0-9a-f]{8}$", diff, re.MULTILINE)
    assert "canary" not in diff


@pytest.mark.parametrize(
    "command", [("env", "hook", "install"), ("env", "hook", "run")], ids=" ".join
)
@pytest.mark.parametrize("bare", [True, False])
def test_hook_outside_of_a_working_tree_is_an_error(project, command, bare, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    if bare:
        git(folder, "init", "-q", "--bare")
    done = subprocess.run(
        [*_ENVKIT, *command],
        cwd=folder,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "not in the working tree of a git repository" in done.stderr


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    "command",
    [
        ("encrypt",),
        ("decrypt", "-o", "-"),
        ("set", "A"),
        ("edit",),
        ("rotate-key",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        (None, 3, "there is no file .env.prod"),
        ("A=1\n", 3, ".env.prod has no public key"),
        ("<<<<<<< HEAD\nA=1\n=======\nA=2\n>>>>>>> x\n", 3, "merge conflict"),
        ("DOTENV_PUBLIC_KEY_PROD=02ab\nA=1\n", 3, "DOTENV_PUBLIC_KEY_PROD is not a public key"),
    ],
    ids=["no file", "no key", "conflict", "bad key"],
)
def test_each_command_refuses_a_file_that_it_cannot_use(shop, command, text, status, message):
    if text is not None:
        if message == "merge conflict":
            text = f"DOTENV_PUBLIC_KEY_PROD={generate().public_key()}\n{text}"
        shop.dotenv("prod", text)
    before = files(shop)
    name, *arguments = command
    done = ran(shop, "env", name, *arguments, "--env", "prod", input="x", status=status)
    assert message in done.stderr, done.stderr
    assert "envkit: hint: " in done.stderr
    after = files(shop)
    after[shop.root / ".gitignore"] = before[shop.root / ".gitignore"]
    assert after == before


@pytest.mark.parametrize("name", ["decrypt", "edit", "rotate-key"])
@pytest.mark.parametrize("case", ["missing", "wrong"])
def test_commands_that_read_values_name_the_places_that_they_looked_in(encrypted, name, case):
    keys = encrypted.root / ".env.keys"
    if case == "missing":
        keys.unlink()
    else:
        keys.write_text(f"DOTENV_PRIVATE_KEY_PROD={generate().text.reveal()}\n")
    before = files(encrypted)
    arguments = ("-o", "-") if name == "decrypt" else ()
    done = ran(encrypted, "env", name, "--env", "prod", *arguments, status=6)
    assert "looked in $DOTENV_PRIVATE_KEY_PROD, .env.keys" in done.stderr
    assert files(encrypted) == before


def test_a_linked_file_stays_a_link(encrypted):
    path = encrypted.root / ".env.prod"
    path.rename(encrypted.root / "real.env")
    path.symlink_to("real.env")
    ran(encrypted, "env", "set", "NEW", "--env", "prod", input="x")
    with path.open("a") as file:
        file.write("B=plain\n")
    ran(encrypted, "env", "encrypt", "--env", "prod")
    assert path.is_symlink()
    assert "NEW='encrypted:" in text_of(encrypted, "real.env")


def test_a_link_out_of_the_project_needs_trust(encrypted, tmp_path):
    path = encrypted.root / ".env.prod"
    path.rename(tmp_path / "outside.env")
    path.symlink_to(tmp_path / "outside.env")
    before = (tmp_path / "outside.env").read_text()
    done = ran(encrypted, "env", "encrypt", "--env", "prod", status=6)
    assert "leads out of the project" in done.stderr
    assert (tmp_path / "outside.env").read_text() == before


def test_a_protected_profile_needs_a_reason_and_every_use_is_audited(encrypted):
    encrypted.profile("prod.toml", f"protected = true\n{PROFILE}")
    for name, arguments in {"decrypt": ("-o", "-"), "encrypt": (), "edit": ()}.items():
        ran(encrypted, "env", name, *arguments, "-e", "prod", status=6, env={"EDITOR": "true"})
    command = ("env", "decrypt", "-e", "prod", "-o", "-", "--reason", "INC-1")
    ran(encrypted, *command)
    last = encrypted.records()[-1]
    assert (last["command"], last["names"], last["reason"]) == (
        "env decrypt",
        ["DB_PASSWORD"],
        "INC-1",
    )


def test_a_read_only_checkout_is_refused_before_a_key_is_made(shop):
    (shop.root / ".gitignore").write_text(
        ".env.keys\n*.envkit-previous\n*.envkit-rotation\n!.env.prod\n"
    )
    path = shop.dotenv("prod", "A=1\n")
    path.chmod(0o400)
    done = ran(shop, "env", "init", "--env", "prod", status=6)
    assert "cannot replace .env.prod: it is read-only" in done.stderr
    assert not (shop.root / ".env.keys").exists()


def test_a_folder_that_the_user_cannot_write_is_refused_before_a_key_is_made():
    with folder_of_nobody() as folder:
        (folder / ".env.prod").write_text("A=1\n")
        (folder / ".env.prod").chmod(0o644)
        folder.chmod(0o555)
        before = os.getcwd()
        os.chdir(folder)
        try:
            with as_nobody():
                done = run_here("env", "init", "--env", "prod")
        finally:
            os.chdir(before)
            folder.chmod(0o755)
        assert done.returncode == 6
        assert "cannot write .env.prod: permission denied" in done.stderr
        assert sorted(os.listdir(folder)) == [".env.prod"]

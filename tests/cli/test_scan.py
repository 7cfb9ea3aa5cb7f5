"""Output, exit statuses and hooks of `envkit scan`, with real repositories."""

import base64
import json
import os
import shutil
import sys

import pytest
import yaml

from support import dotenvx
from support.pages import ROOT
from support.rotating import table
from support.scanning import GitRepository
from support.sessions import replay, sessions

VALUE = "Zq8-vT1x/93b1"
TOKEN = "ghp_" + "aB3dE5fG7h" * 4
PROFILE = """\
[variables]
DB_PASSWORD = "{{ DB_PASSWORD }}"
MODE = "{{ MODE }}"
"""


@pytest.fixture
def shop(project):
    """A repository with an environment whose values git ignores."""
    project.git = GitRepository(project.root)
    project.profile("dev.toml", PROFILE)
    project.dotenv("dev", f"DB_PASSWORD='{VALUE}'\nMODE=production\n")
    project.git.commit("init", **{".gitignore": ".env*\n!.envkit-ignore\nstate\n"})
    return project


@pytest.mark.parametrize("session", sessions("cli/scan"))
def test_scan_transcripts_match(shop, session):
    assert replay(shop, session) == session


def test_scan_json_has_path_line_commit_and_variable(shop):
    commit = shop.git.commit("add", app=f"a\n{VALUE}\n")
    shop.git.commit("remove", app="")
    done = shop.run("scan", "--history", "--format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    [finding] = json.loads(done.stdout)["findings"]
    assert finding.pop("fingerprint")
    assert finding == {
        "code": "leaked-value",
        "path": "app",
        "line": 2,
        "commit": commit,
        "variable": "DB_PASSWORD",
        "environments": ["dev"],
        "what": "plain",
    }


def test_scan_sarif_has_a_result_for_each_finding(shop):
    shop.git.write("app", f"a\n{VALUE} {TOKEN}\n")
    (shop.root / ".envkit-ignore").write_text("app leaked-token # made up\n")
    done = shop.run("scan", "--format", "sarif")
    [run] = json.loads(done.stdout)["runs"]
    value, token = run["results"]
    assert value["ruleId"] == "leaked-value"
    assert value["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "app", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 2},
    }
    assert "suppressions" not in value
    assert token["suppressions"][0]["justification"] == "made up"
    rules = run["tool"]["driver"]["rules"]
    assert [rules[one["ruleIndex"]]["id"] for one in (value, token)] == [
        "leaked-value",
        "leaked-token",
    ]


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        (b"a b", "a%20b"),
        (b"a\nb", "a%0Ab"),
        (b"100%.txt", "100%25.txt"),
        ("größe".encode(), "gr%C3%B6%C3%9Fe"),
        (b"not\xffutf8", "not%FFutf8"),
    ],
)
def test_scan_sarif_has_the_uri_of_any_file_name(shop, name, uri):
    (shop.root / os.fsdecode(name)).write_text(VALUE)
    done = shop.run("scan", "--format", "sarif")
    [result] = json.loads(done.stdout)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


@pytest.mark.parametrize(
    ("values", "status"), [(None, 4), ("MODE=production\n", 0), ("DB_PASSWORD=x\n", 0)]
)
def test_a_named_environment_without_any_value_is_an_error_as_nothing_is_searched_for(
    shop, values, status
):
    (shop.root / ".env.dev").unlink()
    if values:
        shop.dotenv("dev", values)
    done = shop.run("scan", "--env", "dev")
    assert done.returncode == status, done.stderr
    assert ("cannot resolve 2 variables of dev" in done.stderr) == (status == 4)
    assert shop.run("scan").returncode == 0  # without a name, the values of this machine count


def install_hook(shop):
    """Install the command of the hook for pre-commit."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    [scan] = [hook for hook in hooks if hook["id"] == "envkit-scan"]
    command = scan["entry"].replace("envkit", f'"{sys.executable}" -m envkit', 1)
    hook = shop.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {command} >&2\n")
    hook.chmod(0o755)


@pytest.mark.parametrize(
    ("arguments", "folder"), [((), "."), ((), "src"), (("--all",), "src"), (("app",), ".")]
)
def test_a_hook_stops_each_kind_of_commit_of_a_value(shop, arguments, folder):
    shop.git.commit("app", app="x", **{"src/file": "x"})
    install_hook(shop)
    shop.git.write("app", VALUE)
    if not arguments:
        shop.git("add", "app")
    commit = ("-C", folder, "commit", "-q", "-m", "leak", *arguments)
    before = shop.git("rev-parse", "HEAD")
    done = shop.git.try_(*commit)
    assert done.returncode == 1
    assert "contains the value of DB_PASSWORD" in done.stderr
    assert VALUE not in done.stderr
    shop.git.write("app", "clean")
    if not arguments:
        shop.git("add", "app")
    assert shop.git("rev-parse", "HEAD") == before
    assert shop.git.try_(*commit).returncode == 0


@pytest.fixture
def encrypted(shop):
    """The same; the file is encrypted and tracked."""
    shop.dotenv("dev", dotenvx.encrypted_text({"DB_PASSWORD": VALUE}, "DOTENV_PUBLIC_KEY_DEV"))
    digits = dotenvx.private_key().text.reveal()
    dotenvx.write_keys(shop.root, f"DOTENV_PRIVATE_KEY_DEV={digits}\n")
    shop.profile("dev.toml", '[variables]\nDB_PASSWORD = "{{ DB_PASSWORD }}"\n')
    shop.git("add", "-f", ".env.dev")
    shop.git.commit("encrypted")
    shop.digits = digits
    return shop


def found(project, *arguments):
    """Return the place of each finding, and what it is."""
    done = project.run("scan", *arguments, "--format", "json")
    assert VALUE not in done.stdout + done.stderr
    assert project.digits not in done.stdout + done.stderr
    return [
        (f"{one['path']}:{one['line']}", one["variable"] or one["what"])
        for one in json.loads(done.stdout)["findings"]
    ]


SCOPES = [(), ("--staged",), ("--history",)]
KEY = "the private key of .env.dev"


@pytest.mark.parametrize("scope", SCOPES)
def test_a_tracked_encrypted_file_is_no_finding(encrypted, scope):
    assert found(encrypted, *scope) == []


@pytest.mark.parametrize("scope", SCOPES)
def test_values_and_keys_of_an_encrypted_file_are_found_in_other_files(encrypted, scope):
    encoded = base64.b64encode(encrypted.digits.encode()).decode()
    encrypted.git.write("copy.env", f"DB_PASSWORD='{VALUE}'\n")
    encrypted.git.write("ci.yml", f"key: {encrypted.digits}\nenv: {encoded}\n")
    encrypted.git("add", "copy.env", "ci.yml")
    encrypted.git("add", "-f", ".env.keys")
    if scope == ("--history",):
        encrypted.git("commit", "-qm", "leak")
    assert sorted(found(encrypted, *scope)) == [
        (".env.keys:1", KEY),
        ("ci.yml:1", KEY),
        ("ci.yml:2", KEY),
        ("copy.env:1", "DB_PASSWORD"),
    ]


def test_a_key_file_is_found_by_its_form_if_no_profile_uses_its_keys(encrypted):
    other = "0f" * 20 + "ab12cd34" * 3
    encrypted.git.write("a/keys", f"DOTENV_PRIVATE_KEY_CI={other.upper()},{other}\n")
    encrypted.git.write("ci.json", json.dumps({"DOTENV_PRIVATE_KEY_CI": other}))
    encrypted.git("add", "-A")
    assert sorted(found(encrypted, "--staged")) == [
        ("a/keys:1", "a dotenvx private key"),
        ("ci.json:1", "a dotenvx private key"),
    ]


def test_a_value_left_plain_in_a_tracked_encrypted_file_is_a_finding(encrypted):
    encrypted.profile("dev.toml", '[variables]\nAPI_TOKEN = "{{ API_TOKEN }}"\n')
    with (encrypted.root / ".env.dev").open("a") as file:
        file.write("API_TOKEN=plain-Zq8-vT1x\n")
    assert found(encrypted) == [(".env.dev:3", "API_TOKEN")]


def test_without_a_private_key_a_scan_says_so_once_and_goes_on(encrypted):
    values = {"DB_PASSWORD": VALUE, "API_TOKEN": VALUE}
    encrypted.dotenv("dev", dotenvx.encrypted_text(values, "DOTENV_PUBLIC_KEY_DEV"))
    lines = [f'{name} = "{{{{ {name} }}}}"\n' for name in values]
    encrypted.profile("dev.toml", "".join(["[variables]\n", *lines]))
    (encrypted.root / ".env.keys").unlink()
    encrypted.git.write("app", TOKEN)
    done = encrypted.run("scan")
    assert done.returncode == 1
    [note] = done.stderr.splitlines()
    assert note.startswith(
        "envkit: note: not searched for: DB_PASSWORD and API_TOKEN of dev: there is no private key"
    )
    assert encrypted.run("scan", "--env", "dev").returncode == 1
    encrypted.git.write("app", "")
    assert encrypted.run("scan", "--env", "dev").returncode == 6


def test_the_hint_for_a_private_key_names_the_command_that_replaces_it(encrypted):
    encrypted.git.write("ci.yml", encrypted.digits)
    assert "run 'envkit env rotate-key'" in encrypted.run("scan").stdout


def test_outside_a_repository_files_can_be_scanned_but_no_history(project):
    project.profile("dev.toml", PROFILE)
    project.dotenv("dev", f"DB_PASSWORD={VALUE}\nMODE=x\n")
    (project.root / "app").write_text(VALUE)
    env = {"GIT_CEILING_DIRECTORIES": str(project.root.parent)}
    assert project.run("scan", env=env).stdout.startswith("app:1: error: ")
    for scope in ("--staged", "--history"):
        done = project.run("scan", scope, env=env)
        assert (done.returncode, done.stdout) == (2, "")
        assert "not in a git repository" in done.stderr


def test_a_damaged_repository_is_an_error_and_not_a_clean_scan(shop):
    shop.git.commit("add", app=VALUE)
    (shop.root / ".git" / "index").write_bytes(b"damaged")
    for arguments in ((), ("--staged",)):
        done = shop.run("scan", *arguments)
        assert (done.returncode, done.stdout) == (5, "")
        assert "[scan-failed]" in done.stderr


def test_values_of_a_named_environment_that_cannot_be_read_are_an_error(shop):
    shop.dotenv("dev", "DB_PASSWORD='open\nMODE=x\n")
    named = shop.run("scan", "--env", "dev")
    assert named.returncode == 3
    assert "DB_PASSWORD (profiles/dev.toml:2)" in named.stderr
    [unread, _] = json.loads(shop.run("scan", "-e", "dev", "-f", "json").stdout)["unread"]
    assert unread["name"] == "DB_PASSWORD (profiles/dev.toml:2)"
    by_default = shop.run("scan")
    assert by_default.returncode == 0
    assert "envkit: note: not searched for: DB_PASSWORD of dev: .env.dev:1: " in by_default.stderr


def test_a_scan_is_recorded_like_every_read(shop):
    shop.logged().profile("dev.toml", f"protected = true\n{PROFILE}")
    assert shop.run("scan", "--env", "dev").returncode == 6
    assert shop.run("scan", "--env", "dev", "--reason", "audit").returncode == 0
    [record] = shop.records()
    assert (record["command"], record["profiles"], record["reason"]) == ("scan", ["dev"], "audit")
    assert record["names"] == ["DB_PASSWORD", "MODE"]


def test_git_is_given_no_value(shop, tmp_path):
    shop.git.commit("add", app=VALUE)
    log = tmp_path / "log"
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    real = shutil.which("git")
    program.write_text(f'#!/bin/sh\n{{ echo "$*"; env; }} >> {log}\nexec {real} "$@"\n')
    program.chmod(0o755)
    env = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    for arguments in ((), ("--staged",), ("--history",)):
        shop.run("scan", *arguments, env=env)
    assert "cat-file --batch" in log.read_text()
    assert VALUE not in log.read_text()


@pytest.fixture
def leaking(shop):
    shop.profile("dev.toml", PROFILE + table("db", "DB_PASSWORD"))
    shop.git.write("app", f"{VALUE} {TOKEN}\n")
    return shop.logged()


def test_rotate_replaces_what_was_found_after_a_question(leaking):
    shown, status = leaking.on_terminal("scan", "--rotate", answers=[("Rotate them now?", "y\n")])
    assert status == 1, shown
    assert VALUE not in (leaking.root / ".env.dev").read_text()
    assert "nothing found" not in shown
    reasons = {record["reason"] for record in leaking.records() if record["command"] == "rotate"}
    assert reasons == {"envkit scan found it in app:1"}
    assert leaking.run("scan").stdout.count("leaked-value") == 0


def test_rotate_changes_nothing_without_an_answer(leaking):
    done = leaking.run("scan", "--rotate")
    assert done.returncode == 2
    assert "cannot ask for confirmation" in done.stderr
    assert VALUE in (leaking.root / ".env.dev").read_text()


def test_rotate_changes_nothing_if_the_answer_is_no(leaking):
    shown, status = leaking.on_terminal("scan", "--rotate", answers=[("Rotate them now?", "n\n")])
    assert (status, "nothing was rotated" in shown) == (1, True)
    assert VALUE in (leaking.root / ".env.dev").read_text()


def test_a_rotation_that_fails_does_not_stop_the_others(leaking):
    broken = table("a", "DB_PASSWORD", "grace = 1")
    leaking.profile("a.toml", PROFILE + broken)
    leaking.dotenv("a", f"DB_PASSWORD='{VALUE}'\nMODE=x\n")
    done = leaking.run("scan", "--rotate", "--yes")
    assert done.returncode == 1
    assert VALUE not in (leaking.root / ".env.dev").read_text(), done.stderr


def test_rotate_needs_no_answer_with_yes_and_names_what_has_no_rotation(leaking):
    leaking.profile("test.env", "OTHER_TOKEN={{ OTHER }}\n")
    leaking.dotenv("test", "OTHER=aB3dE5fG7h\n")
    leaking.git.write("other", "aB3dE5fG7h")
    done = leaking.run("scan", "--rotate", "--yes")
    assert done.returncode == 1
    assert "replace it: envkit set OTHER_TOKEN --env test" in done.stderr
    assert VALUE not in (leaking.root / ".env.dev").read_text()


def test_rotate_does_nothing_if_nothing_is_found(shop):
    assert shop.run("scan", "--rotate").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--staged", "--history"), "cannot combine --staged and --history"),
        (("--staged", "app"), "cannot combine --staged and a path"),
        (("--rotate", "--format", "json"), "cannot combine --rotate and --format json"),
        (("nosuch",), "no file or folder nosuch"),
        (("--history", "nosuch"), "git does not know the commit or range 'nosuch'"),
    ],
)
def test_a_wrong_command_line_is_refused(shop, arguments, told):
    done = shop.run("scan", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_scan_on_a_terminal_fits_its_width(shop):
    shop.git.write("app", VALUE)
    shown, status = shop.on_terminal("scan", columns=60, env={"NO_COLOR": "1"})
    assert status == 1
    found, _, _ = shown.partition("envkit: note:")
    assert "app:1: error: contains" in found
    assert [line for line in found.splitlines() if len(line) > 60] == []

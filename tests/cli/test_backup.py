"""What a person sees of `envkit backup` and `envkit restore`."""

import os
import re
import subprocess
import time
from hashlib import sha256

import pytest

from envkit.backup.collect import collect, prepare_backup
from envkit.backup.format import EnvironmentBackup, encode
from envkit.backup.restore import prepare_restore, read
from envkit.backup.sealing import recipients, seal
from support.backups import backup_of, new_keys, saved
from support.kills import killed_at
from support.process import program, run_here, started
from support.sessions import replay, sessions
from support.small_disk import SmallDisk

PROD = """\
[variables]
NODE_ENV = "production"
STRIPE_KEY = { value = "{{ STRIPE_KEY }}", secret = true }
DB_PASSWORD = "{{ DB_PASSWORD }}"
DATABASE_URL = "postgres://app:{{ DB_PASSWORD | urlencode }}@db:{{ PORT }}/app"
PORT = { value = "{{ PORT }}", type = "port" }
"""
STAGING = """\
[variables]
STRIPE_KEY = "{{ PAYMENT_KEY }}"
DB_PASSWORD = "{{ DB_PASSWORD }}"
"""
VALUES = "STRIPE_KEY=sk_live_1\nDB_PASSWORD='p@ss word'\nPORT=5432\n"
ONLY_FILES = 'lookup = ["dotenv"]\n'


@pytest.fixture
def shop(project):
    """The environments `prod` and `staging`, and a backup of the first that is three hours old."""
    project.profile("prod.toml", ONLY_FILES + PROD)
    project.profile("staging.toml", ONLY_FILES + STAGING)
    project.dotenv("prod", VALUES)
    keys = new_keys(project.root)
    new_keys(project.root, "other.txt")
    collected = collect(prepare_backup(["prod"]), now=time.time() - 3 * 3600)
    data = seal(encode(collected.backup), recipients([keys.recipient]))
    (project.root / "prod.age").write_bytes(data)
    project.environ["TO"] = keys.recipient
    project.names = {sha256(data).hexdigest(): "SHA256", f" on {os.uname().nodename} ": " on HOST "}
    return project.logged()


@pytest.mark.parametrize("session", [*sessions("cli/backup"), *sessions("cli/restore")])
def test_backup_and_restore_transcripts_match(shop, session):
    assert replay(shop, session, shop.names) == session


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "reference",
    [
        "dotenv:../outside/.env#LD_PRELOAD",
        "dotenv:#LD_PRELOAD",
        "dotenv:.env.staging#PAYMENT_KEY",
        "dotenv:.env.prod#LD_PRELOAD",  # beside a name that the profile reads
    ],
)
def test_a_backup_cannot_choose_where_its_values_go(shop, reference):
    """Anyone who knows a recipient can write a file for it."""
    shop.profile("prod.toml", f'{ONLY_FILES}{PROD}NAMED = "{{{{ dotenv:.env.prod#PORT }}}}"\n')
    (shop.root.parent / "outside").mkdir()
    forged = EnvironmentBackup("prod", {}, (saved(reference, "evil.so"),))
    data = seal(encode(backup_of(forged)), recipients([shop.environ["TO"]]))
    (shop.root / "forged.age").write_bytes(data)
    before = {path for path in shop.root.parent.rglob("*") if path.is_file()}
    done = shop.run("restore", "forged.age", "--identity", "key.txt", "--overwrite", "--yes")
    assert (done.returncode, "nothing to restore" in done.stdout) == (0, True), done.stderr
    assert {path for path in shop.root.parent.rglob("*.env*") if path.is_file()} <= before
    assert "evil" not in (shop.root / ".env.prod").read_text()


@pytest.mark.parametrize("reference", ["dotenv:../outside/.env#A", "vault:a#b"])
def test_verify_does_not_look_at_places_that_only_the_backup_names(shop, reference):
    forged = EnvironmentBackup("prod", {}, (saved(reference, "evil"),))
    data = seal(encode(backup_of(forged)), recipients([shop.environ["TO"]]))
    (shop.root / "forged.age").write_bytes(data)
    done = shop.run("backup", "verify", "forged.age", "--identity", "key.txt")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("3 not in the backup, 1 no longer used\n")


def test_only_compares_with_the_variables_of_the_profile(shop):
    """A backup could give a place the name of another variable."""
    named = saved("dotenv:#DB_PASSWORD", "evil", "STRIPE_KEY")
    data = seal(
        encode(backup_of(EnvironmentBackup("prod", {}, (named,)))),
        recipients([shop.environ["TO"]]),
    )
    (shop.root / "forged.age").write_bytes(data)
    own = ("restore", "forged.age", "-i", "key.txt", "--overwrite", "--plan")
    assert shop.run(*own, "--only", "STRIPE_KEY").returncode == 2
    assert " DB_PASSWORD " in shop.run(*own).stdout


def test_a_backup_cannot_control_the_terminal(shop):
    named = EnvironmentBackup("prod", {}, (saved("dotenv:#PORT", "1", "PORT\x1b[2J"),))
    backup = backup_of(named)._replace(host="host\x1b[2J")
    data = seal(encode(backup), recipients([shop.environ["TO"]]))
    (shop.root / "forged.age").write_bytes(data)
    own = ("forged.age", "--identity", "key.txt")
    for command in (("backup", "verify"), ("backup", "drill"), ("restore", "--plan")):
        done = shop.run(*command, *own)
        assert "\x1b" not in done.stdout + done.stderr
        assert "host\\x1b[2J" in done.stdout


def test_a_prepared_backup_and_restore_show_no_credential_when_they_are_printed(shop):
    environ = {"VAULT_TOKEN": "canary-51f0"}
    prepared = prepare_backup(["prod"], environ=environ)
    restore = prepare_restore(collect(prepared).backup, environ=environ)
    assert "canary" not in f"{prepared!r} {restore!r} {read(restore)!r}"
    assert "p@ss word" not in f"{collect(prepared)!r} {read(restore)!r}"


def test_a_backup_to_stdout_can_be_piped(shop):
    to = ("--to", shop.environ["TO"])
    command = ("backup", "--env", "prod", "-o", "-", *to)
    process = started(shop, *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    data, told = process.communicate()
    assert data.startswith(b"age-encryption.org/v1\n")
    assert told.startswith(b"backed up 3 secrets of prod to stdout (sha256 ")


def outcomes(shop, file):
    """Return the outcomes in the audit log, and check those that name a file."""
    found = shop.records()
    digest = sha256(file.read_bytes()).hexdigest() if file.exists() else None
    for one in found:
        assert one["outcome"] != "ok" or one["file_sha256"] == digest, "ok without its file"
    named = {one.get("file_sha256") for one in found if one["outcome"] == "read"}
    assert digest is None or digest in named, "a file whose values were read unrecorded"
    return [one["outcome"] for one in found]


def test_the_audit_log_is_right_about_a_backup_that_is_killed_at_any_moment(shop):
    file, log = shop.root / "new.age", shop.root / "state" / "envkit" / "audit.jsonl"
    command = ("backup", "-e", "prod", "-o", "new.age", "--to", shop.environ["TO"])

    def run():
        assert run_here(*command, env=shop.environ).returncode == 0

    run()
    assert outcomes(shop, file) == ["read", "ok"]
    number, seen = 1, set()
    while True:
        for left in (*shop.root.glob("new.age*"), *log.parent.glob(log.name)):
            left.unlink()
        if not killed_at(number, run, "new.age", "audit.jsonl"):
            break
        seen.add((tuple(outcomes(shop, file)), file.exists()))
        number += 1
    assert seen == {((), False), (("read",), False), (("read",), True)}


@pytest.mark.parametrize(
    ("identity", "damage", "code"),
    [
        ("other.txt", b"", "backup-identity"),
        ("missing.txt", b"", "backup-identity"),
        ("key.txt", b"x", "backup-damaged"),
    ],
)
@pytest.mark.parametrize("command", [("backup", "verify"), ("backup", "drill"), ("restore",)])
def test_a_failed_attempt_to_open_a_backup_is_in_the_audit_log(
    shop, command, identity, damage, code
):
    file = shop.root / "prod.age"
    file.write_bytes(file.read_bytes() + damage)
    done = shop.run(*command, "prod.age", "-i", identity)
    assert f"[{code}]" in done.stderr
    [record] = shop.records()
    assert (record["command"], record["outcome"]) == (" ".join(command), code)
    digest = None if identity == "missing.txt" else sha256(file.read_bytes()).hexdigest()
    assert record.get("file_sha256") == digest


def test_an_identity_that_was_pasted_into_the_reason_is_in_no_record(shop):
    [key] = re.findall("AGE-SECRET-KEY-.*", (shop.root / "key.txt").read_text())
    env = {"ENVKIT_REASON": f"with {key}"}
    assert shop.run("backup", "verify", "prod.age", "-i", "key.txt", env=env).returncode == 0
    assert [one["reason"] for one in shop.records()] == ["with (a secret)"]


def test_a_backup_that_cannot_be_written_is_in_the_audit_log_as_a_failure(shop, tmp_path):
    with SmallDisk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("no file system can be mounted here, which only root may do")
        disk.fill()
        file = disk.folder / "prod.age"
        done = shop.run("backup", "-e", "prod", "-o", str(file), "--to", shop.environ["TO"])
        assert (done.returncode, "no space left on device" in done.stderr) == (6, True)
        assert os.listdir(disk.folder) == [".filler"]
        assert outcomes(shop, file) == ["read", "write-refused"]


def test_an_unrecorded_backup_of_a_protected_profile_is_not_written(shop, tmp_path):
    shop.profile("prod.toml", f"protected = true\n{ONLY_FILES}{PROD}")
    with SmallDisk(tmp_path / "disk") as disk:
        if not disk.mounted:
            pytest.skip("no file system can be mounted here, which only root may do")
        (disk.folder / "audit.jsonl").touch(mode=0o600)
        disk.fill()
        env = {"ENVKIT_AUDIT": str(disk.folder / "audit.jsonl"), "ENVKIT_REASON": "nightly"}
        to = ("--to", shop.environ["TO"])
        done = shop.run("backup", "-e", "prod", "-o", "new.age", *to, env=env)
    assert "[audit-failed]" in done.stderr
    assert not (shop.root / "new.age").exists()


def test_a_renamed_environment_is_compared_and_restored_under_its_old_name(shop):
    (shop.profiles / "prod.toml").unlink()
    shop.profile("eu.toml", 'aliases = ["prod"]\n' + ONLY_FILES + PROD)
    shop.dotenv("prod", "DB_PASSWORD=newer\nPORT=5432\n")
    done = shop.run("backup", "verify", "prod.age", "-i", "key.txt")
    assert done.stdout.endswith("1 the same, 1 changed since, 1 gone\n")
    done = shop.run("restore", "prod.age", "-i", "key.txt", "--plan")
    assert "1 value already there\n1 value differs and is kept" in done.stdout


PAIR = """
[rotation.db]
secret = "dotenv:DB_PASSWORD"
rotator = "command"
every = "30d"
target = { command = ["./login"], fields = ["DB_USER"] }
"""


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("now", "options", "status", "afterwards"),
    [
        ("DB_USER=new\nDB_PASSWORD=2\n", ("--only", "DB_PASSWORD", "--overwrite"), 6, None),
        ("DB_USER=new\n", (), 6, None),  # its user is kept
        ("DB_USER=new\n", ("--overwrite",), 0, "DB_USER=old\nDB_PASSWORD=1\n"),
        ("", ("--only", "DB_PASSWORD"), 0, "DB_PASSWORD=1\n"),
        ("DB_PASSWORD=1\n", ("--only", "DB_USER"), 0, "DB_PASSWORD=1\nDB_USER=old\n"),
    ],
)
def test_the_login_before_a_restore_is_with_what_the_store_will_have(
    project, now, options, status, afterwards
):
    """The rotation alternates between two users."""
    program(project.root / "login", '#!/bin/sh\ngrep -q \'"DB_PASSWORD": "1", "DB_USER": "old"\'\n')
    names = ("DB_USER", "DB_PASSWORD")
    lines = "".join(f'{name} = "{{{{ dotenv:{name} }}}}"\n' for name in names)
    project.profile("prod.toml", f"[variables]\n{lines}{PAIR}")
    project.dotenv("prod", "DB_USER=old\nDB_PASSWORD=1\n")
    keys = new_keys(project.root)
    collected = collect(prepare_backup(["prod"]))
    data = seal(encode(collected.backup), recipients([keys.recipient]))
    (project.root / "prod.age").write_bytes(data)

    file = project.dotenv("prod", now)
    done = project.run("restore", "prod.age", "-i", keys.identity, "--yes", *options)
    assert (done.returncode, "unused" in done.stdout) == (status, False), done.stderr
    assert file.read_text() == (now if afterwards is None else afterwards)


@pytest.fixture
def sealed(shop):
    """The same, with an encrypted file, a backup of it, and the recipient of that."""
    for command in ("init", "encrypt"):
        assert shop.run("env", command, "--env", "prod").returncode == 0
    arguments = ("backup", "-e", "prod", "-o", "prod.age", "--to", shop.environ["TO"])
    shop.backup = lambda: shop.run(*arguments)
    shop.restore = lambda: shop.run("restore", "prod.age", "-i", "key.txt", "--yes")
    shop.values = lambda: [
        shop.run("get", name, "-e", "prod").stdout for name in ("STRIPE_KEY", "DB_PASSWORD")
    ]
    shop.file = shop.root / ".env.prod"
    assert shop.backup().returncode == 0
    return shop


def test_a_value_that_an_encrypted_file_lost_is_restored_encrypted(sealed):
    assert sealed.run("unset", "STRIPE_KEY", "-e", "prod").returncode == 0
    done = sealed.restore()
    assert done.returncode == 0, done.stderr
    assert sealed.values() == ["sk_live_1", "p@ss word"]
    assert "sk_live_1" not in sealed.file.read_text()


@pytest.mark.parametrize("text", [None, "OTHER=1\n"], ids=["gone", "plain"])
def test_a_value_that_was_encrypted_is_never_restored_to_a_plain_file(sealed, text):
    sealed.file.unlink()
    if text is not None:
        sealed.dotenv("prod", text)
    done = sealed.restore()
    assert done.returncode == 3
    assert done.stderr == (
        "envkit: error: cannot restore 3 variables of prod [not-changeable]\n"
        "  it was encrypted when the backup was made, and .env.prod is not:\n"
        "    STRIPE_KEY (.env.prod#STRIPE_KEY)\n"
        "    DB_PASSWORD (.env.prod#DB_PASSWORD)\n"
        "    PORT (.env.prod#PORT)\n"
        "envkit: hint: run: envkit env init --file .env.prod\n"
    )
    assert (sealed.file.read_text() if sealed.file.exists() else None) == text
    assert sealed.run("env", "init", "--file", ".env.prod").returncode == 0
    done = sealed.restore()
    assert done.returncode == 0, done.stderr
    assert sealed.values() == ["sk_live_1", "p@ss word"]
    assert "sk_live_1" not in sealed.file.read_text()


def test_a_value_that_was_not_encrypted_is_restored_to_an_encrypted_file(shop):
    shop.dotenv("prod", "PORT=5432\n")
    assert shop.run("env", "init", "--env", "prod").returncode == 0
    done = shop.run("restore", "prod.age", "-i", "key.txt", "--yes")
    assert done.returncode == 0, done.stderr
    text = (shop.root / ".env.prod").read_text()
    assert "sk_live_1" not in text
    assert text.count("encrypted:") == 2


def test_encrypted_values_without_their_private_key_are_named_and_not_backed_up(sealed):
    (sealed.root / ".env.keys").unlink()
    (sealed.root / "prod.age").unlink()
    done = sealed.backup()
    assert done.returncode == 6, done.stderr
    for name in ("STRIPE_KEY", "DB_PASSWORD", "PORT"):
        assert f"    {name} (.env.prod#{name})\n" in done.stderr
    done = sealed.run("backup", "drill", "prod.age", "-i", "key.txt")
    assert done.returncode == 1

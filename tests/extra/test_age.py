"""Backups and the real age (the Debian package): each opens what the other has written."""

import json
import subprocess
from pathlib import Path

import pytest

from support.pages import follow
from support.process import run_program

pytestmark = pytest.mark.extra

VALUES = {"A": "one", "B": "zwei ü", "C": "'three' \"lines\"\n\\n"}


@pytest.fixture
def shop(project):
    lines = "".join(f'{name} = "{{{{ {name} }}}}"\n' for name in VALUES)
    project.profile("prod.toml", f"[variables]\n{lines}")
    project.dotenv("prod", "")
    for name, value in VALUES.items():
        done = project.run("set", name, "--env", "prod", "--from-file", "-", input=value)
        assert done.returncode == 0, done.stderr
    return project


def age_key(project):
    run_program("age-keygen", "-o", str(project.root / "age.txt"))
    return run_program("age-keygen", "-y", str(project.root / "age.txt")).stdout.strip()


def ssh_key(project):
    path = project.root / "id_ed25519"
    run_program("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))
    return path.with_suffix(".pub").read_text()


def back_up(project, *recipients):
    to = [word for recipient in recipients for word in ("--to", recipient)]
    done = project.run("backup", "--env", "prod", "-o", "prod.age", *to)
    assert done.returncode == 0, done.stderr


def test_age_opens_a_backup_with_each_identity(shop):
    back_up(shop, age_key(shop), ssh_key(shop))
    for identity in ("age.txt", "id_ed25519"):
        file = shop.root / "prod.age"
        opened = run_program("age", "-d", "-i", str(shop.root / identity), str(file))
        [prod] = json.loads(opened.stdout)["environments"]
        assert {one["names"][0]: one["value"] for one in prod["secrets"]} == VALUES


def test_envkit_opens_a_backup_that_age_has_encrypted_again(shop):
    """For other recipients, or with armour for a mail."""
    recipient = age_key(shop)
    back_up(shop, ssh_key(shop))
    clear = run_program(
        "age", "-d", "-i", str(shop.root / "id_ed25519"), str(shop.root / "prod.age")
    )
    for more in ([], ["--armor"]):
        again = subprocess.run(
            ["age", "-r", recipient, *more],
            input=clear.stdout.encode(),
            capture_output=True,
            check=True,
        )
        (shop.root / "again.age").write_bytes(again.stdout)
        done = shop.run("backup", "drill", "again.age", "--identity", "age.txt")
        assert (done.returncode, "3 variables resolved" in done.stdout) == (0, True), done.stderr


def test_the_page_about_backups_prints_what_it_shows(tmp_path):
    folder = str(Path(run_program("sh", "-c", "command -v age").stdout).parent)
    follow("docs/guides/disaster-recovery.md", tmp_path / "shop", {"PATH": folder})

"""`envkit import`: what it shows, asks, writes, leaves alone and deletes."""

import json
import os

import pytest

from support.sessions import replay, sessions

PROD = """\
# production
[variables]
REGION = "eu"  # near them
DB_PASSWORD = "{{ DB_PASSWORD }}"
DATABASE_URL = "pg://app:{{ DB_PASSWORD }}@db"
WORKERS = { value = "{{ WORKERS }}", type = "int", required = false }

# the end
"""


@pytest.fixture
def shop(project):
    project.profile("prod.toml", PROD)
    project.profile("staging.toml", '[variables]\nDB_PASSWORD = "{{ DB_PASSWORD }}"\n')
    project.dotenv("prod", "DB_PASSWORD=pw-of-prod\n")
    return project.logged()


@pytest.mark.parametrize("session", sessions("cli/import"))
def test_import_transcripts_match(shop, session):
    assert replay(shop, session) == session


@pytest.mark.parametrize("answer", ["y\n", "n\n", "\n", "\x03"])
def test_import_asks_before_it_writes(shop, answer):
    (shop.root / "a.env").write_text("API_KEY=made-up\n")
    shown, status = shop.on_terminal(
        "import", "a.env", "--env", "prod", "--remove", answers=[("[y/N]", answer)]
    )
    assert "Make 2 changes to prod? [y/N]" in shown
    assert status == (130 if answer == "\x03" else 0), shown
    agreed = answer == "y\n"
    assert ("API_KEY" in (shop.root / ".env.prod").read_text()) == agreed
    assert (shop.root / "a.env").exists() != agreed
    assert "made-up" not in shown


def test_import_as_json_lists_changes_and_what_is_not_imported(shop):
    (shop.root / "a.env").write_text("API_KEY=made-up\nDB_PASSWORD=other\n")
    done = shop.run("import", "a.env", "--env", "prod", "--yes", "--format", "json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(one["name"], one["action"], one["done"]) for one in document["changes"]] == [
        ("API_KEY", "set", True),
        ("API_KEY", "add", True),
    ]
    assert document["not_imported"] == [
        {
            "name": "DB_PASSWORD",
            "why": "conflict",
            "where": "a.env:2",
            "reason": "has another value in .env.prod#DB_PASSWORD",
            "hint": "to replace it, add --replace",
        }
    ]
    assert document["verified"] is True


def test_a_file_that_changed_after_it_was_read_is_not_deleted(shop):
    (shop.root / "a.env").write_text("API_KEY=made-up\n")

    def change():
        os.utime(shop.root / "a.env", (1, 1))
        return "y\n"

    shown, status = shop.on_terminal(
        "import", "a.env", "--env", "prod", "--remove", answers=[("[y/N]", change)]
    )
    assert status == 1, shown
    assert "kept a.env: it was changed after envkit read it" in shown
    assert (shop.root / "a.env").exists()


def test_a_value_that_changes_while_the_user_is_asked_is_a_conflict(shop):
    (shop.root / "a.env").write_text("WORKERS=4\n")

    def change():
        shop.dotenv("prod", "DB_PASSWORD=pw-of-prod\nWORKERS=8\n")
        return "y\n"

    shown, status = shop.on_terminal(
        "import", "a.env", "--env", "prod", answers=[("[y/N]", change)]
    )
    assert (status, "changed after envkit made the plan" in shown) == (7, True)
    assert "WORKERS=8" in (shop.root / ".env.prod").read_text()


def test_a_link_is_read_and_never_deleted(shop):
    (shop.root / "a.env").write_text("API_KEY=made-up\n")
    (shop.root / "link.env").symlink_to("a.env")
    done = shop.run("import", "link.env", "--env", "prod", "--yes", "--remove")
    assert (done.returncode, "it is not a regular file" in done.stderr) == (1, True)
    assert (shop.root / "a.env").exists()


def test_import_into_a_dotenv_profile_adds_lines_to_it(shop):
    shop.profile("old.env", "REGION=eu\n")
    (shop.root / "a.env").write_text("API_KEY=made-up\nLOG_LEVEL=info\n")
    assert shop.run("import", "a.env", "--env", "old", "--yes").returncode == 0
    assert (shop.profiles / "old.env").read_text() == (
        "REGION=eu\nAPI_KEY='{{ API_KEY }}'\nLOG_LEVEL=info\n"
    )
    assert (shop.root / ".env.old").read_text() == "API_KEY=made-up\n"


def test_a_variable_that_the_profile_extends_is_overridden_not_edited(shop):
    shop.profile(
        "base.toml",
        '[sources.shared]\ntype = "dotenv"\npath = ".env.shared"\n'
        '[variables]\nAPI_KEY = { value = "{{ shared:API_KEY }}", pattern = "^made" }\n',
    )
    before = (shop.profiles / "base.toml").read_text()
    shop.profile("dev.toml", 'extends = "base"\n')
    (shop.root / "a.env").write_text("API_KEY=made-up\n")
    command = ("import", "a.env", "--env", "dev", "--yes")
    done = shop.run(*command)
    assert (done.returncode, "to store it there, add --to shared" in done.stdout) == (1, True)
    assert shop.run(*command, "--to", "dotenv").returncode == 0
    assert (shop.profiles / "base.toml").read_text() == before
    assert (shop.profiles / "dev.toml").read_text() == (
        'extends = "base"\n\n[variables]\nAPI_KEY = "{{ dotenv:#API_KEY }}"\n'
    )
    assert (shop.root / ".env.dev").read_text() == "API_KEY=made-up\n"

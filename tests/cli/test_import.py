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


ROTATED = """\
[variables]
TOKEN = "{{ TOKEN }}"

[sources.store]
type = "dotenv"
path = ".env.store"

[rotation.token]
secret = "dotenv:TOKEN"
rotator = "random"
every = "30d"
"""


@pytest.mark.parametrize(
    "command",
    [
        ("import", "a.env", "--replace"),
        ("import", "same.env", "--to", "store"),
        ("env", "migrate", "--to", "store"),
    ],
    ids=" ".join,
)
def test_a_rotated_value_is_neither_replaced_nor_moved(shop, command):
    shop.profile("prod.toml", ROTATED)
    shop.dotenv("prod", "TOKEN=made-up\n")
    (shop.root / "a.env").write_text("TOKEN=another\n")
    (shop.root / "same.env").write_text("TOKEN=made-up\n")
    done = shop.run(*command, "--env", "prod", "--yes")
    assert (done.returncode, "is rotated by prod/token" in done.stdout) == (1, True), done.stdout
    assert (shop.root / ".env.prod").read_text() == "TOKEN=made-up\n"
    assert (shop.profiles / "prod.toml").read_text() == ROTATED
    assert not (shop.root / ".env.store").exists()


MIGRATED = """\
lookup = {lookup}

[sources.store]
type = "dotenv"
path = ".env.store"

[variables]
API_KEY = "{{{{ API_KEY }}}}"
PORT = {{ value = "{{{{ PORT }}}}", secret = false }}
WRONG = {{ value = "{{{{ WRONG }}}}", secret = false }}
SHARED = "{{{{ dotenv:.env.shared#API_KEY }}}}"
EARLIER = "{{{{ dotenv:?version=previous#API_KEY }}}}"
USER = "{{{{ env:LANG }}}}"
LITERAL = "x"
ALIAS = "{{{{ API_KEY }}}}"
ABSENT = {{ value = "{{{{ ABSENT }}}}", required = false }}
"""


@pytest.mark.parametrize("lookup", ['["store", "dotenv"]', '["dotenv", "store"]'])
def test_migrate_moves_each_value_once_and_points_to_it_only_if_needed(shop, lookup):
    path = shop.profile("prod.toml", MIGRATED.format(lookup=lookup))
    shop.dotenv("prod", "API_KEY=made-up\nPORT=8080\nWRONG=hunter2\n")
    shop.dotenv("prod.envkit-previous", "API_KEY=made-up-before\n")
    shop.dotenv("shared", "API_KEY=of-all\n")
    before = shop.run("export", "--env", "prod", "--format", "json").stdout
    done = shop.run("env", "migrate", "--env", "prod", "--to", "store", "--yes")
    assert done.returncode == 1, done.stdout + done.stderr
    refused = done.stdout.partition("Not replaced:")[2]
    assert "SHARED (profiles/prod.toml:11): has another value in" in refused
    assert "EARLIER (profiles/prod.toml:12): EARLIER is pinned to one version" in refused
    assert (shop.root / ".env.store").read_text() == "API_KEY=made-up\nWRONG=hunter2\n"
    point = "store:#" if lookup.startswith('["d') else ""
    expected = MIGRATED.format(lookup=lookup)
    for line in ("API_KEY", "WRONG"):
        expected = expected.replace(f"{{{{ {line} }}}}", f"{{{{ {point}{line} }}}}", 1)
    assert path.read_text() == expected.replace("{{ PORT }}", "8080")
    assert shop.run("export", "--env", "prod", "--format", "json").stdout == before


def test_migrate_to_an_encrypted_file_says_how_to_encrypt(shop):
    done = shop.run("env", "migrate", "--env", "prod", "--to", "encrypted")
    assert (done.returncode, "run: envkit env init --env prod" in done.stderr) == (2, True)

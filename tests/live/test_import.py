"""`envkit import` and `envkit env migrate` into OpenBao, and into Secrets Manager."""

import signal
import subprocess

import pytest

from support.fault_proxy import after
from support.process import started

DOWNLOAD = '{"API_KEY": "made-up-key", "DB_PASSWORD": "p@ss \\"word\\"\\n2", "LOG_LEVEL": "info"}'
VALUES = {"API_KEY": "made-up-key", "DB_PASSWORD": 'p@ss "word"\n2'}


@pytest.fixture
def shop(project, store_folder):
    """A project whose `prod` has a store, and a download to import into it."""
    store_folder.profile = project.profile(
        "prod.toml",
        store_folder.table("prod") + '\n[variables]\nREGION = "eu"  # near them\n\n# the end\n',
    )
    project.environ |= store_folder.environ
    (project.root / "download.json").write_text(DOWNLOAD)
    (project.root / "download.json").chmod(0o600)
    return project.logged()


def run_import(shop, store_folder, *arguments, status=0, files=("download.json",)):
    command = ("import", *files, "--env", "prod", "--to", store_folder.name, *arguments)
    done = shop.run(*command, env=store_folder.environ)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def resolved(shop, name):
    done = shop.run("get", name, "--env", "prod")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_writes_secrets_to_the_store_and_settings_to_the_profile(shop, store_folder):
    done = run_import(shop, store_folder, "--yes")
    assert store_folder.fields("prod/") == VALUES
    assert store_folder.profile.read_text().partition("[variables]\n")[2] == (
        'REGION = "eu"  # near them\n'
        f'API_KEY = "{{{{ {store_folder.name}:#API_KEY }}}}"\n'
        f'DB_PASSWORD = "{{{{ {store_folder.name}:#DB_PASSWORD }}}}"\n'
        'LOG_LEVEL = "info"\n'
        "\n# the end\n"
    )
    assert [resolved(shop, name) for name in VALUES] == list(VALUES.values())
    assert "verified: prod reads 3 variables as imported\n" in done.stdout
    assert [(record["names"], record["outcome"]) for record in shop.records()[:3]] == [
        (["API_KEY"], "ok"),
        (["DB_PASSWORD"], "ok"),
        (["API_KEY", "DB_PASSWORD", "LOG_LEVEL"], "ok"),
    ]


def test_a_second_import_writes_no_version(shop, store_folder):
    run_import(shop, store_folder, "--yes")
    versions, profile = store_folder.versions("prod/"), store_folder.profile.read_text()
    again = run_import(shop, store_folder)  # needs no confirmation: there is nothing to confirm
    assert again.stdout.startswith("nothing to change in prod\n")
    assert store_folder.versions("prod/") == versions
    assert store_folder.profile.read_text() == profile


def test_a_different_value_in_the_store_is_a_conflict_and_is_replaced_only_if_asked(
    shop, store_folder
):
    store_folder.put("prod/", {"API_KEY": "theirs", "OTHER": "stays"})
    done = run_import(shop, store_folder, "--yes", status=1)
    assert "has another value in AT/prod#API_KEY" in store_folder.told(done)
    assert store_folder.fields("prod/") == {
        "API_KEY": "theirs",
        "OTHER": "stays",
        "DB_PASSWORD": VALUES["DB_PASSWORD"],
    }
    assert "API_KEY" not in store_folder.profile.read_text()
    run_import(shop, store_folder, "--yes", "--replace")
    assert store_folder.fields("prod/") == {**VALUES, "OTHER": "stays"}
    assert resolved(shop, "API_KEY") == "made-up-key"


def test_a_value_that_another_client_writes_meanwhile_is_a_conflict(shop, store_folder):
    theirs = after(lambda: store_folder.put("prod/", {"API_KEY": "theirs"}))
    store_folder.proxy.fault(theirs, when=store_folder.is_write_of("prod"), times=1)
    done = run_import(shop, store_folder, "--yes", status=7)
    assert "already exists" in done.stderr
    assert store_folder.fields("prod/") == {"API_KEY": "theirs"}
    assert "LOG_LEVEL" not in store_folder.profile.read_text()


def test_import_changes_nothing_if_the_store_does_not_allow_the_write(shop, store_folder):
    store_folder.deny_writes()
    before = store_folder.profile.read_text()
    run_import(shop, store_folder, "--yes", status=6)
    assert store_folder.profile.read_text() == before


def test_remove_deletes_the_file_after_its_values_were_read_back(shop, store_folder):
    run_import(shop, store_folder, "--yes", "--remove")
    assert not (shop.root / "download.json").exists()
    assert store_folder.fields("prod/") == VALUES


@pytest.mark.parametrize("point", ["write", "written", "verify"])
def test_an_import_that_was_killed_is_finished_by_the_same_command(shop, store_folder, point):
    """Killed before or after the store has the values, and before they are read back."""
    command = ["import", "download.json", "--env", "prod", "--to", store_folder.name]
    command += ["--yes", "--remove"]
    store, profile = store_folder, store_folder.profile

    def kill():
        process.send_signal(signal.SIGKILL)
        process.wait()

    def kill_when_written(exchange):
        exchange.ask_upstream()
        kill()
        exchange.reset()

    if point == "verify":
        store.proxy.fault(after(kill), when=lambda _: "API_KEY" in profile.read_text(), times=1)
    else:
        fault = after(kill) if point == "write" else kill_when_written
        store.proxy.fault(fault, when=store.is_write_of("prod"), times=1)
    process = started(shop, *command, stdout=subprocess.DEVNULL)
    assert process.wait() == -signal.SIGKILL
    assert (shop.root / "download.json").exists()
    assert ("API_KEY" in profile.read_text()) == (point == "verify")

    store.proxy.heal()
    run_import(shop, store, "--yes", "--remove")
    assert store.fields("prod/") == VALUES
    assert [resolved(shop, name) for name in VALUES] == list(VALUES.values())
    assert not (shop.root / "download.json").exists()


# ---------------------------------------------------------------- migrate

OWN_FILES = """\
lookup = ["dotenv"]

{table}
[sources.dotenv]
path = [".env", ".env.prod"]

# what the app reads
[variables]
API_KEY = "{{{{ API_KEY }}}}"  # of the shop
LOG_LEVEL = {{ value = "{{{{ LOG_LEVEL }}}}", secret = false }}
DATABASE_URL = 'postgresql://app:{{{{ DB_PASSWORD | urlencode }}}}@db/{{{{ DB_NAME ?? "shop" }}}}'
"""
MIGRATED = """\
# what the app reads
[variables]
API_KEY = "{{ S:#API_KEY }}"  # of the shop
LOG_LEVEL = { value = "info", secret = false }
DATABASE_URL = "postgresql://app:{{ S:#DB_PASSWORD | urlencode }}@db/{{ DB_NAME ?? \\"shop\\" }}"
"""


@pytest.fixture
def own_files(project, store_folder):
    text = OWN_FILES.format(table=store_folder.table("prod"))
    store_folder.profile = project.profile("prod.toml", text)
    project.environ |= store_folder.environ
    (project.root / ".env").write_text("API_KEY=of-the-laptop\nLOG_LEVEL=info\n")
    project.dotenv("prod", "API_KEY=made-up-key\nDB_PASSWORD='p@ss'\n")
    return project.logged()


def migrate(own_files, store_folder, *arguments, status=0):
    done = own_files.run("env", "migrate", "--env", "prod", "--to", store_folder.name, *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_migrate_moves_values_to_the_store_and_edits_the_placeholders(own_files, store_folder):
    before = own_files.run("export", "--env", "prod", "--format", "json").stdout
    migrate(own_files, store_folder, "--yes")
    assert store_folder.fields("prod/") == {"API_KEY": "made-up-key", "DB_PASSWORD": "p@ss"}
    _, _, text = store_folder.profile.read_text().partition("\n\n# what")
    assert "# what" + text == MIGRATED.replace("S:", f"{store_folder.name}:")
    (own_files.root / ".env").unlink()
    (own_files.root / ".env.prod").unlink()
    assert own_files.run("export", "--env", "prod", "--format", "json").stdout == before


def test_a_second_migration_changes_nothing(own_files, store_folder):
    migrate(own_files, store_folder, "--yes")
    profile, versions = store_folder.profile.read_text(), store_folder.versions("prod/")
    again = migrate(own_files, store_folder, "--yes")
    assert again.stdout.startswith("nothing to change in prod\n")
    assert (store_folder.profile.read_text(), store_folder.versions("prod/")) == (profile, versions)


def test_migrate_moves_nothing_of_a_variable_in_conflict(own_files, store_folder):
    store_folder.put("prod/", {"DB_PASSWORD": "theirs"})
    done = migrate(own_files, store_folder, "--yes", status=1)
    assert "DATABASE_URL" in done.stdout.partition("Not replaced:")[2]
    assert store_folder.fields("prod/") == {"API_KEY": "made-up-key", "DB_PASSWORD": "theirs"}
    assert "{{ DB_PASSWORD | urlencode }}" in store_folder.profile.read_text()


def test_the_plan_of_a_migration_shows_no_secret_and_writes_nothing(own_files, store_folder):
    profile = store_folder.profile.read_text()
    done = migrate(own_files, store_folder, "--plan", status=1)
    shown = [line.split()[:2] for line in done.stdout.splitlines()]
    assert shown == [
        ["NAME", "CHANGE"],
        ["API_KEY", "set"],
        ["DATABASE_URL", "set"],
        ["API_KEY", "change"],
        ["LOG_LEVEL", "change"],
        ["DATABASE_URL", "change"],
    ]
    assert "made-up-key" not in done.stdout
    assert store_folder.profile.read_text() == profile

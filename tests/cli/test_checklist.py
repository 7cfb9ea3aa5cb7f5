"""`envkit check --checklist` in its formats, and the facts that it gathers."""

from __future__ import annotations

import json

import pytest

from envkit.backup.sealing import read_identity, recipients, seal, unseal
from envkit.cli.formats.checklist import markdown, page
from support.backups import new_keys
from support.checklist_page import NOW, hostile
from support.hook_server import HookServer
from support.transcript import transcript

CANARY = "canary-51c7d0e2"
ROTATION = """
[rotation.token]
secret = "dotenv:TOKEN"
rotator = "random"
every = "30d"
grace = "0s"
"""


@pytest.fixture
def shop(project):
    """Two environments that share a secret; prod is guarded and lacks a variable."""
    with HookServer() as server:
        project.server = server
        project.profile("staging.env", "KEY={{KEY}}\nTOKEN={{TOKEN}}\nDSN=x\n")
        project.profile(
            "prod.toml",
            f'[access]\nreason = true\nnotify = {{ webhook = "{server.address}/access" }}\n'
            '[variables]\nKEY = "{{ KEY }}"\nTOKEN = "{{ dotenv:TOKEN }}"\n'
            f'{ROTATION}notify = {{ webhook = "{server.address}/rotation" }}\n',
        )
        project.dotenv("staging", f"KEY={CANARY}-shared\nTOKEN={CANARY}-staging\n")
        project.dotenv("prod", f"KEY={CANARY}-shared\nTOKEN={CANARY}-prod\n")
        yield project.logged()


def listed(project, *options, status=1):
    done = project.run("check", "--checklist", "-e", "prod", "--format", "json", *options)
    assert done.returncode == status, done.stderr
    assert CANARY not in done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "envkit.checklist/1"
    (one,) = document["checklists"]
    return {item["item"]: item for item in one["items"]}


def test_a_checklist_shows_what_is_missing_shared_and_not_done(shop):
    found = listed(shop, "--previous", "staging")
    assert {name: item["state"] for name, item in found.items()} == {
        "variables-updated": "failed",
        "secrets-rotated": "warning",
        "backup-verified": "not-configured",
        "access-guarded": "ok",
        "audit-intact": "warning",
        "notifications-tried": "warning",
    }
    assert sorted(found["variables-updated"]["details"]) == [
        "DSN is missing",
        "KEY has a secret of staging",
    ]


def test_a_checklist_of_an_environment_that_is_ready_is_ok(shop):
    shop.profile("staging.env", "TOKEN={{TOKEN}}\n")
    keys = new_keys(shop.root)
    for command in (
        ("rotate", "-e", "prod"),
        ("backup", "-e", "prod", "-o", "prod.age", "--to", keys.recipient),
        ("backup", "drill", "prod.age", "--identity", keys.identity),
    ):
        done = shop.run(*command, env={"ENVKIT_REASON": "x"})
        assert done.returncode == 0, done.stderr
    shop.server.received.clear()
    found = listed(shop, "--previous", "staging", "--send-test", "--strict", status=0)
    assert {item["state"] for item in found.values()} == {"ok"}, found
    assert sorted(one.path for one in shop.server.received) == ["/access", "/rotation"]
    sent = json.loads(shop.server.received[0].body)
    assert (sent["event"], sent["profile"], sent["names"]) == ("test", "prod", [])

    # anyone who knows the recipient can write a file with another digest
    forged = unseal((shop.root / "prod.age").read_bytes(), read_identity(keys.identity))
    (shop.root / "prod.age").write_bytes(seal(forged, recipients([keys.recipient])))
    assert shop.run("backup", "drill", "prod.age", "-i", keys.identity).returncode == 0
    found = listed(shop, status=0)["backup-verified"]
    assert (found["state"], "not one of those made on this host" in found["summary"]) == (
        "warning",
        True,
    )


def test_a_channel_that_refuses_a_test_fails_the_checklist(shop):
    shop.server.status = 500
    found = listed(shop, "--send-test")
    assert found["notifications-tried"]["state"] == "failed"
    assert "it answered 500" in found["notifications-tried"]["details"][0]


def test_a_test_is_sent_only_to_channels_that_the_user_trusts(shop):
    shop.profile(
        "prod.toml", '[access]\nnotify = { command = ["sh", "-c", "touch told"] }\n[variables]\n'
    )
    done = shop.run("check", "--checklist", "-e", "prod", "--send-test")
    assert done.returncode == 6
    assert "[untrusted-profile]" in done.stderr
    assert not (shop.root / "told").exists()


def test_an_audit_log_that_was_changed_fails_the_checklist(shop):
    for _ in range(2):
        shop.run("get", "DSN", "-e", "staging")
    log = shop.root / "state" / "envkit" / "audit.jsonl"
    assert listed(shop, status=0)["audit-intact"]["state"] == "ok"
    log.write_text(log.read_text().replace('"get"', '"set"', 1))
    assert listed(shop)["audit-intact"]["state"] == "failed"


def test_an_audit_log_without_a_record_is_a_warning(shop):
    log = shop.root / "state" / "envkit" / "audit.jsonl"
    log.parent.mkdir(parents=True)
    log.touch(0o600)
    assert listed(shop, status=0)["audit-intact"]["state"] == "warning"
    log.unlink()
    log.mkdir()
    assert listed(shop)["audit-intact"]["state"] == "failed"


def test_an_invalid_profile_is_named_in_the_error_of_a_checklist_of_all(shop):
    shop.profile("broken.toml", "[variables\n")
    done = shop.run("check", "--checklist")
    assert done.returncode == 3
    assert "profiles/broken.toml:1: not valid TOML" in done.stderr


def test_differences_that_the_team_accepts_are_not_on_the_checklist(shop):
    (shop.root / ".envkit-ignore").write_text(
        "KEY reused # one account\nDSN missing # not in prod\n"
    )
    found = listed(shop, "--previous", "staging", status=0)
    assert found["variables-updated"]["state"] == "ok"


def test_invalid_access_rules_fail_the_checklist(shop):
    shop.profile("prod.toml", '[access]\nhours = "late"\n')
    assert listed(shop)["access-guarded"]["state"] == "failed"


@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
def test_each_format_has_every_item_and_no_value(shop, format_):
    done = shop.run(
        *("check", "--checklist", "-e", "prod", "--previous", "staging"),
        *("--format", format_, "--output", "list.out"),
    )
    assert done.returncode == 1
    assert done.stderr == (
        "envkit: note: 1 failed, 3 warnings, 1 not configured, 1 ok; see list.out\n"
    )
    text = (shop.root / "list.out").read_text()
    assert CANARY not in text
    for title in (
        *("Variables updated", "Secrets rotated", "Backup verified", "Access guarded"),
        *("Audit chain intact", "Notifications tried", "DSN is missing"),
    ):
        assert title in text


def test_names_from_stores_are_not_markup_in_any_format():
    text = markdown.render(hostile())
    assert r"\<b\>x\</b\> \[y\]\(https&#58;//evil.example\) \@all \`z\`" in text
    html = page.render(hostile(), NOW)
    assert "<b>x</b>" not in html
    assert "&lt;b&gt;x&lt;/b&gt;" in html


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--previous", "staging"), "--previous needs --checklist"),
        (("--send-test",), "--send-test needs --checklist"),
        (("--format", "html"), "--format html is not a format of problems"),
        (("--checklist", "--format", "sarif"), "--format sarif is not a format of the checklist"),
        (("--checklist", "--offline"), "cannot combine --checklist and --offline"),
        (("--checklist", "--skip", "reused"), "cannot combine --checklist and --skip"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(shop, arguments, said):
    done = shop.run("check", *arguments)
    assert done.returncode == 2
    assert said in transcript(done)

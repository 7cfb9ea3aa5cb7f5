"""A secret is in its store and in an encrypted file, and a secret key in its own; nowhere else."""

from pathlib import Path

import pytest

from support.backups import new_keys
from support.process import run_python

CANARY, NEWER = "canary-backup-90c7", "canary-newer-31f4"
PROD = """\
protected = true
lookup = ["dotenv"]
[variables]
KEY = "{{ KEY }}"
URL = "https://x:{{ KEY | urlencode }}@x"
WHOLE = { value = "{{ dotenv:#* }}", required = false }
PORT = { value = "{{ PORT }}", type = "port" }
"""
STORES = {".env.prod", ".env.prod.envkit-previous", ".env.staging", ".env.staging.envkit-previous"}
OPEN = ("prod.age", "--identity", "key.txt")


@pytest.fixture
def shop(project, places):
    project.profile("prod.toml", PROD)
    project.profile("staging.toml", PROD)
    project.dotenv("prod", f"KEY={CANARY}\nPORT=80\n")
    keys = new_keys(project.root)
    project.environ |= {"ENVKIT_REASON": "REL-7", "ENVKIT_DEBUG": "1"}
    secret_key = Path(keys.identity).read_text(encoding="utf-8").strip()
    places.hidden = [CANARY, NEWER, secret_key]
    places.recipient = keys.recipient
    to = ("--to", keys.recipient, "--format", "json")
    places.run("backup", "--env", "prod", "-o", "prod.age", *to)
    return places


def assert_only_in_stores(shop):
    assert shop.traces() <= {*STORES, "key.txt"}
    shop.assert_private(shop.project.root / "prod.age")


def test_a_backup_leaks_no_value(shop):
    assert_only_in_stores(shop)
    log = shop.folders["XDG_STATE_HOME"] / "envkit" / "audit.jsonl"
    assert '"reason":"REL-7"' in log.read_text()
    shop.assert_quiet((shop.project.root / "prod.age").read_bytes().decode("latin-1"))


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("backup", "verify", *OPEN), 0),
        (("backup", "verify", *OPEN, "--format", "json"), 0),
        (("backup", "drill", *OPEN, "--metrics", "drill.prom"), 0),
        (("restore", *OPEN, "--plan"), 1),
        (("restore", *OPEN, "--overwrite", "--plan", "--format", "json"), 1),
        (("restore", *OPEN, "--yes"), 0),
        (("restore", *OPEN, "--overwrite", "--yes"), 0),
        (("restore", *OPEN), 2),  # no terminal to ask on
        (("restore", *OPEN, "--to-env", "staging", "--yes"), 0),
        (("restore", *OPEN, "--to-env", "staging", "--only", CANARY, "--yes"), None),
        (("backup", "drill", "prod.age", "--identity", "prod.age"), 6),
        (("backup", "drill", "key.txt", "--identity", "key.txt"), 1),
        (("backup", "drill", ".env.prod", "--identity", "key.txt"), 1),
        (("backup", "drill", "prod.age", "--identity", ".env.prod"), 6),
        (("restore", *OPEN, "--env", "qa"), 2),
    ],
)
def test_no_command_that_opens_a_backup_leaks_a_value(shop, arguments, status):
    (shop.project.root / ".env.prod").write_text(f"KEY={NEWER}\n")
    if status is None:  # the value is in the arguments, as a glob that matches nothing
        done = shop.project.run(*arguments)
        assert done.returncode == 2
        return
    shop.run(*arguments, status=status)
    assert_only_in_stores(shop)


@pytest.mark.parametrize("secret_key", [True, False])
def test_a_secret_key_as_a_recipient_is_not_repeated(shop, secret_key):
    wrong = shop.hidden[2] if secret_key else shop.hidden[2].lower().replace("age-", "age1")
    shop.hidden.append(wrong)
    shop.run("backup", "--env", "prod", "-o", "new.age", "--to", wrong, status=2)
    assert not (shop.project.root / "new.age").exists()


def test_a_backup_whose_content_is_damaged_leaks_nothing_of_it(shop):
    """Encrypted correctly, but not by envkit."""
    code = (
        "import sys, pyrage; from pathlib import Path\n"
        "identity = pyrage.x25519.Identity.from_str(Path('key.txt').read_text().strip())\n"
        "text = pyrage.decrypt(Path('prod.age').read_bytes(), [identity])\n"
        "text = text.replace(b'\"path\"', b'\"pat\"') if sys.argv[1] == 'keys' else text[:-9]\n"
        "Path('prod.age').write_bytes(pyrage.encrypt(text, [identity.to_public()]))\n"
    )
    for how in ("keys", "end"):
        run_python(code, how, cwd=shop.project.root)
        for command in (("backup", "verify"), ("backup", "drill"), ("restore", "--yes")):
            shop.run(*command, *OPEN, status=1)
        shop.run("backup", "--env", "prod", "-o", "prod.age", "--to", shop.recipient)
    assert_only_in_stores(shop)


def test_a_restore_shows_no_value_to_the_user_who_is_asked(shop):
    (shop.project.root / ".env.prod").unlink()
    shown, ended = shop.project.on_terminal("restore", *OPEN, answers=[("[y/N]", "y\n")])
    assert ended == 0, shown
    shop.assert_quiet(shown)
    assert_only_in_stores(shop)

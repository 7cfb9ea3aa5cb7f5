"""`envkit backup` and `envkit restore` with real stores: what was lost comes back."""

import json
import signal
import subprocess

import pytest

from support.fault_proxy import after, reset, respond
from support.openbao import RefusedError
from support.process import run_here, started
from support.rotating import table

pytestmark = pytest.mark.usefixtures("trusted")

CANARY = "canary-1b6d"
VARIABLES = """\
[variables]
NODE_ENV = "production"
DB_PASSWORD = "{{ S:db#password }}"
DATABASE_URL = "postgres://{{ S:db#user }}:{{ S:db#password | urlencode }}@db/app"
STRIPE_KEY = "{{ S:stripe#key }}"
WHOLE = "{{ S:settings#* }}"
ONLY = "{{ S:one }}"
"""
VALUES = {
    "db": {"password": f"p@ss {CANARY}", "user": "app"},
    "stripe": {"key": "sk_live_1"},
    "settings": {"a": "1", "b": "zwei ü"},
    "one": {"field": "x"},
}


class Shop:
    """The environment `prod` in one store, and its backup."""

    def __init__(self, project, folder, keys, paths=tuple(VALUES)):
        self.project, self.folder, self.keys = project.logged(), folder, keys
        self.file = project.root / "prod.age"
        self.environ = {**folder.environ, **project.environ}
        self.all = {path: VALUES[path] for path in paths}
        lines = VARIABLES.splitlines(keepends=True)
        used = [line for line in lines if "S:" not in line or any(f"S:{p}" in line for p in paths)]
        variables = "".join(used).replace("S:", f"{folder.name}:")
        project.profile("prod.toml", folder.table("prod") + variables)
        self.fill(self.all)

    def fill(self, values):
        for path, fields in values.items():
            self.folder.put(f"prod/{path}", fields)

    def run(self, *arguments, status=0, **options):
        done = run_here(*arguments, env=self.environ, **options)
        assert done.returncode == status, done.stdout + done.stderr
        assert CANARY not in done.stdout + done.stderr
        return done

    def backup(self, **options):
        to = ("--to", self.keys.recipient)
        return self.run("backup", "--env", "prod", "-o", str(self.file), *to, **options)

    def of_backup(self, *command, status=0):
        own = (str(self.file), "--identity", self.keys.identity)
        return self.run(*command, *own, status=status)

    def restore(self, *arguments, status=0):
        return self.of_backup("restore", "--yes", *arguments, status=status)

    def lose(self, *paths):
        """Delete secrets for good, as a store does that was set up again."""
        for path in paths or self.all:
            if self.folder.name == "vault":
                openbao = self.folder.openbao
                openbao.ask("DELETE", f"secret/metadata/{self.folder.folder}/prod/{path}")
            else:
                self.folder.aws.admin.delete_secret(
                    SecretId=f"{self.folder.aws.prefix}prod/{path}",
                    ForceDeleteWithoutRecovery=True,
                )

    def values(self):
        found = {}
        for path in self.all:
            try:
                found[path] = self.folder.fields(f"prod/{path}")
            except (RefusedError, self.missing):
                found[path] = None
        return found

    @property
    def missing(self):
        if self.folder.name == "vault":
            return RefusedError
        return self.folder.aws.admin.exceptions.ResourceNotFoundException

    def outcomes(self, command):
        records = [one for one in self.project.records() if one["command"] == command]
        return [(one["names"], one["outcome"]) for one in records]


@pytest.fixture
def shop(project, store_folder, keys):
    return Shop(project, store_folder, keys)


@pytest.fixture
def small_shop(project, store_folder, keys):
    return Shop(project, store_folder, keys, ("stripe", "one"))


@pytest.fixture
def vault_shop(project, vault_folder, keys):
    return Shop(project, vault_folder, keys)


def test_a_plan_warns_of_a_region_without_any_secret(project, aws_folder, keys):
    shop = Shop(project, aws_folder, keys, ("one",))
    shop.backup()
    shop.environ["AWS_REGION"] = "eu-south-2"  # no test uses it
    planned = shop.of_backup("restore", "--plan", status=1)
    assert "warning: this may be the wrong store: " in planned.stderr


def test_a_store_that_lost_everything_gets_everything_back(shop):
    shop.backup()
    assert shop.of_backup("backup", "drill").stdout.count("resolved from the backup") == 1
    shop.lose()
    assert " gone" in shop.of_backup("backup", "verify").stdout
    shop.of_backup("restore", "--plan", status=1)
    assert set(shop.values().values()) == {None}, "a plan writes nothing"
    shop.restore()
    assert shop.values() == VALUES
    assert " gone" not in shop.of_backup("backup", "verify").stdout
    assert "nothing to restore" in shop.restore().stdout
    assert shop.of_backup("restore", "--plan").returncode == 0


def test_the_audit_log_names_the_file_of_a_backup_and_of_a_restore(shop):
    from hashlib import sha256

    shop.backup()
    shop.lose("stripe")
    shop.restore()
    digest = sha256(shop.file.read_bytes()).hexdigest()
    records = shop.project.records()
    found = [(one["command"], one["outcome"]) for one in records]
    assert found == [("backup", "read"), ("backup", "ok"), ("restore", "ok")]
    assert {one["file_sha256"] for one in records} == {digest}
    logins = {"vault": "token"} if shop.folder.name == "vault" else None
    assert [one.get("logins") for one in records] == [logins] * 3
    assert records[2]["names"] == ["STRIPE_KEY"]
    assert records[1]["versions"]["STRIPE_KEY"]


def test_a_newer_value_stays_unless_it_is_to_be_overwritten(shop):
    shop.backup()
    newer = {"password": "newer", "user": "app", "more": "x"}
    shop.fill({"db": newer})
    assert " changed " in shop.of_backup("backup", "verify").stdout
    done = shop.restore()
    assert "1 value differs and is kept" in done.stdout
    assert shop.values()["db"] == newer
    shop.restore("--overwrite")
    assert shop.values()["db"] == {**VALUES["db"], "more": "x"}, "other fields stay"


def test_a_restore_of_some_variables_leaves_the_others_alone(shop):
    shop.backup()
    shop.lose()
    shop.restore("--only", "STRIPE_*")
    assert {path for path, fields in shop.values().items() if fields} == {"stripe"}


def test_a_backup_is_restored_to_another_environment(shop):
    shop.backup()
    staging = shop.folder.table("staging")
    text = (shop.project.profiles / "prod.toml").read_text()
    shop.project.profile("staging.toml", staging + text[text.index("[variables]") :])
    shop.restore("--to-env", "staging", "--only", "STRIPE_KEY", "--only", "DB_PASSWORD")
    assert shop.folder.fields("staging/stripe") == VALUES["stripe"]
    assert shop.folder.fields("staging/db") == {"password": VALUES["db"]["password"]}
    assert shop.values() == VALUES


def test_a_place_that_another_environment_no_longer_reads_is_restored(vault_shop):
    shop = vault_shop
    text = (shop.project.profiles / "prod.toml").read_text()
    shop.project.profile("staging.toml", text)
    to = ("--to", shop.keys.recipient)
    shop.run("backup", "--env", "staging", "--env", "prod", "-o", str(shop.file), *to)
    shop.project.profile("staging.toml", text[: text.index("STRIPE_KEY")])
    shop.lose("stripe")
    assert " no longer used" in shop.of_backup("backup", "verify").stdout
    shop.restore()
    assert shop.values() == VALUES


def test_no_store_is_asked_for_a_protected_profile_without_a_reason(shop):
    shop.backup()
    profile = shop.project.profiles / "prod.toml"
    profile.write_text(f"protected = true\n{profile.read_text()}")
    shop.folder.proxy.forget()
    shop.backup(status=6)
    shop.restore(status=6)
    shop.of_backup("backup", "drill")
    assert shop.folder.proxy.count() == 0
    # these read the stores, and neither show a value nor pass it on
    shop.of_backup("backup", "verify")
    shop.of_backup("restore", "--plan")


# ---------------------------------------------------------------- holes


def test_one_denied_secret_of_forty_is_named_and_in_the_exit_status(vault_shop, openbao):
    shop = vault_shop
    names = [f"KEY_{number:02}" for number in range(40)]
    lines = "".join(f'{name} = "{{{{ vault:many/{name}#value }}}}"\n' for name in names)
    shop.project.profile("prod.toml", shop.folder.table("prod") + "[variables]\n" + lines)
    shop.fill({f"many/{name}": {"value": name} for name in names})
    shop.backup()
    whole = shop.file.read_bytes()

    base = f"secret/data/{shop.folder.folder}/prod/many"
    rights = {f"{base}/{name}": ["read"] for name in names if name != "KEY_23"}
    shop.environ["VAULT_TOKEN"] = openbao.token(openbao.policy(rights))
    told = shop.backup(status=6).stderr
    assert "cannot back up 1 variable of prod [access-denied]" in told
    assert "KEY_23" in told
    assert "prod.age was not replaced" in told
    assert shop.file.read_bytes() == whole, "a whole backup is better than the newer one"

    shop.file.unlink()
    assert "backed up 39 secrets of prod" in shop.backup(status=6).stdout
    [found] = shop.keys.opened(shop.file)["environments"]
    assert len(found["secrets"]) == 39
    assert [(one["names"], one["code"]) for one in found["failed"]] == [
        (["KEY_23"], "access-denied")
    ]
    assert shop.outcomes("backup")[-1][1] == "access-denied"
    assert "KEY_23" in shop.of_backup("backup", "drill", status=1).stderr
    assert "KEY_23" in shop.of_backup("backup", "verify", status=6).stderr
    shop.environ["VAULT_TOKEN"] = openbao.root_token
    done = shop.of_backup("backup", "verify")
    assert "39 the same, 1 not in the backup" in done.stdout
    assert "warning: the backup is incomplete: it lacks KEY_23" in done.stderr
    assert "not in the backup" in shop.restore(status=4).stderr


def test_a_backup_names_the_secrets_of_a_store_that_cannot_be_reached(shop):
    shop.folder.proxy.refuse()
    told = shop.backup(status=5).stderr
    assert "cannot back up 5 variables of prod" in told or "WHOLE" in told
    [found] = shop.keys.opened(shop.file)["environments"]
    assert found["secrets"] == []
    assert {name for one in found["failed"] for name in one["names"]} == {
        *("DB_PASSWORD", "DATABASE_URL", "STRIPE_KEY", "WHOLE", "ONLY")
    }


def test_one_place_that_cannot_be_restored_does_not_stop_the_others(vault_shop, openbao):
    shop = vault_shop
    shop.backup()
    shop.lose()
    base = f"secret/data/{shop.folder.folder}/prod"
    rights = {
        f"{base}/{path}": ["read"] if path == "stripe" else ["create", "read", "update"]
        for path in VALUES
    }
    shop.environ["VAULT_TOKEN"] = openbao.token(openbao.policy(rights))
    told = shop.restore(status=6).stderr
    assert "cannot restore 1 variable of prod [access-denied]" in told
    assert "STRIPE_KEY" in told
    assert shop.values() == {**VALUES, "stripe": None}
    assert (["STRIPE_KEY"], "access-denied") in shop.outcomes("restore")


def test_dynamic_secrets_are_left_out_and_named(leased, project, keys):
    leased.role(ttl=60, max_ttl=600)
    environ = {}
    leased.profile(project, environ)
    file = project.root / "prod.age"
    to = ("--to", keys.recipient)
    done = run_here("backup", "--env", "prod", "-o", str(file), *to, env=environ)
    assert done.returncode == 0, done.stderr
    for name in ("DB_USER", "DB_PASSWORD"):
        assert f"left out {name}: " in done.stdout
    assert leased.users() == [], "nothing was leased"
    done = run_here("backup", "drill", str(file), "--identity", keys.identity)
    assert (done.returncode, "in no backup: DB_PASSWORD, DB_USER" in done.stdout) == (0, True)


# ---------------------------------------------------------------- killed at every request


def killed(shop, number, *command, served):
    """Kill a command at a request; return None if it ended before."""
    process, seen = None, 0

    def kill(exchange):
        nonlocal seen
        seen += 1
        if seen != number:
            exchange.send(exchange.ask_upstream())
            return
        if served:
            exchange.ask_upstream()
        process.send_signal(signal.SIGKILL)
        process.wait()
        reset()(exchange)

    shop.folder.proxy.fault(kill)
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = started(shop.project, *command, env=shop.environ, **silent)
    status = process.wait()
    shop.folder.proxy.heal()
    if status == -signal.SIGKILL:
        return True
    assert status == 0
    return None


def files(shop):
    return {path.name for path in shop.project.root.iterdir()}


def test_a_backup_that_is_killed_at_any_request_leaves_the_last_one(small_shop):
    shop, before = small_shop, files(small_shop)
    command = ("backup", "--env", "prod", "-o", str(shop.file), "--to", shop.keys.recipient)
    number = 1
    while killed(shop, number, *command, served=bool(number % 2)):
        assert files(shop) - before <= {"state"}, "no part of a file, and no clear text"
        number += 1
    assert number > 1
    shop.of_backup("backup", "drill")


@pytest.mark.parametrize("served", [True, False])
def test_a_restore_that_is_killed_at_any_request_finishes_when_it_runs_again(small_shop, served):
    shop = small_shop
    shop.backup()
    own = ("restore", str(shop.file), "--identity", shop.keys.identity, "--yes")
    number = 1
    shop.lose()
    while killed(shop, number, *own, served=served):
        for path, fields in shop.values().items():
            assert fields in (None, VALUES[path]), "a secret is written as a whole"
        shop.restore()
        assert shop.values() == shop.all
        shop.lose()
        number += 1
    assert number > len(shop.all)
    assert shop.values() == shop.all


def test_a_restore_does_not_overwrite_a_value_that_came_after_the_plan(shop):
    shop.backup()
    shop.lose("stripe", "db")
    come_first = after(lambda: shop.fill({"stripe": {"key": "theirs"}}))
    shop.folder.proxy.fault(come_first, when=shop.folder.is_write_of("prod/stripe"), times=1)
    told = shop.restore(status=7).stderr
    assert "STRIPE_KEY" in told
    assert shop.values() == {**VALUES, "stripe": {"key": "theirs"}}
    assert "is kept" in shop.restore().stdout


def test_a_restore_is_done_if_another_one_was_faster(shop):
    shop.backup()
    shop.lose("stripe")
    come_first = after(lambda: shop.fill({"stripe": VALUES["stripe"]}))
    shop.folder.proxy.fault(come_first, when=shop.folder.is_write_of("prod/stripe"), times=1)
    shop.restore()
    assert shop.values() == VALUES


# ---------------------------------------------------------------- rotated credentials


@pytest.fixture
def rotated(project, vault_folder, keys, alternate):
    """A PostgreSQL login in OpenBao that is rotated without a grace period, and its backup."""
    shop = Shop(project, vault_folder, keys)
    target = {**alternate.target, "dsn": alternate.target["dsn"]}
    toml = ", ".join(f"{key} = {json.dumps(value)}" for key, value in target.items())
    lines = [f"target = {{ {toml} }}", 'grace = "0s"', 'retire_when = "grace"']
    project.profile(
        "prod.toml",
        shop.folder.table("prod")
        + '[variables]\nDATABASE_URL = "{{ vault:login#url }}"\n'
        + table("db", "vault:login#url", *lines, rotator="postgres"),
    )
    url = alternate.current()["url"].reveal().partition("?")[0]
    shop.fill({"login": {"url": url}})
    shop.url = lambda: shop.folder.fields("prod/login")["url"]
    shop.backup()
    return shop


def test_a_rotated_login_that_still_works_is_restored(rotated):
    url = rotated.url()
    rotated.lose("login")
    plan = rotated.of_backup("restore", "--plan", status=1).stdout
    assert "rotated by prod/db: after a login" in plan
    rotated.restore()
    assert rotated.url() == url


def test_a_login_that_was_rotated_since_is_not_restored(rotated):
    rotated.run("rotate", "db")
    new = rotated.url()
    assert "is kept" in rotated.restore().stdout
    told = rotated.restore("--overwrite", status=6).stderr
    assert "DATABASE_URL" in told
    assert "does not log in at" in told
    assert rotated.url() == new

    rotated.lose("login")
    rotated.restore(status=6)
    assert (["DATABASE_URL"], "value-retired") in rotated.outcomes("restore")
    with pytest.raises(RefusedError):
        rotated.url()


def test_a_login_is_not_restored_while_its_rotation_is_in_progress(rotated):
    text = (rotated.project.profiles / "prod.toml").read_text()
    rotated.project.profile("prod.toml", text.replace('grace = "0s"', 'grace = "15m"'))
    rotated.run("rotate", "db")
    new = rotated.url()
    told = rotated.restore("--overwrite", status=7).stderr
    assert "is being rotated by prod/db (phase grace" in told
    assert rotated.url() == new


def test_a_failing_store_during_the_restore_leaves_the_rest_for_the_next_run(shop):
    shop.backup()
    shop.lose()
    shop.folder.proxy.fault(respond(403), when=shop.folder.is_write_of("prod/stripe"))
    assert "STRIPE_KEY" in shop.restore(status=shop_status(shop)).stderr
    shop.folder.proxy.heal()
    shop.restore()
    assert shop.values() == VALUES


def shop_status(shop):
    """Return the exit status of a 403 without AWS's own code: it is denied by Vault only."""
    return 6 if shop.folder.name == "vault" else 5

"""`envkit promote` between two prefixes of OpenBao, and of Secrets Manager."""

import signal
import subprocess

import pytest

from support.fault_proxy import after, reset
from support.process import started

VARIABLES = """\
[variables]
NODE_ENV = "production"
DB_PASSWORD = "{{ S:db#password }}"
DATABASE_URL = "postgres://{{ S:db#user }}:{{ S:db#password | urlencode }}@db/app"
STRIPE_KEY = "{{ S:stripe#key }}"
API_KEY = "{{ S:#API_KEY }}"
"""
OLD = "[variables]\n\n# the end\n"
FIELDS = {"password": "p@ss", "user": "app"}


VALUES = {
    "staging/db": FIELDS,
    "staging/stripe": {"key": "sk_staging"},
    "staging/": {"API_KEY": "key_staging"},
}
THREE = ("DB_PASSWORD", "STRIPE_KEY", "API_KEY")
NAMES = ("NODE_ENV", "DB_PASSWORD", "DATABASE_URL", "STRIPE_KEY", "API_KEY")
ADDED = [f"added {name} to profiles/prod.toml" for name in NAMES]


def filled(store, project, variables=VARIABLES, values=VALUES):
    """Give `staging` variables and their values, and `prod` none."""
    variables = variables.replace("S:", f"{store.name}:")
    project.logged().profile("staging.toml", store.table("staging") + variables)
    project.profile("prod.toml", store.table("prod") + OLD)
    for path, fields in values.items():
        store.put(path, fields)
    store.lines = variables.removeprefix("[variables]\n")
    return store


@pytest.fixture
def store(store_folder, project):
    return filled(store_folder, project)


@pytest.fixture
def one_variable(vault_folder, project):
    """A Vault with a variable A that is to be promoted."""
    return filled(
        vault_folder, project, '[variables]\nA = "{{ S:a#b }}"\n', {"staging/a": {"b": "x"}}
    )


def run(project, store, *arguments):
    return project.run("promote", "staging", "prod", *arguments, env=store.environ)


def profile(project, store):
    """Return the text below the source's table in the profile of the target."""
    return (project.profiles / "prod.toml").read_text().removeprefix(store.table("prod"))


def done_lines(store, done):
    shown = store.told(done).splitlines()
    return [line for line in shown if line.startswith(("set ", "replaced ", "added "))]


def assert_all_is_there(project, store, **more):
    """Everything was promoted, and `prod/db` has `more` beside it."""
    assert store.fields("prod/db") == {**FIELDS, **more}
    assert store.fields("prod/stripe") == {"key": "sk_staging"}
    assert store.fields("prod/") == {"API_KEY": "key_staging"}
    assert profile(project, store) == f"[variables]\n{store.lines}\n# the end\n"
    assert run(project, store, "--secrets", "--plan").returncode == 0


def test_promote_fills_an_environment_that_has_nothing_yet(project, store):
    store.put("prod/db", {"password": "its own"})
    done = run(project, store, "--yes")
    assert done_lines(store, done) == ADDED
    name = store.name
    assert (
        "  DATABASE_URL: missing in AT/prod/db#user\n"
        f"    run: envkit set --ref '{name}:db#user' --env prod\n"
        "  STRIPE_KEY: missing in AT/prod/stripe#key\n"
        "    run: envkit set STRIPE_KEY --env prod\n"
    ) in store.told(done)
    assert profile(project, store) == f"[variables]\n{store.lines}\n# the end\n"
    assert store.fields("prod/db") == {"password": "its own"}
    assert run(project, store, "--plan").returncode == 0

    # the steps that it lists work
    for arguments in (["--ref", f"{name}:db#user"], ["STRIPE_KEY"], ["API_KEY"]):
        command = ("set", *arguments, "--env", "prod")
        done = project.run(*command, env=store.environ, input="prod's own")
        assert done.returncode == 0, done.stderr
    got = project.run("get", "DATABASE_URL", "--env", "prod", env=store.environ)
    assert got.stdout == "postgres://prod's own:its%20own@db/app"


def test_promote_with_secrets_copies_everything(project, store):
    store.put("prod/db", {"password": "its own", "other": "x"})
    done = run(project, store, "--secrets", "--yes")
    assert done_lines(store, done) == [
        "replaced DB_PASSWORD in AT/prod/db#password (version V)",
        "set DATABASE_URL in AT/prod/db#user (version V)",
        "set STRIPE_KEY in AT/prod/stripe#key (version V)",
        "set API_KEY in AT/prod#API_KEY (version V)",
        *ADDED,
    ]
    steps = [[name] for name in NAMES[1:]] + [list(NAMES)]
    records = [(record["names"], record["outcome"]) for record in project.records()]
    assert records == [(names, "ok") for names in steps]
    assert_all_is_there(project, store, other="x")
    assert store.told(run(project, store, "--secrets", "--plan")) == (
        "nothing to promote from staging to prod\n"
    )


def test_promote_stops_at_a_conflict_in_the_middle(project, store):
    """Another client writes the second value between the check of the plan and the write."""
    come_first = after(lambda: store.put("prod/stripe", {"key": "theirs"}))
    store.proxy.fault(come_first, when=store.is_write_of("prod/stripe"), times=1)
    done = run(project, store, *THREE, "--yes")
    assert done.returncode == 7, done.stderr
    assert done_lines(store, done) == ["set DB_PASSWORD in AT/prod/db#password (version V)"]
    assert (
        "envkit: note: not done: STRIPE_KEY, API_KEY, DB_PASSWORD; run the same "
        "command again to finish\n"
    ) in done.stderr
    assert store.fields("prod/db") == {"password": "p@ss"}
    assert store.fields("prod/stripe") == {"key": "theirs"}
    assert profile(project, store) == OLD
    assert [(record["names"], record["outcome"]) for record in project.records()] == [
        (["DB_PASSWORD"], "ok"),
        (["STRIPE_KEY"], "conflict"),
    ]

    done = run(project, store, *THREE, "--yes")
    assert done_lines(store, done)[:2] == [
        "replaced STRIPE_KEY in AT/prod/stripe#key (version V)",
        "set API_KEY in AT/prod#API_KEY (version V)",
    ]
    assert store.fields("prod/stripe") == {"key": "sk_staging"}
    assert run(project, store, *THREE, "--plan").returncode == 0


def test_promote_preserves_a_foreign_change_of_another_field(project, store):
    own = {"password": "its own", "user": "app"}
    store.put("prod/db", own)
    come_first = after(lambda: store.put("prod/db", {**own, "theirs": "x"}))
    store.proxy.fault(come_first, when=store.is_write_of("prod/db"), times=1)
    done = run(project, store, "DB_PASSWORD", "--yes")
    assert done.returncode == 0, done.stderr
    assert store.fields("prod/db") == {**FIELDS, "theirs": "x"}


@pytest.mark.parametrize(("killed_at", "served"), [("db", True), ("stripe", False), ("", True)])
def test_promote_finishes_what_a_killed_run_left(project, store, killed_at, served):
    """The next run finishes the promotion whether or not the interrupted write was served."""
    process = None

    def kill(exchange):
        if served:
            exchange.ask_upstream()
        process.send_signal(signal.SIGKILL)
        process.wait()
        reset()(exchange)

    store.proxy.fault(kill, when=store.is_write_of(f"prod/{killed_at}"), times=1)
    command = ("promote", "staging", "prod", "--secrets", "--yes")
    process = started(project, *command, env=store.environ, stdout=subprocess.DEVNULL)
    assert process.wait() == -signal.SIGKILL
    assert profile(project, store) == OLD  # no reader waits for a value that was not written
    store.proxy.heal()
    done = run(project, store, "--secrets", "--yes")
    assert done.returncode == 0, done.stderr
    assert_all_is_there(project, store)


def test_promote_stops_when_a_store_fails_on_one_side(project, store):
    """An unreadable value is not treated as missing."""
    if store.name == "vault":
        policy = store.openbao.policy({f"secret/data/{store.folder}/staging/*": ["read"]})
        store.environ["VAULT_TOKEN"] = store.openbao.token(policy)
    else:
        store.aws.deny("prod/db")
    for arguments in (["--plan"], ["--secrets", "--yes"]):
        done = run(project, store, "--only", "DB_PASSWORD", *arguments)
        assert done.returncode == 6, done.stderr
        assert "cannot promote 1 variable to prod" in done.stderr
    assert profile(project, store) == OLD


# ---------------------------------------------------------------- denied writes


def test_promote_writes_nothing_without_the_right_to_write_every_value(
    project, vault_folder, openbao
):
    """The other values are writable, and are written first."""
    vault = filled(vault_folder, project)
    base = f"secret/data/{vault.folder}"
    rights = {
        f"{base}/staging/*": ["read"],
        f"{base}/prod/db": ["create", "read", "update"],
        f"{base}/prod/stripe": ["read"],
    }
    vault.environ["VAULT_TOKEN"] = openbao.token(openbao.policy(rights))
    done = run(project, vault, "DB_PASSWORD", "STRIPE_KEY", "--yes")
    assert vault.told(done).partition("2> ")[2] == (
        "envkit: error: cannot promote 1 variable to prod; nothing was changed [access-denied]\n"
        "2>   STRIPE_KEY (AT/prod/stripe#key): cannot write AT/prod/stripe: permission denied\n"
        f"2> envkit: hint: allow 'update' on '{base}/prod/stripe' in the token's policy\n"
        "[6]\n"
    )
    operations = {asked.operation for asked in openbao.asked() if asked.path == f"{base}/prod/db"}
    assert operations == {"read"}
    assert profile(project, vault) == OLD


def test_promote_refuses_an_engine_without_compare_and_set(project, one_variable):
    table = one_variable.table("prod").replace('mount = "secret"', 'mount = "kv1"')
    project.profile("prod.toml", table + '[variables]\nA = "{{ vault:a#b }}"\n')
    done = run(project, one_variable, "A", "--yes")
    assert (done.returncode, "KV version 1 has no compare-and-set" in done.stderr) == (3, True)


def test_promote_writes_with_a_token_that_may_not_ask_for_its_rights(
    project, one_variable, openbao
):
    vault = one_variable
    policy = openbao.policy({f"secret/data/{vault.folder}/*": ["create", "read", "update"]})
    vault.environ["VAULT_TOKEN"] = openbao.token(policy, no_default_policy=True)
    assert run(project, vault, "A", "--yes").returncode == 0
    assert vault.fields("prod/a") == {"b": "x"}


def test_promote_writes_the_values_of_one_secret_as_one_version_with_a_record_each(project, store):
    store.put("prod/db", {"password": "its own", "user": "its own"})
    before = store.versions("prod/db")
    done = run(project, store, "--yes", "--secrets")
    assert done.returncode == 0, done.stderr
    assert store.fields("prod/db") == FIELDS
    assert len(store.versions("prod/db")) == len(before) + 1
    written = [record["names"] for record in project.records() if record["versions"]]
    assert len(written) == 4
    assert all(len(names) == 1 for names in written)

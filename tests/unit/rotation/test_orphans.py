"""Orphaned records: unfinished rotations that no profile names are found and finished."""

import json
import os
import secrets
import shlex

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import ConflictError, RotationError
from envkit.rotation.catalog import survey
from envkit.rotation.machine import Request
from envkit.rotation.orphans import find_orphans, finish, status_of_orphan
from envkit.rotation_state.record import Phase, Record
from envkit.rotation_state.stores.envelope import guard, pack
from envkit.secret import Secret
from support.rotating import record_file, stands, table

NOW = 1_795_577_472.0
OLD, NEW = {"KEY": "old"}, {"KEY": "new"}
BEFORE = ("claimed", "staged", "set", "tested", "reverting", "reverted")
AFTER = ("promoted", "grace", "retiring")


@pytest.fixture
def left(project):
    """A profile without rotations, with a `.env` file that has a rotated variable."""
    project.profile("prod.toml", '[variables]\nKEY = "{{ KEY }}"\n')

    def leave(phase, current="old", **fields):
        project.dotenv("prod", f"KEY={current}\n")
        if phase in ("reverting", "reverted"):
            fields["then"] = "idle"
        if phase != "idle":
            fields.setdefault("values", {"old": OLD, "new": NEW})
        stands(project, "prod", "key", "KEY", phase=phase, started_at=-60.0, **fields)
        return project

    return leave


def look(project, environ=None):
    surveyed = survey(str(project.profiles), environ=environ or {}, deadline=Deadline(30))
    return find_orphans(surveyed, environ=environ or {}, deadline=Deadline(30))


@pytest.mark.parametrize("phase", [*BEFORE, *AFTER])
def test_an_unfinished_rotation_in_no_profile_is_orphaned(left, phase):
    project = left(phase, "new" if phase in AFTER else "old")
    (orphan,) = look(project).orphans
    status = status_of_orphan(orphan)
    option = "--resume" if phase in AFTER else "--abort"
    assert (status.rotation, status.state, status.phase) == ("prod/key", "orphaned", phase)
    assert status.hint == f"restore its table, or run 'envkit rotate {option} prod/key'"
    assert status.needs_attention


def test_an_idle_record_is_not_orphaned(left):
    assert look(left("idle")).orphans == ()


def test_a_record_whose_secret_a_profile_rotates_is_not_orphaned(left):
    project = left("staged")
    project.profile("prod.toml", table("key", "KEY"))
    assert look(project).orphans == ()
    project.profile("prod.toml", table("renamed", "KEY"))
    assert look(project).orphans == (), "it is shown where the secret is rotated now"


def test_a_profile_that_now_rotates_another_secret_leaves_an_orphaned_record(left):
    project = left("staged")
    project.dotenv("prod", "KEY=old\nOTHER=x\n")
    project.profile("prod.toml", table("key", "OTHER"))
    (orphan,) = look(project).orphans
    assert (orphan.name, orphan.location) == ("prod/key", ".env.prod#KEY")


def test_no_record_is_orphaned_while_a_profile_cannot_be_read(left):
    project = left("staged")
    project.profile("worse.toml", "= no TOML")
    assert look(project).orphans == ()


@pytest.mark.parametrize(
    ("phase", "current", "requested", "told"),
    [
        ("claimed", "old", Request.ABORT, "had not created a new value yet"),
        ("set", "old", Request.ABORT, "may still work at db:5432, user app: remove it there"),
        ("tested", "old", Request.ABORT, "the current one is untouched"),
        # promoted, and not noted as such: a crash was in between
        ("tested", "new", Request.RESUME, "the store has the new value"),
        ("grace", "new", Request.RESUME, "may still work at db:5432, user app: remove it there"),
    ],
)
def test_an_orphaned_record_is_finished_without_its_target(left, phase, current, requested, told):
    project = left(phase, current, target_description="db:5432, user app", tries=3, error="x")
    (orphan,) = look(project).orphans
    with pytest.raises(RotationError, match="new value"):
        finish(orphan, Request.ABORT if requested == Request.RESUME else Request.RESUME, now=NOW)
    assert told in finish(orphan, requested, now=NOW)
    stored = json.loads(record_file(project, "prod", "KEY").read_text())
    assert "values" not in stored
    assert (stored["record"]["phase"], stored["record"]["tries"]) == ("idle", 0)
    assert (project.root / ".env.prod").read_text() == f"KEY={current}\n"
    assert look(project).orphans == ()


def test_an_orphaned_record_that_changed_meanwhile_is_left_alone(left):
    project = left("staged")
    (orphan,) = look(project).orphans
    left("tested")
    with pytest.raises(ConflictError):
        finish(orphan, Request.ABORT, now=NOW)
    assert "values" in json.loads(record_file(project, "prod", "KEY").read_text())


def test_an_orphaned_record_that_another_process_owns_is_left_alone(left):
    project = left("set", owner="host-2:7", busy_until=60.0)
    (orphan,) = look(project).orphans
    now = orphan.record.busy_until
    with pytest.raises(RotationError, match=r"host-2:7 is rotating \.env\.prod#KEY"):
        finish(orphan, Request.ABORT, now=now - 1)
    assert "may still work" in finish(orphan, Request.ABORT, now=now)


def envelope(name, field):
    record = Record(name, "1", Phase.STAGED, plan=f"random (alternate) of {field}", started_at=NOW)
    values = {kind: {field: Secret(text)} for kind, text in (("old", "x"), ("new", "y"))}
    return pack(record, values)


@pytest.fixture
def in_vault(project, openbao):
    """A profile that rotates one secret of a mount, and two records in that mount."""
    project.profile(
        "prod.toml",
        '[sources.vault]\nmount = "secret"\nprefix = "orphans"\n'
        + table("known", "vault:db#password"),
    )
    for path, field in (("db", "password"), ("gone/web", "key")):
        openbao.put(f"orphans/{path}", {field: "x"})
        name = f"prod/{'known' if path == 'db' else 'gone'}"
        openbao.put(f"envkit-rotation/orphans/{path}.{field}", envelope(name, field))
    return project


def test_an_orphaned_record_in_vault_is_found_and_finished(in_vault, openbao):
    environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    found = look(in_vault, environ)
    mine = [one for one in found.orphans if "/orphans/" in one.location]
    assert [(one.name, one.location) for one in mine] == [
        ("prod/gone", "vault:secret/orphans/gone/web#key")
    ]
    assert found.not_looked_at == ()
    finish(mine[0], Request.ABORT, now=NOW)
    assert not [one for one in look(in_vault, environ).orphans if "/orphans/" in one.location]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("shop/db#key", {"shop/db.old#key", "shop/web#key", "shop/api/web#key"}),
        ("shop/api/web#key", {"shop/api/web#key"}),
        ("db#key", {"web#key"}),
        ("/secret/shop/db#key", {"shop/db.old#key", "shop/web#key", "shop/api/web#key"}),
    ],
    ids=["in a folder", "in a subfolder", "at the top of the mount", "by its whole path"],
)
def test_records_of_other_projects_in_the_mount_are_not_orphaned(project, openbao, written, found):
    top = f"mount-{secrets.token_hex(4)}"
    openbao.mount(top, version=2)
    others = ("web", "shop/db.old", "shop/web", "shop/api/web", "shopping/web", "other/db")
    for path in ("db", "shop/db", *others):
        openbao.put(path, {"key": "x"}, mount=top)
    for path in others:
        openbao.put(f"envkit-rotation/{path}.key", envelope("prod/key", "key"), mount=top)
    written = written.replace("/secret/", f"/{top}/")
    project.profile(
        "prod.toml",
        f'[sources.vault]\nmount = "{top}"\n[variables]\nA = "{{{{ vault:{written} }}}}"\n',
    )
    environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    orphans = look(project, environ).orphans
    assert {one.location for one in orphans} == {f"vault:{top}/{name}" for name in found}
    several = len(found) > 1
    words = {one.location if several else "prod/key" for one in orphans}
    assert {shlex.split(one.word)[0] for one in orphans} == words


def test_a_project_folder_in_vault_may_be_a_secret_itself(project, openbao):
    top = f"mount-{secrets.token_hex(4)}"
    openbao.mount(top, version=2)
    for path in ("shop/prod", "shop/prod/web", "shop/staging"):
        openbao.put(path, {"key": "x"}, mount=top)
        openbao.put(f"envkit-rotation/{path}.key", envelope("prod/key", "key"), mount=top)
    project.profile(
        "prod.toml",
        f'[sources.vault]\nmount = "{top}"\nprefix = "shop/prod"\n'
        '[variables]\nA = "{{ vault:#key }}"\n',
    )
    environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    found = [one.location for one in look(project, environ).orphans]
    assert found == [f"vault:{top}/shop/prod#key", f"vault:{top}/shop/prod/web#key"]


def test_a_mount_that_may_not_be_listed_is_reported(in_vault, openbao):
    policy = openbao.policy({"secret/data/orphans/*": ("read",)})
    environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.token(policy)}
    assert look(in_vault, environ) == (
        (),
        ("vault:secret: the token may not list secret/metadata/envkit-rotation/orphans/",),
    )


def test_an_orphaned_record_in_an_aws_secret_that_a_variable_reads_is_found(project, aws):
    aws.put("db", json.dumps({"password": "x"}))
    aws.put("web", json.dumps({"key": "x"}))
    for secret, name, field in (("db", "known", "password"), ("web", "gone", "key")):
        aws.admin.put_secret_value(
            SecretId=f"{aws.prefix}{secret}",
            SecretString=json.dumps(
                {**guard("see 'records'"), "records": {field: envelope(f"prod/{name}", field)}}
            ),
            VersionStages=["ENVKIT_ROTATION"],
        )
    project.profile(
        "prod.toml",
        f'[sources.aws]\ntype = "aws-secrets-manager"\nprefix = "{aws.prefix}"\n'
        '[variables]\nKEY = "{{ aws:web#key }}"\nDB = "{{ aws:db#password }}"\n'
        + table("known", "aws:db#password"),
    )
    (orphan,) = look(project, dict(os.environ)).orphans
    assert (orphan.name, orphan.location) == ("prod/gone", f"aws:{aws.prefix}web#key")

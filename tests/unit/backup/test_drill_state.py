"""The file with the last drills, and the metrics."""

import json
import stat

import pytest

from envkit.backup.drill import Drilled, DrillReport
from envkit.backup.drill_state import FILE, last_drill, last_drills, metrics, save_drill
from envkit.backup.format import EnvironmentBackup
from envkit.errors import AbsentError, VariableFailure
from support.backups import backup_of

FAILURE = VariableFailure("DB", "profiles/prod.toml:2", AbsentError("missing"))
BACKUP = backup_of(EnvironmentBackup("prod", {}, ()))


def report(at, *failures, name="prod"):
    return DrillReport((Drilled(name, 3, (), failures),), at, 60.0, 0.25)


def saved(environ):
    return [(one.environment, one.at, one.failures) for one in last_drills(environ)]


def test_the_last_drill_of_each_environment_is_kept(tmp_path):
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    assert last_drills(environ) == []
    for one in (report(1.0), report(2.0, FAILURE), report(3.0, name="staging")):
        save_drill(one, BACKUP, file="prod.age", sha256="ab", environ=environ)
    assert saved(environ) == [("prod", 2.0, ("DB",)), ("staging", 3.0, ())]
    path = tmp_path / "envkit" / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [first, _] = last_drills(environ)
    assert (first.folder, first.backup_created_at) == ("/srv/shop/profiles", BACKUP.created_at)


def test_the_drill_of_an_environment_is_that_of_its_folder_and_name(tmp_path):
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    assert last_drill("/srv/shop/profiles", "prod", environ) is None
    for one in (report(1.0), report(2.0, name="eu")):
        save_drill(one, BACKUP, file="prod.age", sha256="ab", environ=environ)
    found = last_drill("/srv/shop/profiles", "prod", environ)
    assert found is not None
    assert found.at == 1.0
    assert last_drill("/srv/other/profiles", "prod", environ) is None
    assert last_drill("/srv/shop/profiles", "dev", environ) is None


ENTRY = {
    "folder": "/srv/shop/profiles",
    "environment": "prod",
    "at": 1796008800.0,
    "backup_created_at": 1796004000,
    "duration_seconds": 0.4,
    "sha256": "5eed",
    "file": "/backup/prod.age",
    "resolved": 12,
    "failures": ["DB"],
}


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{", "null", '{"version": 1}', "[" * 100_000),
        *(
            json.dumps({"version": version, "drills": [entry]})
            for version, entry in [
                (9, ENTRY),
                (1, {"at": 1}),
                (1, {**ENTRY, "at": "now"}),
                (1, {**ENTRY, "at": float("nan")}),
                (1, {**ENTRY, "at": float("inf")}),
                (1, {**ENTRY, "backup_created_at": 10**12}),
                (1, {**ENTRY, "backup_created_at": -1}),
                (1, {**ENTRY, "resolved": True}),
                (1, {**ENTRY, "failures": [1]}),
                (1, {**ENTRY, "failures": "DB"}),
                (1, {**ENTRY, "another": 1}),
            ]
        ),
    ],
)
def test_a_damaged_file_counts_as_no_drill_and_is_replaced(tmp_path, text):
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    (tmp_path / "envkit").mkdir()
    (tmp_path / "envkit" / FILE).write_text(text)
    assert last_drills(environ) == []
    save_drill(report(1.0), BACKUP, file="prod.age", sha256="ab", environ=environ)
    assert saved(environ) == [("prod", 1.0, ())]


def samples(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_metrics_say_whether_the_drill_succeeded_and_how_old_the_backup_is():
    assert samples(metrics(report(1_796_008_800.0), BACKUP, at=1_796_008_800.0)) == {
        "envkit_backup_drill_success": "1",
        "envkit_backup_drill_timestamp_seconds": "1796008800",
        "envkit_backup_created_timestamp_seconds": str(BACKUP.created_at),
        "envkit_backup_drill_duration_seconds": "0.250",
        'envkit_backup_drill_failures{environment="prod"}': "0",
    }
    failed = samples(metrics(report(1.0, FAILURE, name='a"b'), BACKUP, at=1.0))
    assert failed["envkit_backup_drill_success"] == "0"
    assert failed['envkit_backup_drill_failures{environment="a\\"b"}'] == "1"


def test_metrics_of_a_file_that_cannot_be_decrypted_report_a_failure():
    assert samples(metrics(None, None, at=1.0)) == {
        "envkit_backup_drill_success": "0",
        "envkit_backup_drill_timestamp_seconds": "1",
    }


def test_metrics_are_in_the_format_of_prometheus():
    from prometheus_client.parser import text_string_to_metric_families

    families = text_string_to_metric_families(metrics(report(1.0, FAILURE), BACKUP, at=1.0))
    assert [family.name for family in families][-1] == "envkit_backup_drill_failures"

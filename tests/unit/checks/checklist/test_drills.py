"""The state file of drills: the entry of an environment, and a file that is not one."""

from __future__ import annotations

import json

import pytest

from envkit.checks.checklist.drills import Drill, last_drill

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


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / "envkit" / "backup-drills.json"
        path.parent.mkdir(mode=0o700)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        path.chmod(0o600)

        def read(folder="/srv/shop/profiles", environment="prod"):
            return last_drill(folder, environment, {"XDG_STATE_HOME": str(tmp_path)})

        return read

    return save


def test_the_drill_of_an_environment_is_that_of_its_folder_and_name(saved):
    other = {**ENTRY, "environment": "eu", "resolved": 3}
    read = saved({"version": 1, "drills": [other, ENTRY]})
    assert read() == Drill(1796008800.0, 1796004000.0, 12, ("DB",), "5eed")
    assert read("/srv/other/profiles") is None
    assert read(environment="dev") is None


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", "null"),
        {"version": 2, "drills": [ENTRY]},
        {"version": 1},
        {"version": 1, "drills": [{"folder": "/srv/shop/profiles", "environment": "prod"}]},
        {"version": 1, "drills": [{**ENTRY, "at": "now"}]},
    ],
)
def test_a_file_that_is_not_valid_has_no_drill(saved, content):
    assert saved(content)() is None


def test_without_a_file_there_was_no_drill(tmp_path):
    assert last_drill("/x", "prod", {"XDG_STATE_HOME": str(tmp_path)}) is None

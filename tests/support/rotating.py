"""A project with rotated secrets in `.env` files, and their rotation records."""

from __future__ import annotations

import json
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from envkit._internal.clock import Deadline
from envkit.rotation.catalog import collect
from envkit.rotation.jobs import run_rotation
from envkit.rotation_state.record import AT_REST, Record
from envkit.rotation_state.stores.envelope import pack
from envkit.secret import Secret
from support.transcript import transcript

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

    from envkit.errors import EnvkitError
    from envkit.rotation.catalog import Rotation
    from envkit.rotation.outcome import Outcome

DAY = 86_400.0
START = 1_795_577_472.0  # the first time of the clock of a test


def one_rotation(profiles: Path, environ: Mapping[str, str] | None = None) -> Rotation:
    """Return the only rotation of a folder of profiles; none of them may be broken."""
    found = collect(str(profiles), environ=environ or {}, deadline=Deadline(30))
    assert not found.broken
    (one,) = found.rotations
    return one


class Rotating:
    """The only rotation of a folder of profiles, run for real at the time that a test sets.

    Attributes:
        now: what the clock says.
        warnings: printed in addition to the outcomes.
    """

    def __init__(self, profiles: Path, environ: Mapping[str, str]) -> None:
        self.profiles = profiles
        self.environ = environ
        self.now = START
        self.warnings: list[EnvkitError] = []

    def rotation(self) -> Rotation:
        return one_rotation(self.profiles, self.environ)

    def run(self, requested: str = "", **options: Any) -> Outcome:
        """Run it once; `options` are those of `run_rotation`."""
        return run_rotation(
            self.rotation(),
            environ=self.environ,
            requested=requested,
            clock=lambda: self.now,
            warn=self.warnings.append,
            **options,
        )


def table(name: str, secret: str, *lines: str, rotator: str = "random", when: str = "") -> str:
    """Return the table of one rotation.

    Args:
        name: its own.
        secret: the variable of the profile's `.env` file, or a whole reference.
        lines: more of it.
        rotator: the type.
        when: `every` unless given.
    """
    reference = secret if ":" in secret else f"dotenv:{secret}"
    body = [f'secret = "{reference}"', f'rotator = "{rotator}"', when or 'every = "30d"', *lines]
    return "\n".join([f"[rotation.{name}]", *body, ""])


# it never fails, and says who uses the old value as a file does
_REPORTING = """#!{python}
import json, sys
json.load(sys.stdin)
print(json.dumps({{"in_use": json.load(open({users!r}))}}))
"""


def reporting_rotator(folder: Path) -> tuple[str, Path]:
    """Return the `target` of a `command` that says who uses the old value, and the file with that.

    At first, 3 sessions of app_a use it.
    """
    users, program = folder / "users.json", folder / "rotator"
    users.write_text(
        '[{"user": "app_a", "address": "10.0.0.5", "application": "web", "sessions": 3}]'
    )
    program.write_text(_REPORTING.format(python=sys.executable, users=str(users)))
    program.chmod(0o755)
    return f'target = {{ command = ["{program}"], verify_retired = false }}', users


def values(project, environment: str) -> dict[str, str]:
    """Return the content of `.env.ENVIRONMENT`."""
    lines = (project.root / f".env.{environment}").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def record_file(project, environment: str, variable: str) -> Path:
    """Return the path of the rotation record of a variable."""
    return project.root / f".env.{environment}.{variable}.envkit-rotation"


def stands(project, environment: str, name: str, variable: str, **fields: object) -> None:
    """Write a rotation record, to start from a given phase.

    Args:
        project: whose.
        environment: the profile.
        name: the rotation's.
        variable: that is rotated.
        fields: of the record; times are seconds from now, negative for the past. `values` are the
            pending values (default: those of a rotation in progress).
    """
    if fields.get("phase") not in (None, *AT_REST) and "values" not in fields:
        fields["values"] = {"old": {variable: "old"}, "new": {variable: "new"}}
    pending = {
        kind: {field: Secret(text) for field, text in of_kind.items()}
        for kind, of_kind in fields.pop("values", {}).items()
    }
    now = time.time()
    filled = {
        key: now + value if key.endswith(("_at", "_until")) and value is not None else value
        for key, value in fields.items()
    }
    made = Record(f"{environment}/{name}", id="0" * 32, **filled)
    path = record_file(project, environment, variable)
    path.write_text(json.dumps(pack(made, pending)))
    path.chmod(0o600)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """Return the transcript, with TIME for each time, because times differ between runs."""
    return re.sub(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d UTC", "TIME", transcript(done))

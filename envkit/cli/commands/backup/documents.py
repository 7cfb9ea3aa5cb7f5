"""What the commands for backups print with `--format json`. No document contains a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envkit.backup.format import moment
from envkit.backup.restore_plan import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit.backup.collect import Collected
    from envkit.backup.drill import DrillReport
    from envkit.backup.format import Backup
    from envkit.backup.restore import Restoration
    from envkit.backup.restore_plan import PlannedPlace
    from envkit.backup.verify import Comparison
    from envkit.cli.commands.backup.opening import Opened
    from envkit.errors import VariableFailure


def made(collected: Collected, output: str, sha256: str, *, written: bool) -> dict[str, Any]:
    """Return the document of `envkit backup`."""
    backup = collected.backup
    return {
        "file": output,
        "written": written,
        "backup": _backup(backup, sha256),
        "secrets": [
            {"environment": one.name, **_keys(saved, "names", "where", "version")}
            for one in backup.environments
            for saved in one.secrets
            if saved.value is not None
        ],
        "left_out": [
            {"environment": one.name, **_keys(left, "names", "where", "why")}
            for one in backup.environments
            for left in one.left_out
        ],
        "failures": _failures(collected.failures),
    }


def verified(opened: Opened, compared: Comparison) -> dict[str, Any]:
    """Return the document of `envkit backup verify`."""
    return {
        "backup": _backup(opened.backup, opened.sha256),
        "secrets": [
            {
                **_keys(one, "environment", "names", "state", "where"),
                "backup_version": one.version,
                "store_version": one.current_version,
            }
            for one in compared.places
        ],
        "failures": _failures(compared.failures),
    }


def drilled(opened: Opened, report: DrillReport) -> dict[str, Any]:
    """Return the document of `envkit backup drill`."""
    return {
        "backup": _backup(opened.backup, opened.sha256),
        "passed": not report.failures,
        "duration_seconds": round(report.duration_seconds, 3),
        "environments": [
            {
                "name": one.name,
                "resolved": one.resolved,
                "not_covered": list(one.not_covered),
                "failures": _failures(one.failures),
            }
            for one in report.environments
        ],
    }


def restored(
    opened: Opened,
    restoration: Restoration,
    written: Mapping[int, str | None],
    failures: Iterable[VariableFailure],
) -> dict[str, Any]:
    """Return the document of `envkit restore`.

    Args:
        opened: the backup.
        restoration: the plan.
        written: by the `id` of a place in the plan, the new version of its secret.
        failures: of the writes.
    """
    return {
        "backup": _backup(opened.backup, opened.sha256),
        "changes": [
            {**_place(one), "done": id(one) in written, "version": written.get(id(one))}
            for one in restoration.plan
            if one.action in (Action.RESTORE, Action.REPLACE)
        ],
        "left": [
            _place(one)
            for one in restoration.plan
            if one.action not in (Action.RESTORE, Action.REPLACE, Action.FAILED)
        ],
        "failures": _failures([*restoration.failures, *failures]),
    }


def _backup(backup: Backup, sha256: str) -> dict[str, Any]:
    return {
        "environments": backup.names,
        "created": moment(backup.created_at),
        "host": backup.host,
        "sha256": sha256,
        "complete": backup.complete,
    }


def _place(one: PlannedPlace) -> dict[str, Any]:
    place = one.place
    return {
        "environment": place.environment,
        "names": place.wanted.names,
        "action": one.action,
        "where": place.where,
        "backup_version": place.wanted.version,
        "store_version": place.current.version if place.current else None,
        "rotation": place.rotation or None,
    }


def _failures(failures: Iterable[VariableFailure]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "where": one.location,
            "code": one.error.code,
            "reason": one.error.message,
            "hint": one.error.hint or "",
        }
        for one in failures
    ]


def _keys(one: object, *names: str) -> dict[str, Any]:
    return {name: getattr(one, name) for name in names}

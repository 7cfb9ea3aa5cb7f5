"""`envkit doctor`: diagnose profiles, settings and logins to stores; list the running watchers."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from envkit.arguments import timeout_seconds
from envkit.checks.doctor import examine
from envkit.checks.doctor_stores import CheckStatus
from envkit.cli.formats.rotation.moments import iso, since
from envkit.cli.output import Cell, print_json, print_table, printable, short_version
from envkit.cli.parameters import AnyEnv, Format, Formatted, Profiles, Timeout
from envkit.resident.holding import Holding, running

EXAMPLE = "envkit doctor --env prod"

_ENDING = {"renew_at": "RENEWED", "replace_at": "READ ANEW"}  # times of a source of a watcher

_STYLES = {
    CheckStatus.OK: "green",
    CheckStatus.NOTE: "dim",
    CheckStatus.WARNING: "yellow",
    CheckStatus.ERROR: "red",
}


def doctor(
    env: AnyEnv = None,
    format_: Formatted = Format.TABLE,
    timeout: Timeout = None,
    profiles: Profiles = None,
    watchers: Annotated[
        bool,
        typer.Option(
            "--watchers",
            help="List each running 'exec --watch' with its variables and versions.",
        ),
    ] = False,
) -> int:
    """Find problems with profiles, settings and logins to stores."""
    if watchers:
        _show(running(), format_)
        return 0
    report = examine(env or (), profiles=profiles, timeout_seconds=timeout_seconds(timeout))
    if format_ is Format.JSON:
        checks = [check._asdict() for check in report.checks]
        print_json({**report._asdict(), "healthy": report.healthy, "checks": checks})
    else:
        print(f"envkit {report.envkit}, Python {report.python}\n")
        rows: list[list[str | Cell]] = []
        for check in report.checks:
            status = Cell(check.status, _STYLES[check.status])
            rows.append([status, check.profile, check.source, check.message])
            if check.hint:
                rows.append(["", "", "", Cell(check.hint, "cyan")])
        print_table(("STATUS", "PROFILE", "SOURCE", "WHAT"), rows)
    return 0 if report.healthy else 1


def _show(watchers: list[Holding], format_: Format) -> None:
    if format_ is Format.JSON:
        print_json({"watchers": [_for_programs(one) for one in watchers]})
        return
    if not watchers:
        print("no process of yours watches an environment")
    now = time.time()
    for number, one in enumerate(watchers):
        begun = since(one.since, now)
        profiles = printable(", ".join(one.profiles))
        if number:
            print()
        print(f"process {one.pid}, {profiles}, started {begun}")
        if one.failure:
            print(f"the changed environment is not used: {one.failure}")
        ending = [at for at in _ENDING if any(known.get(at) for known in one.sources.values())]
        sources: list[list[str | Cell]] = [
            [
                printable(name),
                f"every {source['poll_seconds']:g} s",
                "" if source["next_look"] is None else since(source["next_look"], now),
                Cell(source["failure"], "red") if source["failure"] else Cell("ok", "green"),
                *(since(source[at], now) if source.get(at) else "" for at in ending),
            ]
            for name, source in one.sources.items()
        ]
        titles = (_ENDING[at] for at in ending)
        print_table(("SOURCE", "LOOK", "NEXT", "LAST", *titles), sources)
        print()
        variables: list[list[str | Cell]] = [
            [
                printable(name),
                printable(", ".join(map(short_version, variable["versions"]))),
                since(variable["since"], now),
            ]
            for name, variable in one.variables.items()
        ]
        print_table(("VARIABLE", "VERSION", "CHANGED"), variables)


def _for_programs(one: Holding) -> dict[str, object]:
    times = ("next_look", *_ENDING)
    sources = {
        name: {**source, **{at: iso(source[at]) if source.get(at) else None for at in times}}
        for name, source in one.sources.items()
    }
    variables = {
        name: {**variable, "since": iso(variable["since"])}
        for name, variable in one.variables.items()
    }
    return {**one._asdict(), "since": iso(one.since), "sources": sources, "variables": variables}

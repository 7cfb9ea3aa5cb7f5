"""Compare the values of environments. Pure.

    report = diff(staging, prod)

The result is an `EnvDiff`, from which a masked value cannot be recovered. A variable that is
secret on one side is masked on all sides.
"""

from __future__ import annotations

import hmac
import os

from envkit._internal.paths import display_path
from envkit.comparison.findings import (
    literal_findings,
    origin_findings,
    rule_findings,
    value_findings,
)
from envkit.comparison.model import (
    FINGERPRINT_DIGITS,
    Cell,
    CellState,
    DiffStatus,
    Entry,
    EnvDiff,
    gravest_first,
    length_class,
)
from envkit.comparison.reuse import PLAIN_TYPES, find_reused
from envkit.detection.value_parts import ValueKind, kind_of
from envkit.errors import AbsentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.comparison.side import Side
    from envkit.profile.declaration import Declaration
    from envkit.profile.location import Location
    from envkit.resolution.environment import Variable


def diff(*sides: Side, reveal: bool = False, key: bytes | None = None) -> EnvDiff:
    """Compare two or more environments.

    Args:
        sides: as `read_sides` returns them.
        reveal: show secrets in clear; the caller has confirmed that with the user.
        key: the key of the fingerprints, for tests; default: random.
    """
    comparison = _Comparison(sides, reveal=reveal, key=key or os.urandom(32))
    names = dict.fromkeys(name for side in sides for name in side.names())
    entries = [comparison.entry(name) for name in names]
    return EnvDiff(tuple(side.label for side in sides), gravest_first(entries))


class _Comparison:
    def __init__(self, sides: Sequence[Side], *, reveal: bool, key: bytes) -> None:
        self.sides = sides
        self.reveal = reveal
        self.key = key
        self.variables = [{v.name: v for v in side.environment.variables()} for side in sides]
        self.failures = [{failure.name: failure for failure in side.failures} for side in sides]
        self.secret = {
            name
            for side, variables in zip(sides, self.variables, strict=True)
            if not side.assumed
            for name in (*side.secret_names, *(v.name for v in variables.values() if v.secret))
        }
        self.any_assumed = any(side.assumed for side in sides)
        self.reused = find_reused(sides)
        self.paths: dict[str, str] = {}

    def fingerprint(self, text: str) -> str:
        data = text.encode("utf-8", "surrogateescape")
        return hmac.digest(self.key, data, "sha256").hex()[:FINGERPRINT_DIGITS]

    def entry(self, name: str) -> Entry:
        found = [variables.get(name) for variables in self.variables]
        secret = self.masked(name, found)
        cells = tuple(
            self.cell(index, name, variable, secret=secret) for index, variable in enumerate(found)
        )
        hidden = secret and not self.reveal
        reused = self.reused.get(name, ())
        findings = (
            *reused,
            *value_findings(found, hidden=hidden),
            *(() if reused else origin_findings(found)),
            *literal_findings(found),
            *rule_findings(self.declared(name), hidden=hidden),
        )
        values = [variable.value.reveal() for variable in found if variable is not None]
        status, *also = _statuses(cells, values, reused=bool(reused)) or [DiffStatus.SAME]
        return Entry(name, status, cells, findings, tuple(also))

    def masked(self, name: str, found: Sequence[Variable | None]) -> bool:
        """Return whether to mask it: a profile declares it secret, or no profile decides."""
        if name in self.secret or not self.any_assumed:
            return name in self.secret
        if any(d.secret is False or d.type in PLAIN_TYPES for d in self.declared(name) if d):
            return False
        pairs = [(side, v.value.reveal()) for side, v in zip(self.sides, found, strict=True) if v]
        literals = [text for side, text in pairs if not side.assumed]
        return any(
            side.assumed
            and text not in literals
            and kind_of(text) not in (ValueKind.BOOL, ValueKind.EMPTY)
            for side, text in pairs
        )

    def declared(self, name: str) -> list[Declaration | None]:
        return [side.declared.get(name) for side in self.sides]

    def cell(self, index: int, name: str, variable: Variable | None, *, secret: bool) -> Cell:
        if variable is None:
            return self.empty_cell(index, name)
        text = variable.value.reveal()
        return Cell(
            CellState.VALUE,
            shown=None if secret and not self.reveal else text,
            secret=secret,
            length=length_class(len(text)),
            fingerprint=self.fingerprint(text) if secret else "",
            origins=tuple(dict.fromkeys([origin.location for origin in variable.origins])),
            location=self.place(variable.location),
        )

    def empty_cell(self, index: int, name: str) -> Cell:
        declaration = self.sides[index].declared.get(name)
        location = self.place(declaration.location if declaration else None)
        failure = self.failures[index].get(name)
        if failure is None:
            return Cell(
                CellState.ABSENT if declaration else CellState.UNDECLARED, location=location
            )
        location = location or failure.location
        error = failure.error
        if isinstance(error, AbsentError):
            return Cell(CellState.ABSENT, location=location, reason=error.message)
        return Cell(CellState.UNREADABLE, location=location, reason=error.message, code=error.code)

    def place(self, location: Location | None) -> str:
        if location is None:
            return ""
        path = self.paths.get(location.path)
        if path is None:
            path = self.paths[location.path] = display_path(location.path)
        return f"{path}:{location.line}"


def _statuses(cells: Sequence[Cell], values: Sequence[str], *, reused: bool) -> list[DiffStatus]:
    """Return all statuses of a variable, the most severe first; none if there is no difference."""
    known = [cell for cell in cells if cell.state != CellState.UNREADABLE]
    lacking = len(values) < len(known) and (values or any(cell.reason for cell in known))
    answers = {
        DiffStatus.REUSED: reused,
        DiffStatus.UNREADABLE: len(known) < len(cells),
        DiffStatus.MISSING: lacking,
        DiffStatus.DIFFERENT: len(set(values)) > 1,
    }
    return [status for status, holds in answers.items() if holds]

"""Compare profiles without their values. Pure: contacts no store.

    report = diff_keys({"staging": staging, "prod": prod})

Finds the variables that a profile lacks, literals in one profile that are placeholders in
another, and rules that differ. Two literals are compared; the value of a placeholder is not
known here, so two placeholders count as the same.
"""

from __future__ import annotations

from envkit.comparison.findings import rule_findings
from envkit.comparison.model import (
    Cell,
    CellState,
    DiffStatus,
    Entry,
    EnvDiff,
    Finding,
    FindingKind,
    gravest_first,
)
from envkit.profile.model import Profile
from envkit.profile.placeholder import Literal
from envkit.resolution.plan import plan
from envkit.resolution.selection import choose, globs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from envkit.profile.declaration import Declaration
    from envkit.resolution.plan import PlannedVariable


def diff_keys(
    sides: Sequence[tuple[str, Profile | Collection[str]]],
    *,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> EnvDiff:
    """Compare two or more profiles.

    Args:
        sides: by label, a profile, or the names of the variables of a file or a process.
        only: globs; variables that match none of them are left out.
        exclude: globs; variables that match one of them are left out.

    Raises:
        UsageError: no side has a variable that `only` or `exclude` names.
        ProfileError: variables refer to each other in a cycle.
        ResolutionError: references name sources that a profile does not have.
    """
    known = [_variables(side) for _, side in sides]
    names = dict.fromkeys(name for variables in known for name in variables)
    only, exclude = globs(only), globs(exclude)
    where = ", ".join(label for label, _ in sides)
    chosen = choose(names, where, only=only, exclude=exclude)
    entries = [_entry(name, known) for name in chosen]
    return EnvDiff(tuple(label for label, _ in sides), gravest_first(entries))


def _variables(side: Profile | Collection[str]) -> Mapping[str, PlannedVariable | None]:
    if isinstance(side, Profile):
        return {variable.name: variable for variable in plan(side, side.variables).order}
    return dict.fromkeys(side)


def _entry(name: str, known: Sequence[Mapping[str, PlannedVariable | None]]) -> Entry:
    variables = [each.get(name) for each in known]
    declared = [variable.declaration if variable else None for variable in variables]
    secret = any(variable.secret for variable in variables if variable)
    cells = tuple(
        _cell(declaration, secret=secret) if name in each else Cell(CellState.UNDECLARED)
        for declaration, each in zip(declared, known, strict=True)
    )
    findings = (*_form(declared), *rule_findings(declared, hidden=secret))
    literals = {text for d in declared if d and (text := _literal(d)) is not None}
    differs = (DiffStatus.DIFFERENT,) if findings or len(literals) > 1 else ()
    if any(name not in each for each in known):
        return Entry(name, DiffStatus.MISSING, cells, findings, differs)
    return Entry(name, *(differs or (DiffStatus.SAME,)), cells, findings)


def _cell(declaration: Declaration | None, *, secret: bool) -> Cell:
    if declaration is None:
        return Cell(CellState.VALUE, secret=True)
    literal = _literal(declaration)
    if literal is not None:
        shown = None if secret else literal
        return Cell(CellState.VALUE, shown, secret, location=declaration.place)
    operands = dict.fromkeys(
        str(placeholder.operand)
        for placeholder in declaration.template.placeholders
        if not isinstance(placeholder.operand, Literal)
    )
    shown = " ".join(f"{{{{ {operand} }}}}" for operand in operands)
    return Cell(CellState.PLACEHOLDER, shown, secret, location=declaration.place)


def _literal(declaration: Declaration) -> str | None:
    """Return the value that a profile itself contains; None if the value is read elsewhere."""
    texts = []
    for part in declaration.template.parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part.operand, Literal):
            texts.append(str(part))
        else:
            return None
    return "".join(texts)


def _form(declared: Sequence[Declaration | None]) -> Sequence[Finding]:
    """Find variables that are literals in one profile and are read from elsewhere in another."""
    forms = tuple(
        "" if each is None else "placeholder" if _literal(each) is None else "literal"
        for each in declared
    )
    return (
        [Finding(FindingKind.LITERAL, shown=forms)]
        if {"literal", "placeholder"} <= set(forms)
        else []
    )

"""The sentences of `envkit diff`: a note for each finding, sometimes with advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from envkit.cli.formats.diff.report import is_profile
from envkit.cli.output import printable
from envkit.comparison.model import CellState, DiffStatus, FindingKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from envkit.cli.formats.diff.report import Report, Section
    from envkit.comparison.model import Cell, Entry, Finding, Place

MASK = "********"
NOT_SET = "not set"  # use this wording everywhere
MAX_LISTED = 8
MAX_SIDE_BY_SIDE = 3
MAX_VALUE_CHARACTERS = 40
_LOOKS_LIKE = {
    "int": "a whole number",
    "float": "a number",
    "bool": "a boolean",
    "url": "a URL",
    "json": "JSON",
    "text": "text",
    "empty": "an empty string",
}


class Code(str):
    """Part of a sentence that is a name, a value or a command."""

    __slots__ = ()


class Note(NamedTuple):
    """A sentence and its advice, in parts; names, values and commands are `Code`."""

    text: tuple[str, ...]
    advice: tuple[str, ...] = ()
    dangerous: bool = False


def summary(report: Report) -> str:
    """Return one line with the number of variables per status; a shared secret counts once."""
    counts = report.diff.counts
    same = counts.pop(DiffStatus.SAME)
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    variables, secrets = counts[DiffStatus.REUSED], report.reused_secrets
    if variables != secrets:
        plural = "" if variables == 1 else "s"
        parts[0] = f"{secrets} reused in {variables} variable{plural}"
    if parts or report.ignored:
        parts += [f"{same} the same"] if same else []
    else:
        labels = "".join(_listed(report.environments))
        alike = "declare the same" if report.profiles_only else "are the same"
        parts = [f"{labels} {alike}: {same} variable{'' if same == 1 else 's'}"]
    if report.hidden:
        parts[-1] += " (--all shows them)"
    if report.ignored:
        parts.append(f"{len(report.ignored)} ignored")
    return ", ".join(parts)


def folded_text(section: Section) -> str:
    """Return the line that replaces secrets that are expected to differ."""
    count = len(section.folded)
    return (
        "1 secret differs, as it should"
        if count == 1
        else f"{count} secrets differ, as they should"
    )


def legend(report: Report) -> tuple[str, ...]:
    """Return how to read the table, in parts; empty if it has no masks or placeholders."""
    if report.profiles_only:
        return ("Only the profiles were compared: two placeholders count as the same value.",)
    if report.has_fingerprints:
        meaning = (
            " is a secret, with the range of its length and a fingerprint. Equal values have "
            "equal fingerprints, in this report only."
        )
        return (Code(MASK), meaning)
    return ()


def fitting_text(cell: Cell, width: int) -> str:
    """Return the text of a cell; omit the length of a secret if it does not fit."""
    text = cell_text(cell)
    if cell.state == CellState.VALUE and cell.shown is None and len(text) > width:
        return f"{MASK} {cell.fingerprint}".rstrip()
    return text


def cell_text(cell: Cell) -> str:
    """Return the text for a variable in one environment; never a secret."""
    if cell.state == CellState.VALUE:
        if cell.shown is not None:
            return quoted(cell.shown)
        return " ".join(word for word in (MASK, cell.length, cell.fingerprint) if word)
    if cell.state == CellState.PLACEHOLDER:
        return printable(cell.shown or "")
    return "unreadable" if cell.state == CellState.UNREADABLE else NOT_SET


def quoted(text: str) -> str:
    """Return a value on one line, quoted if its ends would be invisible."""
    shown = printable(text)
    return shown if text and text == text.strip() else f'"{shown}"'


def notes(entry: Entry, report: Report) -> list[Note]:
    """Return the notes on a variable, most dangerous first."""
    writer = _NoteWriter(entry, report)
    found = [writer.of(finding) for finding in entry.findings if finding.kind in writer.sentences]
    found += [*writer.parts(), *writer.items(), *writer.reasons()]
    return sorted(found, key=lambda note: not note.dangerous)


class _NoteWriter:
    """Writes the notes on one variable."""

    def __init__(self, entry: Entry, report: Report) -> None:
        self.entry = entry
        self.environments = report.environments
        self.report = report
        self.sentences: dict[FindingKind, Callable[[Finding], Note]] = {
            FindingKind.REUSED: self.reused,
            FindingKind.WHITE_SPACE: self.white_space,
            FindingKind.TYPE: self.type,
            FindingKind.ORIGIN: self.origin,
            FindingKind.LITERAL: self.literal,
            FindingKind.RULE: self.rule,
        }

    def of(self, finding: Finding) -> Note:
        return self.sentences[finding.kind](finding)

    def reused(self, finding: Finding) -> Note:
        first = self.report.first_with.get(finding.places, self.entry.name)
        if first != self.entry.name:
            return Note(("the same secret as ", Code(first)), dangerous=True)
        shared_by: dict[tuple[str, str], list[str]] = {}
        for label, name, part in finding.places:
            labels = shared_by.setdefault((name, part), [])
            if label not in labels:
                labels.append(Code(label))
        if len(shared_by) == 1:
            [(_, part)] = shared_by
            pieces = ["the same ", part or "secret", " in ", *_listed(*shared_by.values())]
        else:
            pieces = ["the same secret"]
            for (name, part), labels in shared_by.items():
                whole = f" ({part})" if part else ""
                pieces += [": " if len(pieces) == 1 else ", ", Code(name), whole, " in "]
                pieces += _listed(labels)
        return Note(tuple(pieces), _own(self.to_change(finding)), dangerous=True)

    def to_change(self, finding: Finding) -> Place:
        """Return the place to change, preferably one that a command can set."""
        own = [place for place in finding.places if place.name == self.entry.name]
        places = [place for place in (*own, *finding.places) if is_profile(place.environment)]
        whole = [place for place in places if not place.part]
        return next(iter((*whole, *places, *own)))

    def white_space(self, finding: Finding) -> Note:  # noqa: ARG002
        advice: tuple[str, ...] = ("store it again without the whitespace",)
        for label, cell in zip(self.environments, self.entry.cells, strict=True):
            if cell.state == CellState.VALUE and is_profile(label):
                command = f"envkit get {self.entry.name} --env {label} | od -c"
                advice = ("look with ", Code(command))
                break
        return Note(("differs only in leading or trailing whitespace",), advice, dangerous=True)

    def type(self, finding: Finding) -> Note:
        answers = [_LOOKS_LIKE.get(kind, "") for kind in finding.shown]
        return Note(("looks like ", *self.by_environment(answers)))

    def origin(self, finding: Finding) -> Note:
        # in full: a shortened reference cannot be looked up
        answers = self.by_environment(finding.shown, code=True, short=False)
        return Note(("the same value, from ", *answers))

    def literal(self, finding: Finding) -> Note:
        forms = {"store": "read from a store", "placeholder": "a placeholder"}
        answers = [
            f"written in {cell.location}" if form == "literal" else forms.get(form, form)
            for form, cell in zip(finding.shown, self.entry.cells, strict=True)
        ]
        advice: tuple[str, ...] = ()
        if finding.dangerous:
            advice = (
                "store a new value, and replace this one with ",
                Code(f"{{{{ {self.entry.name} }}}}"),
                ": the old value remains in git history",
            )
        return Note(tuple(self.by_environment(answers)), advice, finding.dangerous)

    def rule(self, finding: Finding) -> Note:
        rule = Code(finding.subject)
        if not finding.shown:
            return Note((rule, " differs"))
        return Note((rule, " is ", *self.by_environment(finding.shown, code=True)))

    def parts(self) -> list[Note]:
        """Return one note with the parts of the values that differ."""
        pieces = []
        for part in self.entry.findings:
            if part.kind is FindingKind.PART:
                few = part.shown and len(part.shown) <= MAX_SIDE_BY_SIDE
                texts = f" ({' / '.join(map(_short, part.shown))})" if few else ""
                pieces.append(Code(part.subject + texts))
        return [Note(("differs in ", *_listed(pieces)))] if pieces else []

    def items(self) -> list[Note]:
        """Return one note for each group of environments with items that others lack."""
        labels_of: dict[tuple[str, ...], list[str]] = {}
        for item in self.entry.findings:
            if item.kind is FindingKind.ITEM:
                pairs = zip(item.shown, self.environments, strict=True)
                labels = tuple(Code(label) for text, label in pairs if text)
                labels_of.setdefault(labels, []).append(Code(_short(item.subject)))
        return [
            Note(("only in ", *_listed(labels), ": ", *_listed(items)))
            for labels, items in labels_of.items()
        ]

    def reasons(self) -> list[Note]:
        """Return the reasons for missing values."""
        grouped = self.grouped([cell.reason for cell in self.entry.cells])
        return [
            Note((*_listed([Code(label) for label in labels]), ": ", reason))
            for reason, labels in grouped.items()
        ]

    def by_environment(
        self, answers: Sequence[str], *, code: bool = False, short: bool = True
    ) -> list[str]:
        """Return `debug in dev and test, info in prod` in parts."""
        pieces: list[str] = []
        for answer, labels in self.grouped(answers).items():
            shown = _short(answer) if short else printable(answer)
            pieces += [", "] if pieces else []
            pieces += [Code(shown) if code else shown, " in "]
            pieces += _listed([Code(label) for label in labels])
        return pieces

    def grouped(self, answers: Sequence[str]) -> dict[str, list[str]]:
        """Return each answer with the environments that gave it, without empty answers."""
        grouped: dict[str, list[str]] = {}
        for answer, label in zip(answers, self.environments, strict=True):
            if answer:
                grouped.setdefault(answer, []).append(label)
        return grouped


def _own(place: Place) -> tuple[str, ...]:
    """Return the advice to give a place its own secret."""
    environment, name, part = place
    give = f"give {environment} its own {part or 'value'}"
    if part or not is_profile(environment):
        return (give,)
    return (f"{give}: ", Code(f"envkit set {name} --env {environment}"))


def _listed(items: Sequence[str]) -> list[str]:
    """Return `a, b and c` in parts; for a long list, the first items and `12 more`."""
    shown = list(items)
    more = len(shown) - MAX_LISTED
    if more > 0:
        shown = [*shown[:MAX_LISTED], f"{more} more"]
    pieces: list[str] = []
    for index, item in enumerate(shown):
        if index:
            pieces.append(" and " if index == len(shown) - 1 else ", ")
        pieces.append(item)
    return pieces


def _short(text: str) -> str:
    shown = printable(text) or NOT_SET
    if len(shown) <= MAX_VALUE_CHARACTERS:
        return shown
    return shown[: MAX_VALUE_CHARACTERS - 1] + "…"

"""The content of a comparison: entries by status, with some folded into one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from envkit.comparison.model import CellState, DiffStatus, FindingKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.checks.ignore_file import Rule
    from envkit.comparison.model import Cell, Entry, EnvDiff, Place

TITLES = {
    DiffStatus.REUSED: "the same secret where each should have its own",
    DiffStatus.UNREADABLE: "could not be read",
    DiffStatus.MISSING: "set only in some environments",
    DiffStatus.DIFFERENT: "the values differ",
    DiffStatus.SAME: "the same value",
}
PROFILE_TITLES = {
    **TITLES,
    DiffStatus.MISSING: "declared only in some profiles",
    DiffStatus.DIFFERENT: "the declarations differ",
    DiffStatus.SAME: "declared alike",
}


class Section(NamedTuple):
    """The variables with one status.

    Attributes:
        status: the most severe status of each variable.
        title: the meaning of the status.
        entries: the variables to show in full.
        folded: secrets that are expected to differ; one line replaces them.
        number: the number of variables; a secret that several variables share counts once.
    """

    status: DiffStatus
    title: str
    entries: tuple[Entry, ...]
    folded: tuple[Entry, ...]
    number: int


class Report(NamedTuple):
    """A comparison and how much of it to show.

    Attributes:
        diff: the comparison, without the ignored differences.
        ignored: the accepted differences, each with the line that accepts it.
        profiles_only: whether only the profiles were compared.
        show_same: whether to show all variables, including the equal and the folded ones.
    """

    diff: EnvDiff
    ignored: tuple[tuple[Entry, Rule], ...] = ()
    profiles_only: bool = False
    show_same: bool = False

    @property
    def environments(self) -> tuple[str, ...]:
        """The labels of the environments."""
        return self.diff.environments

    @property
    def sections(self) -> list[Section]:
        """The entries to show, by status; variables that share a secret are adjacent."""
        titles = PROFILE_TITLES if self.profiles_only else TITLES
        sections = [self._section(status, title) for status, title in titles.items()]
        return [section for section in sections if section.entries or section.folded]

    def _section(self, status: DiffStatus, title: str) -> Section:
        shown = [entry for entry in self.diff.with_status(status) if self._is_shown(entry)]
        folded = tuple(filter(self._is_expected, shown))
        entries = tuple(entry for entry in shown if not self._is_expected(entry))
        count = len(shown)
        if status == DiffStatus.REUSED:
            order = {places: index for index, places in enumerate(self.first_with)}
            entries = tuple(sorted(entries, key=lambda e: min(order[p] for p in _reused(e))))
            count = self.reused_secrets
            if count != len(entries):
                title = f"{title}, in {len(entries)} variable{'' if len(entries) == 1 else 's'}"
        return Section(status, title, entries, folded, count)

    def _is_shown(self, entry: Entry) -> bool:
        return self.show_same or entry.status != DiffStatus.SAME or bool(entry.findings)

    def _is_expected(self, entry: Entry) -> bool:
        """Return whether each environment has its own secret and nothing else differs.

        This applies only between environments. Between two versions of one environment, or with a
        process, a changed secret is the difference that the reader is looking for.
        """
        return (
            entry.statuses == (DiffStatus.DIFFERENT,)
            and all(map(is_profile, self.environments))
            and len(set(self.environments)) == len(self.environments)
            and all(map(_is_stored_secret, entry.cells))
            and len({cell.fingerprint for cell in entry.cells}) == len(entry.cells)
            and all(
                finding.kind == FindingKind.PART and finding.subject == "password"
                for finding in entry.findings
            )
        )

    @property
    def first_with(self) -> dict[tuple[Place, ...], str]:
        """The first variable with each reused secret, by the places of the secret."""
        first: dict[tuple[Place, ...], str] = {}
        for entry in self.diff.entries:
            for places in _reused(entry):
                first.setdefault(places, entry.name)
        return first

    @property
    def reused_secrets(self) -> int:
        """The number of reused secrets; one that several variables share counts once."""
        return len(self.first_with)

    @property
    def hidden(self) -> int:
        """The number of equal entries that are not shown."""
        shown = sum(len(section.entries) + len(section.folded) for section in self.sections)
        return len(self.diff.entries) - shown

    @property
    def has_fingerprints(self) -> bool:
        """Whether any value is masked."""
        return any(
            cell.secret and cell.fingerprint
            for section in self.sections
            for entry in (*section.entries, *(section.folded if self.show_same else ()))
            for cell in entry.cells
        )


def is_profile(label: str) -> bool:
    """Return whether a label names the current version of a profile, not a file or a process."""
    return ":" not in label and "@" not in label


def _is_stored_secret(cell: Cell) -> bool:
    masked = cell.state == CellState.VALUE and cell.secret and cell.shown is None
    return masked and bool(cell.origins) and cell.length != "empty"


def _reused(entry: Entry) -> Iterable[tuple[Place, ...]]:
    return [one.places for one in entry.findings if one.kind == FindingKind.REUSED]

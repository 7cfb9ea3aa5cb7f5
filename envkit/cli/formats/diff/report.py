"""What a comparison shows: its entries by status, and how much of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from envkit.comparison.model import DiffStatus

if TYPE_CHECKING:
    from envkit.checks.ignore_file import Rule
    from envkit.comparison.model import Entry, EnvDiff

TITLES = {
    DiffStatus.REUSED: "the same secret where each should have its own",
    DiffStatus.UNREADABLE: "could not be read",
    DiffStatus.MISSING: "not everywhere",
    DiffStatus.DIFFERENT: "not the same value",
    DiffStatus.SAME: "the same value",
}
PROFILE_TITLES = {
    **TITLES,
    DiffStatus.MISSING: "not declared everywhere",
    DiffStatus.DIFFERENT: "not declared alike",
    DiffStatus.SAME: "declared alike",
}


class Report(NamedTuple):
    """A diff, and how much of it is wanted.

    Attributes:
        diff: without what is ignored.
        ignored: the accepted differences, each with the line that accepts it.
        profiles_only: whether the profiles alone were compared.
        show_same: whether also what is the same, and has nothing to be said of, is shown.
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
    def sections(self) -> list[tuple[DiffStatus, str, tuple[Entry, ...]]]:
        """The entries to show by status: the status, a title, and the entries."""
        titles = PROFILE_TITLES if self.profiles_only else TITLES
        shown = [
            (status, title, tuple(filter(self._is_shown, self.diff.with_status(status))))
            for status, title in titles.items()
        ]
        return [section for section in shown if section[2]]

    def _is_shown(self, entry: Entry) -> bool:
        return self.show_same or entry.status != DiffStatus.SAME or bool(entry.findings)

    @property
    def hidden(self) -> int:
        """How many entries are the same and not shown."""
        return len(self.diff.entries) - sum(len(entries) for _, _, entries in self.sections)

    @property
    def has_fingerprints(self) -> bool:
        """Whether a masked value is among what is shown."""
        return any(
            cell.secret and cell.fingerprint
            for _, _, entries in self.sections
            for entry in entries
            for cell in entry.cells
        )

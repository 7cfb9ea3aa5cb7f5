"""Show and make the changes of a plan: `envkit promote`, `import` and `env migrate`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from envkit.cli.commands.set import in_version
from envkit.cli.output import Cell
from envkit.cli.written import print_each
from envkit.errors import PromotionError
from envkit.promotion.model import ChangeAction

if TYPE_CHECKING:
    from typing import Any

    from envkit.audit.session import Access
    from envkit.promotion.model import Change
    from envkit.promotion.run import Promotion

HEADERS = ("NAME", "CHANGE", "VALUE", "WHERE", "NOTE")

_MASK = "********"
_DONE = {
    ChangeAction.ADD: "added {name} to {where}",
    ChangeAction.CHANGE: "changed {name} in {where}",
    ChangeAction.SET: "set {name} in {where}",
    ChangeAction.REPLACE: "replaced {name} in {where}",
}
_STYLES = {
    ChangeAction.ADD: "green",
    ChangeAction.SET: "green",
    ChangeAction.CHANGE: "yellow",
    ChangeAction.REPLACE: "yellow",
}


class Progress:
    """The changes made so far."""

    def __init__(self, promotion: Promotion) -> None:
        self.promotion = promotion
        self.versions: dict[Change, str | None] = {}

    def apply(self, access: Access, *, aloud: bool) -> None:
        """Make the changes one after the other."""
        try:
            self.promotion.begin()
            for step in self.promotion.steps:
                names = [change.name for change in step.changes]
                access.expect(names)
                version = step.run()
                self.versions.update(dict.fromkeys(step.changes, version))
                for recorded in [[name] for name in names] if step.values else [names]:
                    access.changed(recorded, version)
                for change in step.changes if aloud else ():
                    print(_DONE[change.action].format_map(change._asdict()) + in_version(version))
            print_each(self.promotion.warnings)
        except BaseException as error:
            if not isinstance(error, PromotionError):  # its message already says so
                self._print_unfinished()
            raise

    def _print_unfinished(self) -> None:
        if not self.versions:
            print("envkit: note: nothing was written", file=sys.stderr)
            return
        rest = [one.name for one in self.promotion.plan.changes if one not in self.versions]
        print(
            f"envkit: note: not done: {', '.join(dict.fromkeys(rest)) or 'nothing'}; run the same "
            "command again to finish",
            file=sys.stderr,
        )


def row(change: Change) -> list[str | Cell]:
    """Return the row of a change in the table of a plan."""
    value = _MASK if change.value is None else change.value
    if change.before is not None:
        value = f"{change.before} -> {value}"
    return [
        Cell(change.name, "bold"),
        Cell(change.action, _STYLES[change.action]),
        value,
        change.where,
        change.note,
    ]


def change_documents(progress: Progress) -> list[dict[str, Any]]:
    """Return the changes of a plan for programs, and which of them were made."""
    return [
        {
            **change._asdict(),
            "done": change in progress.versions,
            "version": progress.versions.get(change),
        }
        for change in progress.promotion.plan.changes
    ]


def refusal_documents(promotion: Promotion) -> list[dict[str, Any]]:
    """Return why changes cannot be made, for programs."""
    return [
        {
            "name": refusal.name,
            "place": refusal.location,
            "code": refusal.error.code,
            "reason": refusal.error.message,
            "hint": refusal.error.hint or "",
        }
        for refusal in promotion.refusals
    ]


def answer(promotion: Promotion) -> int:
    """Return the exit status for a plan: 1 if there are changes, 0 otherwise.

    Raises:
        PromotionError: the changes cannot be made.
    """
    if promotion.error is not None:
        raise promotion.error
    return 1 if promotion.plan.changes else 0


def count_of(number: int, what: str) -> str:
    """Return a number and a noun: `2 secrets`."""
    return f"{number} {what}{'' if number == 1 else 's'}"

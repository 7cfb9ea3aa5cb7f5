"""`envkit promote`: copy missing variables from one environment to another."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envkit.cli.commands.set import in_version
from envkit.cli.complete import environments, variables
from envkit.cli.interaction.access import open_access
from envkit.cli.interaction.prompt import confirm
from envkit.cli.options import timeout_seconds
from envkit.cli.output import Cell, print_json, print_table, printable
from envkit.cli.parameters import BreakGlass, Except, Only, Profiles, Reason, Timeout
from envkit.cli.rotated import rotations_of
from envkit.cli.written import print_each
from envkit.errors import PromotionError
from envkit.promotion.model import ChangeAction, LeftKind
from envkit.promotion.run import prepare_promotion, read

if TYPE_CHECKING:
    from envkit.audit.session import Access
    from envkit.promotion.model import Change, PromotionPlan
    from envkit.promotion.run import Promotion

EXAMPLE = "envkit promote staging prod --plan"

_MASK = "********"
_HEADERS = ("NAME", "CHANGE", "VALUE", "WHERE", "NOTE")
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
_LEFT = {
    LeftKind.NEEDS_VALUE: "Set a value for {target}; each environment needs its own:",
    LeftKind.TO_NAME: "Copied only if you name them:",
    LeftKind.BY_HAND: "Cannot be copied:",
}


class Format(StrEnum):
    """The output formats of `envkit promote`."""

    TEXT = "text"
    JSON = "json"


def promote(  # noqa: PLR0917 - typer names them
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="Environment to copy from.", autocompletion=environments
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="Environment to copy to.",
            autocompletion=environments,
        ),
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME...",
            help="Variables to copy, including secrets and values that differ. "
            "[default: those that TARGET lacks]",
            autocompletion=variables,
        ),
    ] = None,
    secrets: Annotated[
        bool,
        typer.Option(
            "--secrets", help="Also copy secrets, which normally differ between environments."
        ),
    ] = False,
    only: Only = None,
    exclude: Except = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Show the changes without making them. Exit with 1 if there are any."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="text or json. [default: text]",
            show_default=False,
        ),
    ] = Format.TEXT,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Copy missing variables to another environment."""
    with open_access("promote", reason, break_glass=break_glass) as access:
        prepared = prepare_promotion(
            source,
            target,
            names or (),
            rotations=rotations_of,
            secrets=secrets,
            only=only or (),
            exclude=exclude or (),
            profiles=profiles,
            timeout_seconds=timeout_seconds(timeout),
        )
        if not plan:
            access.allow(prepared.profiles, prepared.selected)
        promotion = read(prepared)
        progress = _Progress(promotion)
        try:
            if format_ is Format.TEXT:
                _show(promotion)
            if plan:
                return _answer(promotion)
            if not _agreed(promotion, yes=yes):
                access.unchanged(prepared.selected)
                if promotion.steps and format_ is Format.TEXT:
                    print("nothing was changed")
                return 0
            progress.apply(access, aloud=format_ is Format.TEXT)
        finally:
            if format_ is Format.JSON:
                print_json(_document(promotion, progress))
    return 0


class _Progress:
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


def _agreed(promotion: Promotion, *, yes: bool) -> bool:
    """Return whether there are changes, and the person confirms them."""
    if promotion.error is not None:
        raise promotion.error
    changes = promotion.plan.changes
    if not changes:
        return False
    secrets = sum(change.value is None for change in changes)
    copied = f", and copy {_count(secrets, 'secret')}" if secrets else ""
    return confirm(
        f"Make {_count(len(changes), 'change')} to {promotion.plan.target}{copied}?", yes=yes
    )


def _answer(promotion: Promotion) -> int:
    """Return the exit status for a plan: 1 if there are changes, 0 otherwise.

    Raises:
        PromotionError: the changes cannot be made.
    """
    if promotion.error is not None:
        raise promotion.error
    return 1 if promotion.plan.changes else 0


def _show(promotion: Promotion) -> None:
    plan = promotion.plan
    print_table(_HEADERS, [_row(change) for change in plan.changes])
    if not plan.changes and not promotion.refusals:
        print(f"nothing to promote from {plan.source} to {plan.target}")
    for kind, title in _LEFT.items():
        lines = [left for left in plan.left if left.kind == kind]
        if lines:
            print(f"\n{title.format(target=plan.target)}")
        for left in lines:
            print(f"  {left.name}: {printable(left.reason)}")
            if left.hint:
                print(f"    {printable(left.hint)}")
    _show_differing(plan)
    sys.stdout.flush()


def _show_differing(plan: PromotionPlan) -> None:
    """Print how many values differ and are not changed; `envkit diff` shows which."""
    differing = [left for left in plan.left if left.kind == LeftKind.DIFFERS]
    secrets = sum(left.secret for left in differing)
    parts = []
    if secrets:
        parts.append(_count(secrets, "secret"))
    if len(differing) > secrets:
        parts.append(_count(len(differing) - secrets, "other value"))
    if parts:
        verb = "differs and was" if len(differing) == 1 else "differ and were"
        print(
            f"\n{' and '.join(parts)} {verb} not changed: "
            f"run 'envkit diff {plan.source} {plan.target}' to compare"
        )


def _row(change: Change) -> list[str | Cell]:
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


def _document(promotion: Promotion, progress: _Progress) -> dict[str, Any]:
    plan = promotion.plan
    return {
        "source": plan.source,
        "target": plan.target,
        "changes": [
            {
                **change._asdict(),
                "done": change in progress.versions,
                "version": progress.versions.get(change),
            }
            for change in plan.changes
        ],
        "left": [left._asdict() for left in plan.left],
        "refusals": [
            {
                "name": refusal.name,
                "place": refusal.location,
                "code": refusal.error.code,
                "reason": refusal.error.message,
                "hint": refusal.error.hint or "",
            }
            for refusal in promotion.refusals
        ],
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

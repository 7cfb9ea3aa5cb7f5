"""`envkit promote`: copy missing variables from one environment to another."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envkit.arguments import timeout_seconds
from envkit.cli.changing.applying import (
    HEADERS,
    Progress,
    answer,
    change_documents,
    count_of,
    refusal_documents,
    row,
)
from envkit.cli.complete import environments, variables
from envkit.cli.interaction.access import open_access
from envkit.cli.interaction.prompt import confirm
from envkit.cli.output import print_json, print_table, printable
from envkit.cli.parameters import (
    BreakGlass,
    Except,
    Only,
    Profiles,
    Reason,
    TextFormat,
    TextFormatted,
    Timeout,
    Yes,
)
from envkit.cli.rotated import rotations_of
from envkit.promotion.model import LeftKind
from envkit.promotion.run import prepare_promotion, read

if TYPE_CHECKING:
    from envkit.promotion.model import PromotionPlan
    from envkit.promotion.run import Promotion

EXAMPLE = "envkit promote staging prod --plan"

_LEFT = {
    LeftKind.NEEDS_VALUE: "Set a value for {target}; each environment needs its own:",
    LeftKind.TO_NAME: "Copied only if you name them:",
    LeftKind.BY_HAND: "Cannot be copied:",
}


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
    yes: Yes = False,
    format_: TextFormatted = TextFormat.TEXT,
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
            opened = [prepared.source, prepared.target]
            access.allow(prepared.profiles, prepared.selected, opened)
        promotion = read(prepared)
        progress = Progress(promotion)
        try:
            if format_ is TextFormat.TEXT:
                _show(promotion)
            if plan:
                return answer(promotion)
            if not _agreed(promotion, yes=yes):
                access.unchanged(prepared.selected)
                if promotion.steps and format_ is TextFormat.TEXT:
                    print("nothing was changed")
                return 0
            progress.apply(access, aloud=format_ is TextFormat.TEXT)
        finally:
            if format_ is TextFormat.JSON:
                print_json(_document(promotion, progress))
    return 0


def _agreed(promotion: Promotion, *, yes: bool) -> bool:
    """Return whether there are changes, and the person confirms them."""
    if promotion.error is not None:
        raise promotion.error
    changes = promotion.plan.changes
    if not changes:
        return False
    secrets = sum(change.value is None for change in changes)
    copied = f", and copy {count_of(secrets, 'secret')}" if secrets else ""
    return confirm(
        f"Make {count_of(len(changes), 'change')} to {promotion.plan.target}{copied}?", yes=yes
    )


def _show(promotion: Promotion) -> None:
    plan = promotion.plan
    print_table(HEADERS, [row(change) for change in plan.changes])
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
        parts.append(count_of(secrets, "secret"))
    if len(differing) > secrets:
        parts.append(count_of(len(differing) - secrets, "other value"))
    if parts:
        verb = "differs and was" if len(differing) == 1 else "differ and were"
        print(
            f"\n{' and '.join(parts)} {verb} not changed: "
            f"run 'envkit diff {plan.source} {plan.target}' to compare"
        )


def _document(promotion: Promotion, progress: Progress) -> dict[str, Any]:
    plan = promotion.plan
    return {
        "source": plan.source,
        "target": plan.target,
        "changes": change_documents(progress),
        "left": [left._asdict() for left in plan.left],
        "refusals": refusal_documents(promotion),
    }

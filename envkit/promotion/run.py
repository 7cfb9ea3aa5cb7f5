"""Promote variables from one environment to another: read both, plan, then write.

    prepared = prepare_promotion("staging", "prod", rotations=rotations_of)
    promotion = read(prepared)
    promotion.plan                      # to show to the user, who confirms it
    promotion.begin()                   # refuses if anything has changed since
    for step in promotion.steps:
        step.run()

Guarantees: nothing is written before every step was checked. Values are written first
and the profile last, so that no profile refers to a value that was not written. Each step is a
compare-and-set. To finish an interrupted promotion, run it again.
"""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit.editing.profile_change import ProfileChange, changed_since_plan
from envkit.editing.slots import ProfileFile, current_value
from envkit.editing.write import Write as StoreWrite
from envkit.editing.write import grouped, warnings_of
from envkit.errors import (
    AbsentError,
    EnvkitError,
    PromotionError,
    UsageError,
    VariableFailure,
)
from envkit.profile.declaration import raw_table
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load, read_profile_file
from envkit.promotion.decide import Choice, End, plan_promotion
from envkit.promotion.lines import Written, extended, plan_lines
from envkit.resolution.evaluate import evaluate
from envkit.resolution.fetch import fetch
from envkit.resolution.plan import plan
from envkit.resolution.prepare import prepare_profile
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS
from envkit.resolution.selection import choose
from envkit.sources.protocols import WriteCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.promotion.decide import Decision
    from envkit.promotion.lines import LinePlan
    from envkit.promotion.model import Change, PromotionPlan
    from envkit.resolution.prepare import PreparedProfile
    from envkit.rotation_state.rotated import FindRotations


class Step(NamedTuple):
    """One write: the values of one secret or file, or the lines of a profile.

    Attributes:
        run: writes, and returns the new version; None if the place has no versions.
        values: whether the step writes values; otherwise it writes lines.
    """

    changes: tuple[Change, ...]
    run: Callable[[], str | None]
    values: bool = False


class Promotion:
    """A planned promotion.

    Attributes:
        plan: what may be shown of it.
        refusals: why requests cannot be executed; if there are any, nothing is written.
        steps: run them in this order, after `begin`.
    """

    refusal: type[PromotionError] = PromotionError  # what it raises if a change cannot be made

    def __init__(
        self, decision: Decision, target: PreparedProfile, file: ProfileChange, deadline: Deadline
    ) -> None:
        self.plan: PromotionPlan = decision.plan
        self.refusals = decision.refusals
        self._writes = decision.writes
        self._target = target
        self._file = file
        self._deadline = deadline
        self.steps = [
            Step(
                tuple(self._writes[index].change for index in group.indexes),
                partial(group.run, deadline),
                values=True,
            )
            for group in grouped(
                StoreWrite(write.variable.slot, write.variable.current, write.value)
                for write in self._writes
            )
        ]
        lines = self.plan.changes[len(self._writes) :]
        if lines:
            self.steps.append(Step(lines, file.write))

    @property
    def error(self) -> PromotionError | None:
        """All refusals as one error."""
        return self.refusal(self.plan.target, self.refusals) if self.refusals else None

    @property
    def warnings(self) -> list[str]:
        """Warnings for the user about what the steps have written."""
        return warnings_of(write.variable.slot for write in self._writes)

    def begin(self) -> None:
        """Refuse to write anything if a step would fail or the target has changed.

        Raises:
            PromotionError: a planned change cannot be made.
            ConflictError: the target has changed.
            EnvkitError: a store failed, or the profile cannot be written.
        """
        if self.error is not None:
            raise self.error
        self._deadline.restart()
        self._file.check()
        wanted: dict[str, list[Reference]] = {}
        for write in self._writes:
            wanted.setdefault(write.reference.source, []).append(write.reference)
        self._check_writes(wanted)
        references = {name: tuple(refs) for name, refs in wanted.items()}
        [now] = fetch([self._target.reading(references)], self._deadline)
        changed = [
            write.change
            for write in self._writes
            if current_value(now[write.reference]).value != write.variable.current.value
        ]
        if changed:
            places = ", ".join(f"{change.name} in {change.where}" for change in changed)
            raise changed_since_plan(places)

    def _check_writes(self, wanted: Mapping[str, Sequence[Reference]]) -> None:
        refused: dict[Reference, EnvkitError] = {}
        for name, references in wanted.items():
            source = self._target.sources[name]
            if isinstance(source, WriteCheck):
                refused.update(source.check_write(references))
        if refused:
            failures = [
                VariableFailure(write.change.name, write.change.where, refused[write.reference])
                for write in self._writes
                if write.reference in refused
            ]
            raise self.refusal(self.plan.target, failures)


class PreparedPromotion(NamedTuple):
    """Two environments whose profiles were read, before any store was contacted.

    Attributes:
        source: the environment to copy from.
        target: the environment to copy to, with all lines that may be added.
        in_doubt: the target without the new lines, for the variables that it may find without
            them.
        written: the current content of the target's files.
        line_plan: the lines that may be added.
    """

    source: PreparedProfile
    target: PreparedProfile
    in_doubt: PreparedProfile
    written: Written
    line_plan: LinePlan
    choice: Choice
    file: ProfileChange
    rotations: FindRotations
    deadline: Deadline

    @property
    def profiles(self) -> tuple[Profile, Profile]:
        """The source and the target."""
        return self.source.profile, self.in_doubt.profile

    @property
    def selected(self) -> Sequence[str]:
        """The variables of the source to promote."""
        return self.source.plan.selected


def prepare_promotion(
    source: str,
    target: str,
    names: Sequence[str] = (),
    *,
    rotations: FindRotations,
    secrets: bool = False,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> PreparedPromotion:
    """Load two environments and plan the lines to copy between them; contact no store.

    Args:
        source: name or alias of the profile to copy from.
        target: name or alias of the profile to copy to.
        names: variables to copy in any case; default: everything that the target lacks.
        rotations: returns, for a profile, the function that finds the rotation of a value.
        secrets: whether to copy secrets that are not named as well.
        only: globs that select variables instead of names.
        exclude: globs that exclude variables, instead of names.
        profiles: the folder of profiles.
        timeout_seconds: for all stores together; restarted before the writes.
        environ: the process environment; default: `os.environ`.

    Raises:
        UsageError: the source lacks a variable, or source and target are the same profile.
        ProfileError: a profile is missing or not valid.
        ResolutionError: some references are not valid for any store.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    folder = profiles_folder(profiles, environ)
    file = ProfileChange(ProfileFile(load(target, folder).path, deadline))
    # `file` notices every change from here on
    ours, theirs = read_written(load(source, folder)), read_written(load(target, folder))
    selected = _select(ours.profile, theirs.profile, names, only, exclude)

    def prepared(profile: Profile, wanted: Sequence[str]) -> PreparedProfile:
        return prepare_profile(profile, wanted, environ=environ, deadline=deadline)

    from_source = prepared(ours.profile, selected)
    line_plan = plan_lines(ours, from_source.plan, theirs, names)
    profile = extended(theirs, line_plan.lines)
    return PreparedPromotion(
        from_source,
        prepared(profile, [name for name in selected if name in profile.variables]),
        prepared(theirs.profile, line_plan.in_doubt),
        theirs,
        line_plan,
        Choice(frozenset(names), secrets),
        file,
        rotations,
        deadline,
    )


def read(prepared: PreparedPromotion) -> Promotion:
    """Read two environments and decide what to copy from one to the other.

    Returns:
        the planned promotion; nothing has been written.
    """
    three = [prepared.source, prepared.target, prepared.in_doubt]
    fetched = fetch(three, prepared.deadline)
    source, *ends = (
        End(one, found, prepared.rotations(one.profile, prepared.deadline))
        for one, found in zip(three, fetched, strict=True)
    )
    line_plan = prepared.line_plan.without(_not_absent(ends[1]))
    known = prepared.target.plan.selected
    to = _with_new_lines(extended(prepared.written, line_plan.lines), known, ends)
    decision = plan_promotion(source, to, line_plan, prepared.choice)
    prepared.file.add({line.name: line.keys for line in line_plan.lines})
    return Promotion(decision, to.prepared, prepared.file, prepared.deadline)


def _select(
    ours: Profile,
    theirs: Profile,
    names: Sequence[str],
    only: Sequence[str],
    exclude: Sequence[str],
) -> list[str]:
    """Return the variables of the source to promote.

    Raises:
        UsageError: the source lacks one, or source and target are the same profile.
    """
    if ours.path == theirs.path:
        raise UsageError(
            f"source and target are both {ours.name}", hint="run: envkit promote SOURCE TARGET"
        )
    return choose(ours.variables, ours.name, names=names, only=only, exclude=exclude)


def read_written(profile: Profile) -> Written:
    """Return a profile with the TOML keys that its files give to its variables."""
    tables: dict[str, dict[str, Any]] = {}
    for path in profile.files:
        variables = read_profile_file(path)[0].get("variables", {})
        for name, value in variables.items():
            tables.setdefault(name, {}).update(raw_table(value))
    return Written(profile, tables)


def _not_absent(end: End) -> set[str]:
    """Return the variables that have a value, or whose lookup failed."""
    prepared, outcomes, _ = end
    found, failures = evaluate(prepared.plan, outcomes, prepared.locate)
    failed = {failure.name for failure in failures if not isinstance(failure.error, AbsentError)}
    return {*found, *failed}


def _with_new_lines(profile: Profile, names: Sequence[str], ends: Sequence[End]) -> End:
    """Return the target with its new lines, evaluated from what was read of it."""
    sources = {name: source for end in ends for name, source in end.prepared.sources.items()}
    outcomes = {reference: found for end in ends for reference, found in end.outcomes.items()}
    prepared = ends[0].prepared._replace(
        profile=profile, plan=plan(profile, names), sources=sources
    )
    return End(prepared, outcomes, ends[0].rotation_of)

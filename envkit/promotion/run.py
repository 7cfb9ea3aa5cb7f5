"""Promote variables from one environment to another: read both, plan, then write.

    prepared = prepare_promotion("staging", "prod", rotations=rotations_of)
    promotion = read(prepared)
    promotion.plan                      # to be shown, and agreed to
    promotion.begin()                   # refuses if anything has changed since
    for step in promotion.steps:
        step.run()

What always holds: nothing is written before every step was checked; values are written first
and the profile last, so that no profile refers to a value that was not written; each step is
a compare-and-set. An interrupted promotion is finished by running it again.
"""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.paths import display_path
from envkit.editing.profile_text import put_variables
from envkit.editing.slots import ProfileFile, current_value
from envkit.editing.write import Write as StoreWrite
from envkit.editing.write import grouped, warnings_of
from envkit.errors import (
    AbsentError,
    ConflictError,
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
        run: writes, and returns the new version; None where there are no versions.
        values: whether values are written, and not lines.
    """

    changes: tuple[Change, ...]
    run: Callable[[], str | None]
    values: bool = False


class Promotion:
    """What is to be done, and can be.

    Attributes:
        plan: as it may be shown.
        refusals: why something that is wanted cannot be done; then nothing is.
        steps: to be run in their order, after `begin`.
    """

    def __init__(
        self, decision: Decision, target: PreparedProfile, file: _TargetFile, deadline: Deadline
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
        """All that is refused, as one error."""
        return PromotionError(self.plan.target, self.refusals) if self.refusals else None

    @property
    def warnings(self) -> list[str]:
        """What a person should know of what the steps have written."""
        return warnings_of(write.variable.slot for write in self._writes)

    def begin(self) -> None:
        """Refuse to write anything if something cannot be, or has changed since it was read.

        Raises:
            PromotionError: what is planned cannot be done.
            ConflictError: the target is not what it was.
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
            raise _changed_since_plan(places)

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
            raise PromotionError(self.plan.target, failures)


class PreparedPromotion(NamedTuple):
    """Two environments of which the profiles were read; no store was asked yet.

    Attributes:
        source: the environment that has the variables.
        target: the one that is to have them, with all lines that it may be given.
        in_doubt: the target as it is, with the variables that it may find without the lines.
        written: what the target's files say so far.
        line_plan: the lines that it may be given.
    """

    source: PreparedProfile
    target: PreparedProfile
    in_doubt: PreparedProfile
    written: Written
    line_plan: LinePlan
    choice: Choice
    file: _TargetFile
    rotations: FindRotations
    deadline: Deadline

    @property
    def profiles(self) -> tuple[Profile, Profile]:
        """Source and target."""
        return self.source.profile, self.in_doubt.profile

    @property
    def selected(self) -> Sequence[str]:
        """The variables of the source that are looked at."""
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
    """Load two environments and find the lines that one may get from the other; ask no store.

    Args:
        source: name or alias of the profile that has it.
        target: name or alias of the profile that is to have it.
        names: variables to carry over whatever they are; all that is missing unless given.
        rotations: returns what finds the rotation of a value of a profile.
        secrets: whether to copy secrets that are not named as well.
        only: globs, in place of names.
        exclude: globs, in place of names.
        profiles: the folder of profiles.
        timeout_seconds: for all stores together; anew for the writing.
        environ: the process environment; `os.environ` unless given.

    Raises:
        UsageError: a variable that the source does not have, or source and target are one.
        ProfileError: a profile is not there or not valid.
        ResolutionError: references that no store could hold.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    folder = profiles_folder(profiles, environ)
    file = _TargetFile(ProfileFile(load(target, folder).path, deadline))
    # from here on a change of the file is one that `file` notices
    ours, theirs = _written(load(source, folder)), _written(load(target, folder))
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
    """Read two environments and decide what is to be carried from one to the other.

    Returns:
        what is to be done; nothing has been written.
    """
    three = [prepared.source, prepared.target, prepared.in_doubt]
    fetched = fetch(three, prepared.deadline)
    source, *ends = (
        End(one, found, prepared.rotations(one.profile, prepared.deadline))
        for one, found in zip(three, fetched, strict=True)
    )
    line_plan = prepared.line_plan.without(_not_absent(ends[1]))
    known = prepared.target.plan.selected
    to = _as_it_will_be(extended(prepared.written, line_plan.lines), known, ends)
    decision = plan_promotion(source, to, line_plan, prepared.choice)
    prepared.file.put({line.name: line.keys for line in line_plan.lines})
    return Promotion(decision, to.prepared, prepared.file, prepared.deadline)


class _TargetFile:
    """The file of the target's profile: as it was read, and as it will be."""

    def __init__(self, file: ProfileFile) -> None:
        self._file = file
        self._before = self._after = file.read()

    def put(self, lines: Mapping[str, Mapping[str, Any]]) -> None:
        """Note what is to be written; see `put_variables`."""
        if lines:
            self._after = put_variables(self._after, lines, path=self._file.path)

    def check(self) -> None:
        """Refuse a file that was changed, or cannot be written."""
        if self._after != self._before:
            self._changed(self._file.read())
            self._file.check_writable()

    def write(self) -> None:
        """Write all lines in one step, if the file is what it was."""
        self._file.rewrite(self._changed)

    def _changed(self, now: str) -> str:
        if now != self._before:
            raise _changed_since_plan(display_path(self._file.path))
        return self._after


def _select(
    ours: Profile,
    theirs: Profile,
    names: Sequence[str],
    only: Sequence[str],
    exclude: Sequence[str],
) -> list[str]:
    """Return the variables of the source that are looked at.

    Raises:
        UsageError: one that it does not have, or source and target are one.
    """
    if ours.path == theirs.path:
        raise UsageError(
            f"source and target are both {ours.name}", hint="run: envkit promote SOURCE TARGET"
        )
    return choose(ours.variables, ours.name, names=names, only=only, exclude=exclude)


def _written(profile: Profile) -> Written:
    """Read what the files of a profile say of its variables."""
    tables: dict[str, dict[str, Any]] = {}
    for path in profile.files:
        variables = read_profile_file(path)[0].get("variables", {})
        for name, value in variables.items():
            tables.setdefault(name, {}).update(raw_table(value))
    return Written(profile, tables)


def _not_absent(end: End) -> set[str]:
    """Return the variables that have a value, or that cannot be looked for."""
    prepared, outcomes, _ = end
    found, failures = evaluate(prepared.plan, outcomes, prepared.locate)
    failed = {failure.name for failure in failures if not isinstance(failure.error, AbsentError)}
    return {*found, *failed}


def _as_it_will_be(profile: Profile, names: Sequence[str], ends: Sequence[End]) -> End:
    """Return the target with the lines that it will have, from all that was read of it."""
    sources = {name: source for end in ends for name, source in end.prepared.sources.items()}
    outcomes = {reference: found for end in ends for reference, found in end.outcomes.items()}
    prepared = ends[0].prepared._replace(
        profile=profile, plan=plan(profile, names), sources=sources
    )
    return End(prepared, outcomes, ends[0].rotation_of)


def _changed_since_plan(places: str) -> ConflictError:
    return ConflictError(
        f"changed after envkit made the plan: {places}",
        hint="run the command again to make a new plan",
    )

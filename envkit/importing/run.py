"""Import variables into an environment: read it, plan, write, and read back.

    prepared = prepare_import("prod", contents, Destination("vault", named=True), rotations=...)
    planned = read_import(prepared)
    planned.changes.plan                    # to show to the user, who confirms it
    planned.changes.begin()                 # refuses if anything has changed since
    for step in planned.changes.steps:
        step.run()
    verify(prepared, planned)

Guarantees: those of a promotion. The values are written first and the profile last, each by
compare-and-set; an import that was interrupted is finished by the same command. `verify` reads the
profile and the stores again, as an app would.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.paths import display_path
from envkit._internal.suggestions import did_you_mean
from envkit.detection.settings import is_setting
from envkit.editing.profile_change import ProfileChange
from envkit.editing.slots import ProfileFile
from envkit.errors import ConflictError, InvalidReferenceError, UsageError
from envkit.importing.changes import Changes
from envkit.importing.errors import ImportFileError, ImportRefusedError
from envkit.importing.model import NotImported, Wanted, Why
from envkit.importing.plan import (
    Here,
    decide_import,
    decide_migration,
    mentioned_names,
    place_for,
    places_to_move,
)
from envkit.profile.discovery import profiles_folder
from envkit.profile.loader import load
from envkit.promotion.run import Promotion
from envkit.resolution.evaluate import evaluate
from envkit.resolution.fetch import fetch
from envkit.resolution.plan import Plan
from envkit.resolution.prepare import PreparedProfile, prepare_profile, require_trust
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS
from envkit.sources.protocols import WritableSource
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit.importing.contents import FileContents
    from envkit.importing.model import Destination
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.rotated import FindRotations
    from envkit.secret import Secret


class ImportChanges(Promotion):
    """The changes of an import; see `Promotion`."""

    refusal = ImportRefusedError


class PreparedImport(NamedTuple):
    """An environment and what it should have, before any store was contacted.

    Attributes:
        wanted: the variables of files; None to move those of the environment's own files.
        left_out: what the files contain beside them.
        here: the profile with the variables in question.
        target: the source of the destination, with the places to write.
        file: the profile's own file, as it was read.
    """

    wanted: tuple[Wanted, ...] | None
    left_out: tuple[NotImported, ...]
    origin: str
    destination: Destination
    here: PreparedProfile
    target: PreparedProfile
    file: ProfileChange
    rotations: FindRotations
    deadline: Deadline
    environ: Mapping[str, str]

    @property
    def profile(self) -> Profile:
        """The profile of the environment."""
        return self.here.profile

    @property
    def names(self) -> Sequence[str]:
        """The variables in question."""
        if self.wanted is None:
            return self.here.plan.selected
        return [one.name for one in self.wanted]


class PlannedImport(NamedTuple):
    """A planned import.

    Attributes:
        changes: the changes; run its steps.
        not_imported: what is not imported, and why.
        expected: the value of each variable when the changes are made.
    """

    changes: ImportChanges
    not_imported: tuple[NotImported, ...]
    expected: Mapping[str, Secret]

    @property
    def is_complete(self) -> bool:
        """Whether everything is imported that the user may need."""
        return all(one.why is Why.NOT_NEEDED for one in self.not_imported)


def prepare_import(
    environment: str,
    files: Sequence[FileContents] | None,
    destination: Destination,
    *,
    rotations: FindRotations,
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> PreparedImport:
    """Prepare the import of files into an environment; contact no store.

    Args:
        environment: name or alias of a profile.
        files: what to import; of a variable in several files, the last one counts. None moves the
            values of the environment's own `.env` files.
        destination: where to write values.
        rotations: returns, for a profile, the function that finds the rotation of a value.
        profiles: the folder of profiles.
        timeout_seconds: for all stores together; restarted before the writes.
        environ: the process environment; default: `os.environ`.

    Raises:
        UsageError: the profile has no such source, or it cannot be written.
        ImportFileError: the files contain nothing, as those of a download that failed.
        ProfileError: the profile is missing or not valid.
        EnvkitError: a source cannot be opened, or cannot store the variables.
    """
    environ = os.environ if environ is None else environ
    deadline = Deadline(timeout_seconds)
    folder = profiles_folder(profiles, environ)
    file = ProfileChange(ProfileFile(load(environment, folder).path, deadline))
    profile = load(environment, folder)  # `file` notices every change from here on
    if destination.source not in profile.sources:
        raise UsageError(
            f"{profile.name} has no source '{destination.source}'",
            hint=did_you_mean(destination.source, profile.sources),
        )
    if files and not any(one.entries or one.left_out for one in files):
        raise ImportFileError(
            f"{' and '.join(one.path for one in files)}: no variables",
            hint="check the file, or the command that should write it",
        )
    wanted = None if files is None else _wanted(files, profile)
    names = profile.variables if wanted is None else [one.name for one in wanted]
    known = [name for name in names if name in profile.variables]
    here = prepare_profile(profile, known, environ=environ, deadline=deadline)
    places = _places(wanted, here, destination)
    return PreparedImport(
        wanted,
        _left_out(files or ()),
        ", ".join(one.path for one in files or ()) or "its .env files",
        destination,
        here,
        _opened(profile, places, destination.source, environ, deadline),
        file,
        rotations,
        deadline,
        environ,
    )


def read_import(prepared: PreparedImport) -> PlannedImport:
    """Read an environment and its destination, and decide what to change; write nothing."""
    one, target, deadline = prepared.here, prepared.target, prepared.deadline
    outcomes, there = fetch([one, target], deadline)
    resolved, _ = evaluate(one.plan, outcomes, one.locate)
    here = Here(one, outcomes, resolved, prepared.destination)
    rotation_of = prepared.rotations(one.profile, deadline)
    changes = Changes(target, there, prepared.destination, rotation_of)
    if prepared.wanted is None:
        done = decide_migration(here, changes)
        expected = {name: resolved[name].value for name in done if name in resolved}
    else:
        done = decide_import(prepared.wanted, here, changes)
        expected = {one.name: one.value for one in prepared.wanted if one.name in done}
    decision = changes.decision(prepared.origin)
    prepared.file.add({line.name: line.keys for line in decision.lines})
    return PlannedImport(
        ImportChanges(decision, target, prepared.file, deadline),
        (*changes.not_imported, *prepared.left_out),
        expected,
    )


def verify(prepared: PreparedImport, planned: PlannedImport) -> None:
    """Read the profile and its stores again, and compare the values with those expected.

    Raises:
        ConflictError: variables have another value, or none.
        EnvkitError: the profile or a store cannot be read.
    """
    if not planned.expected:
        return
    prepared.deadline.restart()
    profile = load(prepared.profile.name, os.path.dirname(prepared.profile.path))
    names = [name for name in planned.expected if name in profile.variables]
    now = prepare_profile(profile, names, environ=prepared.environ, deadline=prepared.deadline)
    [outcomes] = fetch([now], prepared.deadline)
    found, failures = evaluate(now.plan, outcomes, now.locate)
    wrong = [
        name
        for name, value in planned.expected.items()
        if name not in found or found[name].value != value
    ]
    if wrong:
        reasons = [failure.error for failure in failures if failure.name in wrong]
        raise ConflictError(
            f"{profile.name} does not read the imported value of {', '.join(wrong)}"
            + (f": {reasons[0].message}" if reasons else ""),
            hint=f"run 'envkit show --env {profile.name}' to see where the values come from",
        )


def _wanted(files: Iterable[FileContents], profile: Profile) -> tuple[Wanted, ...]:
    """Return the variables of files; of a variable in several files, the last one counts."""
    mentioned = mentioned_names(profile)
    found = {
        entry.name: Wanted(
            entry.name,
            entry.value,
            entry.where,
            entry.name not in mentioned and is_setting(entry.name, entry.value.reveal()),
        )
        for file in files
        for entry in file.entries
    }
    return tuple(found.values())


def _left_out(files: Iterable[FileContents]) -> tuple[NotImported, ...]:
    return tuple(
        NotImported(one.name, Why.BY_HAND if one.needed else Why.NOT_NEEDED, one.where, one.reason)
        for file in files
        for one in file.left_out
    )


def _places(
    wanted: Iterable[Wanted] | None, here: PreparedProfile, to: Destination
) -> dict[Reference, None]:
    """Return each place in the destination that may be written."""
    planned = {one.name: one for one in here.plan.order}
    if wanted is not None:
        return dict.fromkeys(
            place_for(planned.get(one.name), one.name, to)
            for one in wanted
            if one.name in planned or not one.setting
        )
    return dict.fromkeys(
        place
        for variable in planned.values()
        for place in places_to_move(variable, here.profile, to.source)
    )


def _opened(
    profile: Profile,
    places: Iterable[Reference],
    name: str,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> PreparedProfile:
    """Open the source of the destination.

    Raises:
        UsageError: the source cannot be written.
        InvalidReferenceError: the source cannot store one of the values.
    """
    references = tuple(places)
    require_trust(profile, {name: references}, environ, deadline)
    source = open_source(profile, name, environ=environ, deadline=deadline)
    if not isinstance(source, WritableSource):
        raise UsageError(
            f"the source '{name}' cannot be written", hint="use --to dotenv, vault or aws"
        )
    for reference in references:
        try:
            source.check(reference)
        except InvalidReferenceError as error:
            if reference.path:
                raise
            place = display_path(profile.path)
            error.hint = f"add a prefix to [sources.{name}] in {place}: the path of the secret"
            raise
    plan = Plan(profile.name, (), (), {name: references} if references else {})
    return PreparedProfile(profile, plan, {name: source})

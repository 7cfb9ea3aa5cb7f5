"""Find the unfinished rotations that no profile names any more, and finish them.

    found = find_orphans(survey, environ=os.environ, deadline=Deadline(15))
    for orphan in found.orphans:
        print(orphan.name, orphan.record.phase, orphan.location)

If a table `[rotation.x]` is removed, or its `secret` changed, while a rotation is in progress, the
rotation is orphaned: its record, its pending values and a credential that may work forever remain.
Without the table, envkit can do nothing at the target. Finishing an orphan therefore drops the
pending values, and reports which credential a person must remove.
"""

from __future__ import annotations

from collections import Counter
from shlex import quote
from typing import NamedTuple

from envkit._internal.parallel import map_parallel
from envkit.errors import EnvkitError, RotationError
from envkit.resolution.plan import plan
from envkit.rotation.machine import NEW_VALUES, Request, published_value
from envkit.rotation.status import RotationState, RotationStatus
from envkit.rotation_state.record import AT_REST, Phase, Record
from envkit.rotation_state.stores.find import find_records, record_names
from envkit.rotation_state.stores.registry import KINDS, open_store
from envkit.sources.registry import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit._internal.clock import Deadline
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.rotation.catalog import Survey
    from envkit.rotation_state.store import RotationStore, Snapshot

MAX_PARALLEL = 16


class Orphan(NamedTuple):
    """An unfinished rotation that no profile names.

    Attributes:
        name: its full name, from its record.
        profile: the profile whose source led to it.
        store: the store of its record.
        seen: the state of the store when the orphan was found.
        word: how a person names it: its name if that is unique, otherwise its location.
    """

    name: str
    profile: Profile
    store: RotationStore
    seen: Snapshot
    word: str

    @property
    def record(self) -> Record:
        """The record of the rotation."""
        assert self.seen.record is not None  # noqa: S101 - orphans are found by their records
        return self.seen.record

    @property
    def location(self) -> str:
        """The location of the secret, for people."""
        return self.store.location

    @property
    def promoted(self) -> bool:
        """Whether the store has the new value."""
        published = published_value(self.seen.current, self.seen.pending)
        return self.record.after_promote or published in NEW_VALUES

    def __repr__(self) -> str:
        return f"Orphan({self.name})"


class Found(NamedTuple):
    """The result of a search.

    Attributes:
        orphans: sorted by name.
        not_looked_at: the places that could not be searched, and why.
    """

    orphans: tuple[Orphan, ...]
    not_looked_at: tuple[str, ...]


def find_orphans(survey: Survey, *, environ: Mapping[str, str], deadline: Deadline) -> Found:
    """Look for unfinished rotations that no profile names.

    Args:
        survey: of all profiles.
        environ: the process environment.
        deadline: when the whole search must be done; it reports the places that it missed.
    """
    if any("/" not in name for name in survey.broken):
        return Found((), ())  # an unreadable profile, reported elsewhere, may name any of them
    named: dict[str, list[Reference]] = {}
    for group in survey.groups:
        for rotation in group:
            named.setdefault(rotation.profile.name, []).append(rotation.policy.secret)
    search = _Search(environ, deadline, named)
    places = [
        (profile, name)
        for profile in survey.profiles
        for name, spec in profile.sources.items()
        if spec.type in KINDS
    ]
    results = map_parallel(
        lambda place: search.look(*place), places, workers=MAX_PARALLEL, deadline=deadline
    )
    for (profile, name), result in zip(places, results, strict=True):
        if result.late:
            search.skipped.add(f"{name} of {profile.name}: no answer in time")
        elif isinstance(result.error, EnvkitError):
            search.skipped.add(f"{name} of {profile.name}: {result.error.message}")
        elif result.error is not None:
            raise result.error
    orphans = [
        orphan
        for key, orphan in search.found.items()
        if key not in search.known and orphan.name not in survey.broken
    ]
    names = Counter(orphan.name for orphan in orphans)
    names.update(rotation.full_name for group in survey.groups for rotation in group)
    worded = (
        one if names[one.name] == 1 else one._replace(word=_as_word(one.location))
        for one in orphans
    )
    return Found(
        tuple(sorted(worded, key=lambda one: (one.name, one.location))),
        tuple(sorted(search.skipped)),
    )


def _as_word(location: str) -> str:
    """Return a location as a word of a command line; a `#` inside it needs no quotes."""
    bare = location.replace("#", "")
    return location if quote(bare) == bare else quote(location)


class _Search:
    def __init__(
        self,
        environ: Mapping[str, str],
        deadline: Deadline,
        named: Mapping[str, Iterable[Reference]],
    ) -> None:
        self.known: set[tuple[str, str]] = set()  # type of the store, name of the record
        self.found: dict[tuple[str, str], Orphan] = {}
        self.skipped: set[str] = set()
        self._environ = environ
        self._deadline = deadline
        self._named = named

    def look(self, profile: Profile, name: str) -> None:
        """Search the places of one source of a profile."""
        kind = profile.sources[name].type
        named = [ref for ref in self._named.get(profile.name, ()) if ref.source == name]
        read = plan(profile, profile.variables).references.get(name, ())
        if not named and not read and kind != "dotenv":
            return
        source = open_source(
            profile, name, environ=self._environ, deadline=self._deadline, already_read={}
        )
        for ref in named:
            self.known.update((kind, found) for found in record_names(source, ref))
        refs = [*named, *read]
        for found in find_records(
            source, refs, self.skipped.add, root=profile.root, deadline=self._deadline
        ):
            key = (kind, found.name)
            if key in self.known or key in self.found:
                continue
            store = open_store(source, found.ref, (found.ref.field or "",), self._deadline)
            try:
                seen = store.read()
            except EnvkitError as error:
                self.skipped.add(f"{store.location}: {error.message}")
                continue
            if seen.record is not None and seen.record.phase not in AT_REST:
                name = seen.record.rotation
                self.found[key] = Orphan(name, profile, store, seen, word=name)


def status_of_orphan(orphan: Orphan) -> RotationStatus:
    """Return an orphan as `envkit rotate status` shows it. Pure."""
    record = orphan.record
    option = "--resume" if orphan.promoted else "--abort"
    return RotationStatus(
        orphan.name,
        orphan.location,
        state=RotationState.ORPHANED,
        phase=record.phase,
        last_rotated_at=record.last_rotated_at,
        started_at=record.started_at,
        promoted_at=record.promoted_at,
        retire_at=record.retire_at,
        error=f"this rotation is unfinished ({record.phase}), and no profile names it",
        hint=f"restore its table, or run 'envkit rotate {option} {orphan.word}'",
        stopped=True,
    )


def finish(orphan: Orphan, requested: Request, *, now: float) -> str:
    """Drop the pending values of an orphan, and return what a person must still do.

    Args:
        orphan: as it was found.
        requested: ABORT before the store has the new value, RESUME after it.
        now: seconds since the epoch.

    Raises:
        RotationError: the orphan needs the other request, or another process works on it.
        ConflictError: its record has been changed since it was found.
        EnvkitError: the store cannot be written.
    """
    record, promoted = orphan.record, orphan.promoted
    if record.owner and now < record.busy_until:
        raise RotationError(
            f"{record.owner} is rotating {orphan.location}: a profile there names the rotation",
            hint=f"let it finish there, or run 'envkit rotate --abort {orphan.name}' there",
        )
    if promoted != (requested == Request.RESUME):
        has = "already has the new value" if promoted else "does not have the new value yet"
        wanted = "--resume" if promoted else "--abort"
        raise RotationError(
            f"{orphan.location} {has}", hint=f"run: envkit rotate {wanted} {orphan.word}"
        )
    at_rest = record._replace(
        phase=Phase.IDLE,
        then="",
        owner="",
        busy_until=0.0,
        tries=0,
        error="",
        retire_at=0.0,
        facts={},
        last_rotated_at=(record.promoted_at or now) if promoted else record.last_rotated_at,
        given_up_at=record.given_up_at if promoted else now,
    )
    orphan.store.save(orphan.seen, at_rest, {})
    where = f" at {record.target_description}" if record.target_description else ""
    if promoted:
        return (
            "the store has the new value; the old credential was not retired and may still "
            f"work{where}: remove it there"
        )
    if record.phase == Phase.CLAIMED and not record.attempt:
        return "the rotation had not created a new value yet; the current one is untouched"
    return (
        f"envkit discarded the new value, but it may still work{where}: remove it there; the "
        "current one is untouched"
    )

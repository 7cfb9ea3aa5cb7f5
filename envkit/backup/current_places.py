"""What the stores have now at the places of a backup, and which of these values are rotated."""

from __future__ import annotations

from envkit.backup.encrypted_files import plain_file_error
from envkit.backup.login_test import require_login
from envkit.backup.restore_plan import Action, Place, PlannedPlace, decide
from envkit.editing.find import EditableVariable
from envkit.editing.rotated import look
from envkit.editing.slots import StoreSlot, current_value, read_all
from envkit.errors import EnvkitError, InvalidReferenceError
from envkit.rotation.rotated import find_rotations
from envkit.rotation_state.stores.registry import reference_beside
from envkit.sources.model import Absent, Reading
from envkit.sources.protocols import WritableSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envkit._internal.clock import Deadline
    from envkit.backup.destinations import EnvironmentRestore
    from envkit.backup.restore_plan import Wanted
    from envkit.profile.placeholder import Reference
    from envkit.rotation_state.rotated import FindRotation, RotatedValue
    from envkit.secret import Secret
    from envkit.sources.model import Outcome


class CurrentPlaces:
    """The places of one environment, as their stores answered.

    Args:
        part: what to restore.
        outcomes: the answers of the stores.
        environ: the process environment.
        deadline: nothing waits longer.
    """

    def __init__(
        self,
        part: EnvironmentRestore,
        outcomes: Mapping[Reference, Outcome],
        environ: Mapping[str, str],
        deadline: Deadline,
    ) -> None:
        self._part = part
        self._outcomes = outcomes
        self._deadline = deadline
        self._environ = environ
        self._find: FindRotation = find_rotations(
            part.prepared.profile, environ=environ, deadline=deadline
        )
        self._logins: dict[str, Callable[[], None]] = {}
        self._afterwards: dict[tuple[str, str], Secret | None] = {}  # by source and place

    def key(self, place: Place) -> object:
        """Return a key that two environments share if they name the same place of one store."""
        prepared, name = self._part.prepared, place.wanted.reference.source
        source = prepared.sources.get(name)
        shared = source is not None and source.remote
        # a place that this profile no longer reads may be one that another profile reads
        return (prepared.store(name) if shared else place.environment), place.where, place.unused

    def planned(self, *, overwrite: bool) -> list[PlannedPlace]:
        """Return the places, with what is done."""
        found = []
        for place in self._places():
            action = decide(place, overwrite=overwrite)
            login = None
            if action in (Action.RESTORE, Action.REPLACE):
                place, login = self._rotated(place)  # noqa: PLW2901 - the same place
                action = decide(place, overwrite=overwrite)
            found.append(PlannedPlace(place, action, login))
            if place.current is not None:
                writes = action in (Action.RESTORE, Action.REPLACE)
                value = place.wanted.value if writes else place.current.value
                self._afterwards[place.wanted.reference.source, place.where] = value
        return found

    def _places(self) -> list[Place]:
        prepared = self._part.prepared
        found = []
        name = prepared.profile.name
        for wanted in self._part.wanted:
            reference = self._with_value(wanted)
            source = prepared.sources[reference.source]
            outcome = self._outcomes.get(reference)
            if outcome is None:  # not valid for the store
                found.append(Place(name, wanted, wanted.where, None, None, wanted.obstacle))
                continue
            where, obstacle, current = source.locate(reference), wanted.obstacle, None
            try:
                current = current_value(outcome)
                if wanted.encrypted and obstacle is None:
                    obstacle = plain_file_error(source, reference)
            except EnvkitError as error:
                obstacle = obstacle or error
            slot = None
            if isinstance(source, WritableSource):
                slot = StoreSlot(source, reference)
            elif obstacle is None:
                obstacle = InvalidReferenceError(
                    f"envkit cannot write to {where}", hint=f"restore it in {where} yourself"
                )
            doubt = outcome.doubt if isinstance(outcome, Absent) else ""
            found.append(Place(name, wanted, where, slot, current, obstacle, doubt=doubt))
        unused = self._part.unused
        return found + [Place(name, one, one.where, None, None, unused=True) for one in unused]

    def _with_value(self, wanted: Wanted) -> Reference:
        """Return the first reference of a looked-up variable that has a value, or the first."""
        for reference in (wanted.reference, *wanted.others):
            if isinstance(self._outcomes.get(reference), Reading):
                return reference
        return wanted.reference

    def _rotated(self, place: Place) -> tuple[Place, Callable[[], None] | None]:
        """Return the place with its rotation, if it has one that permits the restore."""
        slot, current = place.slot, place.current
        assert slot is not None  # noqa: S101 - it is about to be written
        assert current is not None  # noqa: S101
        editable = EditableVariable(", ".join(place.wanted.names), (), slot, current)
        try:
            rotated = look(editable, self._find, self._deadline)
            if rotated is None:
                return place, None
            place = place._replace(rotation=rotated.value.full_name)
            if rotated.error is not None:
                raise rotated.error
            rotated.refuse_in_progress()
        except EnvkitError as error:
            return place._replace(obstacle=error), None
        return place, self._login(rotated.value, slot)

    def _login(self, rotated: RotatedValue, slot: StoreSlot) -> Callable[[], None]:
        def value_of(field: str) -> Secret | None:
            """Return what the store will have: the fields must fit together after the restore."""
            beside = reference_beside(slot.source, slot.reference, field)
            key = beside.source, slot.source.locate(beside)
            if key in self._afterwards:
                return self._afterwards[key]
            now = StoreSlot(slot.source, beside)  # `--only` does not match it
            value = read_all([now])[now].value
            return self._part.values.get(beside) if value is None else value

        def login() -> None:
            require_login(
                rotated,
                value_of,
                profile=self._part.prepared.profile,
                environ=self._environ,
            )

        return self._logins.setdefault(f"{rotated.full_name} {slot.reference.path}", login)

"""The dynamic secrets that one login holds for one process: read, renew, replace and revoke.

What always holds: a secret is read once for all its fields, and again only if its lease is about
to end, or has ended; a token that envkit did not obtain is never revoked; what another process
holds is never revoked; no server gets the token or the lease of another one; a lease that cannot
be renewed now delays no other.
"""

from __future__ import annotations

import os
import threading
import weakref
from functools import partial
from time import monotonic

from envkit._internal.json_text import loads
from envkit._internal.named_tuple import NamedTuple
from envkit.errors import DeniedError, InvalidReferenceError, SourceError, UnavailableError
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading, pick_field
from envkit.sources.vault.leases import requests
from envkit.sources.vault.leases.lease import Held, renew_at, replace_at
from envkit.sources.vault.leases.ledger import Entry, Ledger, sweep
from envkit.sources.vault.life import NEVER, any_spread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any, TypeAlias

    from envkit._internal.parallel import Result
    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Target
    from envkit.sources.vault.session import Session

    Refused: TypeAlias = SourceError | InvalidReferenceError


SWEEP_SECONDS = 2.0  # what it does not reach waits for the next start


class SpentToken(NamedTuple):
    """A token of envkit's that was replaced, and whose leases may still live.

    Attributes:
        token: the token.
        ends_at: when it ends by itself, on the monotonic clock.
    """

    token: str
    ends_at: float

    def __repr__(self) -> str:
        return "SpentToken()"


class Holder:
    """See the module's docstring.

    Args:
        session: the login that reads and renews.
        owner: the id of the process that holds the leases; a short-lived child reads for it.
        source: the name of the source of that login, for messages.

    Attributes:
        source: the same.
        lock: for callers that use the session beside it.
    """

    def __init__(self, session: Session, owner: int, source: str) -> None:
        self.source = source
        self.lock = threading.RLock()
        self._session = session
        self._owner = owner
        self._held: dict[Target, Held] = {}
        self._checked: set[Target] = set()  # the server was asked in this process
        self._used: set[Target] = set()
        self._token = ""  # that the leases belong to
        self._obtained = False  # whether envkit has obtained it
        self._token_ends_at = NEVER
        self._spent: list[SpentToken] = []
        self._inherited = False  # whether another process holds them
        self._ledger = Ledger(owner)
        self._noted = False  # whether the ledger has the token
        _holders.add(self)

    def is_of(self, session: Session) -> bool:
        """Whether it uses this login."""
        return self._session is session

    # ---------------------------------------------------------------- reading

    def outcomes(self, wanted: Mapping[Target, Sequence[Reference]]) -> dict[Reference, Outcome]:
        """Return the outcome of each reference, by the secret that it is a field of.

        Raises:
            SourceError: the server failed as a whole.
        """
        outcomes: dict[Reference, Outcome] = {}
        for target, found in self.fetch(wanted).items():
            for ref in wanted[target]:
                outcomes[ref] = _field(ref, found)
        return outcomes

    def fetch(self, wanted: Collection[Target]) -> dict[Target, Held | Refused]:
        """Return dynamic secrets: those that are held, and others after a read.

        Raises:
            SourceError: the server failed as a whole.
        """
        with self.lock:
            self._log_in(wanted)
            self._used.update(wanted)
            missing = [one for one in wanted if not self._lasts(one)]
            if missing and self._inherited:
                self._begin_own()
                missing = list(wanted)
            if missing:
                self._note()
            answers = self._session.ask(requests.read, missing)
            self._follow_login()
            found: dict[Target, Held | Refused] = {
                one: self._held[one] for one in wanted if one not in missing
            }
            for one, answer in zip(missing, answers, strict=True):
                try:
                    new = self._session.value(answer)
                except (SourceError, InvalidReferenceError) as error:
                    found[one] = error
                    continue
                before, identity = self._held.get(one), self._session.identity()
                found[one] = self._held[one] = new
                self._checked.add(one)
                replaced = None if before is None else Entry(identity, lease=before.lease_id)
                self._ledger.add(Entry(identity, lease=new.lease_id), replaced)
        return found

    def versions(self, wanted: Collection[Target]) -> dict[Target, str | Absent]:
        """Return what differs for each lease, and once it has ended.

        Raises:
            SourceError: the server failed.
        """
        from envkit.sources.fingerprint import fingerprint

        with self.lock:
            known = [one for one in wanted if one in self._held]
            if known:
                self._log_in(known)
            answers = self._session.ask(self._asking(requests.lives), known) if known else []
            found: dict[Target, str | Absent] = dict.fromkeys(wanted, Absent("no lease"))
            for one, answer in zip(known, answers, strict=True):
                lives = self._exists(answer) and self._held[one].life.ends_at > monotonic()
                found[one] = fingerprint(self._held[one].lease_id) if lives else "ended"
        return found

    def _lasts(self, target: Target) -> bool:
        """Whether a secret is held and can be used on, as far as the server says."""
        if not self._is_current(target):
            return False
        if target not in self._checked:
            (answer,) = self._session.ask(self._asking(requests.lives), [target])
            self._follow_login()
            if not self._exists(answer):
                return False
            self._checked.add(target)
        return self._is_current(target)

    def _exists(self, answer: Result[bool]) -> bool:
        try:
            return self._session.value(answer)
        except DeniedError:
            return True  # as far as this token may know

    def _is_current(self, target: Target) -> bool:
        held, now = self._held.get(target), monotonic()
        if held is None or held.life.ends_at <= now:
            return False
        return held.life.renewable or held.life.due_at > now

    def _asking(self, function: Any) -> Any:
        """Return a function of a client and a target, for one of a client and what is held."""
        held = self._held

        def ask(client: VaultClient, target: Target) -> Any:
            return function(client, held[target])

        return ask

    # ---------------------------------------------------------------- renewing

    def renew(self) -> None:
        """Renew the leases that are due; note those that must be replaced or tried again.

        Raises:
            SourceError: the token has ended, and there is no other.
        """
        with self.lock:
            if not self._held:
                return
            self._log_in(self._held)
            now = monotonic()
            due = [
                target
                for target, one in self._held.items()
                if one.life.renewable and one.life.due_at <= now
            ]
            answers = self._session.ask(self._asking(_renewed), due) if due else []
            self._follow_login()
            for target, answer in zip(due, answers, strict=True):
                held = self._held[target]
                if not held.life.renewable:
                    continue  # the login has changed
                try:
                    self._held[target] = self._session.value(answer)
                except DeniedError:
                    self._held[target] = held.not_renewed(now)
                except SourceError:
                    self._held[target] = held.postponed(monotonic())

    # ---------------------------------------------------------------- the login

    def _log_in(self, targets: Collection[Target]) -> None:
        paths = {f"{one.engine.mount}/{one.path}" for one in targets}
        self._session.in_time(lambda: self._session.ready(paths))
        self._follow_login()

    def _follow_login(self) -> None:
        """Replace all leases soon if they belong to another token, which will end."""
        token, now = self._session.token, monotonic()
        if self._token and token != self._token:
            self._held = {target: one.ended(now) for target, one in self._held.items()}
            self._spent = [one for one in self._spent if one.ends_at > now]
            if self._obtained and not self._inherited:
                self._spent.append(SpentToken(self._token, self._token_ends_at))
            self._noted = False
        self._token, self._token_ends_at = token, self._session.ends_at
        self._obtained = self._session.obtained

    def _begin_own(self) -> None:
        """Log in anew: what this process reads must not end with the process it forked from."""
        if self._session.obtained:
            self._session.log_in_again()
        self._held.clear()
        self._spent.clear()
        self._token, self._inherited, self._noted = "", False, False
        self._follow_login()

    def _note(self) -> None:
        """Write to the ledger what is about to be used, and sweep those of killed processes."""
        if self._noted:
            return
        self._noted = True
        identity = self._session.identity()
        if self._session.obtained:
            accessor = self._session.in_time(partial(self._session.call, requests.accessor_of))
            if accessor:
                self._ledger.add(Entry(identity, accessor=accessor))
        revoke = partial(self._revoke, monotonic() + SWEEP_SECONDS)
        self._session.briefly(lambda: sweep(identity, revoke), SWEEP_SECONDS)

    def _revoke(self, until: float, entry: Entry) -> bool:
        if monotonic() > until:
            raise UnavailableError("the sweep takes too long")
        if entry.accessor:
            return self._session.call(partial(requests.revoke_accessor, entry.accessor))
        return self._session.call(partial(requests.revoke, entry.lease))

    # ---------------------------------------------------------------- passing on

    def added_to(self, login: Mapping[str, Any]) -> dict[str, object]:
        """Return the state of the login with what another process can resume."""
        if not self._held and not self._spent:
            return dict(login)
        held = [one for one in self._held.values() if not self._used or one.target in self._used]
        renewal = renew_at(held)
        return {
            **login,
            "due_at": min(login.get("due_at", NEVER), renewal),
            "leases": tuple(one.to_state() for one in held),
            "leases_server": self._session.server_id(),
            "leases_token": self._token,
            "leases_obtained": self._obtained,
            "leases_token_ends_at": self._token_ends_at,
            "leases_spent": tuple(map(tuple, self._spent)),
            "leases_owner": self._owner,
            "leases_noted": self._noted,
            "replace_at": replace_at(held),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Use what `state` of another process returned, unless it is of another server."""
        if "leases" not in state:
            return
        with self.lock:
            if state["leases_server"] != self._session.server_id():
                return
            all_held = map(Held.of_state, state["leases"])
            self._held = {one.target: one for one in all_held}
            self._token = state["leases_token"]
            self._obtained = state["leases_obtained"]
            self._token_ends_at = state["leases_token_ends_at"]
            self._spent = [SpentToken(*one) for one in state["leases_spent"]]
            self._inherited = state["leases_owner"] != self._owner
            self._noted = state["leases_noted"] and not self._inherited
            self._checked.clear()

    # ---------------------------------------------------------------- the end

    def release(self) -> None:
        """Revoke what this process holds: the tokens that envkit obtained, or else each lease.

        Raises:
            SourceError: the server failed; the ledger stays for the next start.
        """
        with self.lock:
            if self._inherited or not (self._held or self._spent):
                return
            session, now = self._session, monotonic()
            for spent in self._spent:
                if spent.ends_at > now:
                    session.call(requests.revoke_token, spent.token)
            if not (self._obtained and session.call(requests.revoke_token, self._token)):
                for one in self._held.values():
                    if not session.call(partial(requests.revoke, one.lease_id), self._token):
                        break  # not allowed: each ends by itself
            self._held.clear()
            self._spent.clear()
            self._ledger.remove(session.identity())


def _field(ref: Reference, found: Held | Refused) -> Outcome:
    if not isinstance(found, Held):
        return found
    try:
        fields = loads(found.fields)
        assert isinstance(fields, dict)  # noqa: S101 - a lease is kept with the fields of an object
        text = pick_field(ref, fields)
    except InvalidReferenceError as error:
        return error
    if isinstance(text, Absent):
        return text
    return Reading(Secret(text), None, found.target.locate(ref.field), leased=True)


def _renewed(client: VaultClient, held: Held) -> Held:
    """Return a lease after its renewal, or what the refusal of it means."""
    now = monotonic()
    granted = requests.renew(client, held)
    if granted is not None:
        return held.renewed(granted, now, any_spread())
    return held.not_renewed(now) if requests.lives(client, held) else held.ended(now)


_holders: weakref.WeakSet[Holder] = weakref.WeakSet()


def _after_fork() -> None:
    """Free the locks, which threads of the parent may have."""
    for one in list(_holders):
        one.lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)

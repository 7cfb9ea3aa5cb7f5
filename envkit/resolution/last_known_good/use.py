"""Save what the stores answered, and use it while one of them is unavailable.

What always holds: a snapshot replaces only answers of a source that was unavailable, and only if
no reference of that source was denied or failed otherwise; never one that is too old, damaged,
or of another profile, selection, store or user. Writes of envkit on this machine delete it.
"""

from __future__ import annotations

import json
import os
import time
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from envkit._internal.paths import state_folder
from envkit.errors import EnvkitError, UnavailableError
from envkit.profile.placeholder import Reference
from envkit.resolution.last_known_good.key import key_path, key_to_encrypt, keys
from envkit.resolution.last_known_good.snapshot import (
    Moment,
    Snapshot,
    age_seconds,
    seal,
    unseal,
)
from envkit.sources.model import Absent, Reading
from envkit.sources.poke import SEALED, SNAPSHOTS, last_poke, remove_saved
from envkit.sources.registry import place_settings, store_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeGuard

    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.model import Outcome

MAX_BYTES = 64 * 1024 * 1024
FORGOTTEN_SECONDS = 30 * 86_400.0  # a snapshot that was not written for so long is removed
# environment variables that say which store is read, and as whom
_STORE_VARIABLES = (
    *("VAULT_ADDR", "BAO_ADDR", "VAULT_NAMESPACE", "BAO_NAMESPACE"),
    *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_VAULT"),
    *("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ROLE_ARN", "AWS_CONFIG_FILE"),
    "AWS_SHARED_CREDENTIALS_FILE",
)
_LONG_LIVED_AWS_KEY = "AKIA"


def save(
    prepared: Sequence[PreparedProfile],
    outcomes: Sequence[Mapping[Reference, Outcome]],
    environ: Mapping[str, str],
    *,
    poked: object,
) -> None:
    """Save what the sources with a `fallback` answered. It raises nothing.

    Args:
        prepared: the profiles.
        outcomes: of each, all answers; the environment that was made of them is complete.
        environ: the process environment.
        poked: `last_poke` before the stores were asked; if it has changed, nothing is saved.
    """
    key = key_to_encrypt(environ)
    folder = os.path.realpath(_folder(environ))
    if key is None or last_poke() != poked:
        return
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _forget(folder)
        for one, answers in zip(prepared, outcomes, strict=True):
            for name, _ in with_fallback(one):
                found = {ref: answers[ref] for ref in one.plan.references[name]}
                good = {ref: a for ref, a in found.items() if _lasts(a)}
                if len(good) == len(found):
                    _write(folder, Snapshot(_now(), good), key, _identity(one, name, environ))
        if last_poke() != poked:  # written meanwhile, perhaps after it was removed
            remove_saved(folder)
    except (OSError, EnvkitError):  # the environment is complete without it
        return


def fill(
    prepared: Sequence[PreparedProfile],
    outcomes: Sequence[Mapping[Reference, Outcome]],
    environ: Mapping[str, str],
) -> tuple[list[dict[Reference, Outcome]], float | None]:
    """Replace what unavailable sources did not answer.

    Args:
        prepared: the profiles.
        outcomes: of each, as `fetch` returned them.
        environ: the process environment.

    Returns:
        the outcomes, and the age of the oldest snapshot that was used, in seconds; None if none
        was used.
    """
    filled = [dict(answers) for answers in outcomes]
    oldest: float | None = None
    known_keys = cache(lambda: list(keys(environ)))  # a keyring may be slow
    for one, answers in zip(prepared, filled, strict=True):
        for name, max_age in with_fallback(one):
            refs = one.plan.references[name]
            failed = {ref: a for ref in refs if isinstance(a := answers[ref], Exception)}
            if not failed or not all(isinstance(a, UnavailableError) for a in failed.values()):
                continue
            age, known = _usable(one, name, max_age, environ, known_keys)
            if not isinstance(known, str) and any(
                isinstance(answers[ref], Absent) and isinstance(known[ref], Reading) for ref in refs
            ):
                known = "the store no longer has some of the saved values"
            if isinstance(known, str):
                answers.update({ref: _explained(failed[ref], known) for ref in failed})
            else:
                # all of them: values that belong together are of one time
                answers.update({ref: known[ref] for ref in refs})
                oldest = max(age, oldest or 0.0)
    return filled, oldest


def _lasts(answer: Outcome) -> TypeGuard[Reading | Absent]:
    """Return whether an answer may be saved: the login of a lease ends with its app."""
    return isinstance(answer, Absent) or (isinstance(answer, Reading) and not answer.leased)


def with_fallback(one: PreparedProfile) -> Iterator[tuple[str, float]]:
    """Yield the sources that a profile reads and that have a `fallback`, with its `max_age`."""
    for name in one.plan.references:
        seconds = one.profile.fallback_of(name)
        if seconds is not None and one.sources[name].remote:
            yield name, seconds


def _usable(
    one: PreparedProfile,
    name: str,
    max_age: float,
    environ: Mapping[str, str],
    known_keys: Callable[[], Sequence[bytes]],
) -> tuple[float, Mapping[Reference, Reading | Absent] | str]:
    """Return the age and the answers of a snapshot, or why there are none."""
    snapshot = _opened(one, name, environ, known_keys)
    if isinstance(snapshot, str):
        return 0.0, snapshot
    age = age_seconds(snapshot.taken, _now())
    if age is None:
        return 0.0, "the saved values are from the future: the clock was set back"
    if age > max_age:
        return 0.0, f"the saved values are too old ({age_text(age)})"
    return age, snapshot.answers


def _opened(
    one: PreparedProfile,
    name: str,
    environ: Mapping[str, str],
    known_keys: Callable[[], Sequence[bytes]],
) -> Snapshot | str:
    from envkit._internal.files import read_own

    try:
        identity = _identity(one, name, environ)
        path = os.path.join(os.path.realpath(_folder(environ)), _file_name(identity))
        data, state = read_own(path, MAX_BYTES)
    except (OSError, EnvkitError):
        return "no earlier values are saved"
    if state.st_uid != os.geteuid():
        return "the saved values belong to another user"
    if not known_keys():
        return f"the saved values have no key: {key_path(environ)} must be yours, with mode 0600"
    opened = (unseal(data, key, identity) for key in known_keys())
    snapshot = next((found for found in opened if found is not None), None)
    if snapshot is None or not snapshot.answers.keys() >= {*one.plan.references[name]}:
        return "the saved values cannot be decrypted"
    return snapshot


def age_text(seconds: float) -> str:
    """Return an age for people: `3 min`, `5 h`."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} days"


def _explained(error: Outcome, why: str) -> UnavailableError:
    assert isinstance(error, UnavailableError)  # noqa: S101 - as `fill` has seen
    return UnavailableError(f"{error.message}; {why}", hint=error.hint)


def _identity(one: PreparedProfile, name: str, environ: Mapping[str, str]) -> bytes:
    """Return what a snapshot is bound to."""
    profile = one.profile
    aws_key = environ.get("AWS_ACCESS_KEY_ID", "")
    parts = [
        os.geteuid(),
        os.path.realpath(profile.root),
        profile.name,
        name,
        repr(store_identity(profile, name)),
        sorted((k, repr(v)) for k, v in place_settings(profile, name, environ).items()),
        sorted(map(repr, one.plan.references[name])),
        sorted(map(one.locate, one.plan.references[name])),
        one.plan.selected,
        [environ.get(variable, "") for variable in _STORE_VARIABLES],
        # of another account; the others are new after each login
        aws_key if aws_key.startswith(_LONG_LIVED_AWS_KEY) else "",
    ]
    return sha256(json.dumps(parts).encode()).digest()


def _file_name(identity: bytes) -> str:
    return identity.hex()[:32] + SEALED


def _folder(environ: Mapping[str, str]) -> str:
    return os.path.join(state_folder(environ), SNAPSHOTS)


def _write(folder: str, snapshot: Snapshot, key: bytes, identity: bytes) -> None:
    from envkit._internal.writing.atomic_write import write_own

    write_own(os.path.join(folder, _file_name(identity)), seal(snapshot, key, identity))


def _forget(folder: str) -> None:
    """Remove what was not written for a long time: of selections that are no longer used."""
    now = time.time()
    for name in os.listdir(folder):
        if not name.endswith(SEALED):
            continue
        path = os.path.join(folder, name)
        try:
            if now - os.lstat(path).st_mtime > FORGOTTEN_SECONDS:
                os.unlink(path)
        except FileNotFoundError:  # another process has removed it
            continue


def _now() -> Moment:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return Moment(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot)
    except (OSError, AttributeError):  # not Linux
        return Moment(time.time())

"""The data of sources: context, readings, absences and versions.

The protocols are in `envkit.sources.protocols`. Authors of sources import both from
`envkit.sources.base`.
"""

from __future__ import annotations

import os
import sys

from envkit._internal.named_tuple import NamedTuple
from envkit.errors import InvalidReferenceError
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    from envkit._internal.clock import Deadline
    from envkit.errors import SourceError
    from envkit.profile.placeholder import Reference


class Reading(NamedTuple):
    """A value with its version and location.

    Attributes:
        value: the value.
        version: the store's own id; None if the store has no versions.
        location: for people: `vault:secret/myapp/db#password`, `.env.staging:3`.
        leased: whether the value ends with a lease of this process.
    """

    value: Secret
    version: str | None
    location: str
    leased: bool = False


class Absent(NamedTuple):
    """The store answered and does not have the value.

    Attributes:
        reason: why, for people, with names only: `no field 'pasword' (fields: password, user)`.
        version: the version of the secret that lacks the field, for compare-and-set; None if there
            is no secret.
        doubt: why this may be the wrong store; if set, defaults and other sources are not used.
        known: the names that exist, for "did you mean".
    """

    reason: str = ""
    version: str | None = None
    doubt: str = ""
    known: tuple[str, ...] = ()


if TYPE_CHECKING:
    Outcome: TypeAlias = Reading | Absent | SourceError | InvalidReferenceError


def values_of(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return an environment whose values are bytes decoded as UTF-8, as in `Secret`.

    Python decodes `os.environ` with the locale. This matters for programs that use envkit as a
    library; the command line always runs in UTF-8 mode.
    """
    if environ is not os.environ or sys.getfilesystemencoding() == "utf-8":
        return environ
    return {
        name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for name, value in os.environb.items()
    }


class LoginWarning(NamedTuple):
    """Why a login will end, and cannot be repeated; for people, without any value."""

    text: str
    hint: str


class LoggedIn(NamedTuple):
    """The result of `envkit login`; for people, without any value.

    Attributes:
        method: how.
        who: the identity, and how long the login lasts.
        place: where the login is stored.
        notes: what the person should know.
    """

    method: str
    who: str
    place: str
    notes: tuple[str, ...] = ()


class SourceContext:
    """The input for building a source.

    Attributes:
        name: the source's name in the profile: `vault` or `vault-eu`.
        settings: the table `[sources.NAME]` without `type`, with placeholders substituted.
        environment: the profile's name; `aliases` are its other names.
        root: the absolute path of the folder that contains `profiles/`.
        environ: the process environment to read.
        deadline: nothing waits longer.
        already_read: results of other sources in this command, so that nothing is read twice;
            None if each read contacts the store.
    """

    __slots__ = (
        "aliases",
        "already_read",
        "deadline",
        "environ",
        "environment",
        "name",
        "root",
        "settings",
    )

    def __init__(
        self,
        name: str,
        *,
        deadline: Deadline,
        settings: Mapping[str, object] | None = None,
        environment: str = "",
        aliases: tuple[str, ...] = (),
        root: str = ".",
        environ: Mapping[str, str] | None = None,
        already_read: dict[object, Any] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings or {}
        self.environment = environment
        self.aliases = aliases
        self.root = root
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.deadline = deadline
        self.already_read = already_read


class Version(NamedTuple):
    """A version of a secret that its store still has.

    Attributes:
        version: the id, for `?version=`.
        created: seconds since the epoch; None if the store does not say.
        author: who created it; None if the store does not say.
        state: `current`, `previous`, `older`, `deleted` or `destroyed`.
    """

    version: str
    created: float | None
    author: str | None
    state: str


WHOLE = "*"  # the field in `SOURCE:PATH#*`: all fields as one document


def pick_field(ref: Reference, fields: Mapping[str, object]) -> str | Absent:
    """Return the text of the field that a reference names.

    Without a field, the secret must have exactly one. Text is returned as is and a number as the
    store wrote it. A boolean, a list or a table becomes compact JSON. null counts as absent.

    Args:
        ref: the reference; `*` as its field means all fields as JSON.
        fields: the fields of the secret, decoded from JSON.

    Returns:
        the text, or `Absent` if the secret does not have the field.

    Raises:
        InvalidReferenceError: no field is named and the secret does not have exactly one.
    """
    if ref.field == WHOLE:
        return _to_text(dict(fields))
    field = ref.field
    if field is None:
        if len(fields) != 1:
            raise InvalidReferenceError(
                f"{ref} names no field, but the secret has {len(fields)}: {_names(fields)}",
                hint="add '#FIELD', or '#*' for the whole secret as JSON",
            )
        field = next(iter(fields))
    value = fields.get(field)
    if value is None:
        if field in fields:
            return Absent(f"the field '{field}' is null")
        known = tuple(name for name, there in fields.items() if there is not None)
        return Absent(f"no field '{field}' (fields: {_names(fields)})", known=known)
    return _to_text(value)


def _names(fields: Mapping[str, object]) -> str:
    return ", ".join(sorted(fields)) or "none"


def _to_text(value: object) -> str:
    if isinstance(value, str):
        return value
    from envkit._internal.json_text import dumps

    return dumps(value)

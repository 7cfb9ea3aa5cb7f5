"""The data of sources: their context, and readings, absences and versions.

Data only. The protocols are in `envkit.sources.protocols`, and authors of sources import
both from `envkit.sources.base`.
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
    """A value together with its version and where it came from."""

    value: Secret
    version: str | None  # the store's own id; None if the store has no versions
    location: str  # for people: `vault:secret/myapp/db#password`, `.env.staging:3`


class Absent(NamedTuple):
    """The store answered, and it does not have the value."""

    reason: str = ""  # for people, names only: `no field 'pasword' (fields: password, user)`
    version: str | None = None  # of the secret that lacks the field, for compare-and-set
    doubt: str = (
        ""  # why this may be the wrong store; if set, no default and no other source is used
    )
    known: tuple[str, ...] = ()  # the names that exist, for "did you mean"


if TYPE_CHECKING:
    Outcome: TypeAlias = Reading | Absent | SourceError | InvalidReferenceError


def values_of(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return an environment with its values as `Secret` has them: bytes read as UTF-8.

    Python decodes `os.environ` by the locale. That matters in a program that uses envkit as a
    library: the command line is in UTF-8 mode.
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


class SourceContext:
    """Everything that a source knows when it is built.

    Attributes:
        name: the source's name in the profile, `vault` or `vault-eu`.
        settings: the table `[sources.NAME]` without `type`, its placeholders substituted.
        environment: the profile's name; `aliases` its other names.
        root: absolute path of the folder that holds `profiles/`.
        environ: the process environment to read from.
        deadline: nothing waits beyond it.
        already_read: what sources of this command have read, so that nothing is read twice;
            None if each read asks the store.
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
    """One version of a secret that its store still knows."""

    version: str  # what `?version=` takes
    created: float | None  # seconds since the epoch, UTC; None if the store does not say
    author: str | None  # who created it, if the store says
    state: str  # `current`, `previous`, `older`, `deleted` or `destroyed`


WHOLE = "*"  # the field of `SOURCE:PATH#*`: all fields, as one document


def pick_field(ref: Reference, fields: Mapping[str, object]) -> str | Absent:
    """Return the text of the one field that `ref` names, from a secret of several.

    No field and exactly one in the secret: that one. Text comes as it is; a number as the
    store wrote it; a truth value, a list or a table as compact JSON; null counts as absent.

    Raises:
        InvalidReferenceError: no field is named and the secret has not exactly one.
    """
    if ref.field == WHOLE:
        return _to_text(dict(fields))
    field = ref.field
    if field is None:
        if len(fields) != 1:
            raise InvalidReferenceError(
                f"{ref} names no field, and the secret has {len(fields)}: {_names(fields)}",
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

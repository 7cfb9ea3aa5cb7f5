"""What can be known of a write before the first of several is done."""

from __future__ import annotations

import os

from envkit._internal.os_errors import reason_of
from envkit._internal.paths import display_path
from envkit._internal.replaceable import check_replaceable
from envkit.editing.slots import ProfileHolder, StoreHolder
from envkit.errors import DeniedError
from envkit.sources.protocols import WriteCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envkit.editing.slots import Holder
    from envkit.profile.placeholder import Reference
    from envkit.sources.protocols import WritableSource


def refuse_unwritable(holders: Iterable[Holder]) -> None:
    """Refuse to change anything if a file of it cannot be replaced. Asks no server.

    Raises:
        EnvkitError: one of them cannot, and why.
    """
    for holder in holders:
        if isinstance(holder, ProfileHolder):
            _check_profile(holder.path)
        elif isinstance(holder, StoreHolder):
            _check_store(holder.source, holder.reference)


def _check_store(source: WritableSource, reference: Reference) -> None:
    if isinstance(source, WriteCheck) and not source.remote:
        for error in source.check_write([reference]).values():
            raise error


def _check_profile(path: str) -> None:
    try:
        check_replaceable(os.path.realpath(path))
    except OSError as error:
        raise DeniedError(f"cannot write {display_path(path)}: {reason_of(error)}") from None

"""Select variables by globs: `--only` and `--except`. Pure."""

from __future__ import annotations

from envkit._internal.names import is_name
from envkit.errors import UsageError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


def globs(given: Sequence[str]) -> Sequence[str]:
    """Return globs as a list, also where a caller has one and not a list of one.

    A text is a sequence as well: of `"A*"`, the glob `*` would match everything.
    """
    return [given] if isinstance(given, str) else given


def refuse_unknown(given: Iterable[str], known: Collection[str], where: str) -> None:
    """Refuse what is surely mistyped among globs: what was meant would be left out in silence.

    Args:
        given: globs.
        known: the names that there are.
        where: what has them, for the message.

    Raises:
        UsageError: a name that is not there, or an empty text.
    """
    for name in given:
        if not name:
            raise UsageError("an empty glob matches no variable", hint="write --only 'DB_*'")
        if is_name(name) and name not in known:
            raise UsageError(f"no variable '{name}' in {where}", hint=did_you_mean(name, known))


def select(names: Iterable[str], only: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Return the names that match one of the globs `only` (or all) and none of `exclude`."""
    if not only and not exclude:
        return list(names)
    from fnmatch import fnmatchcase

    return [
        name
        for name in names
        if (not only or any(fnmatchcase(name, glob) for glob in only))
        and not any(fnmatchcase(name, glob) for glob in exclude)
    ]

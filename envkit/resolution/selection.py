"""Select variables by names and globs: arguments, `--only` and `--except`. Pure.

Guarantees: an entry without `*`, `?` and `[` is a name and must exist; a selection that
matches nothing is an error. Otherwise a typo would silently omit a variable, or
pass one on.
"""

from __future__ import annotations

from envkit._internal.names import LETTERS, WORD
from envkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_SEPARATORS = frozenset(",;|:")
_NEGATIONS = ("!", "^", "-")
_OPPOSITE = {"--only": "--except", "--except": "--only"}
_GLOBS = "use '*', '?', '[AB]' and '[!AB]' with the characters of names: 'DB_*'"


def globs(given: Sequence[str]) -> Sequence[str]:
    """Return globs as a list, even if the caller passes a single one.

    A string is also a sequence: `"A*"` would include the glob `*`, which matches everything.
    """
    return [given] if isinstance(given, str) else given


def choose(
    known: Collection[str],
    where: str,
    *,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    names: Sequence[str] = (),
    kept: Collection[str] = (),
) -> list[str]:
    """Return the variables that `names` or `only` select and `exclude` does not match.

    Without `names` and `only`, all variables are selected.

    Args:
        known: all existing names.
        where: the owner of the names, for messages.
        only: globs.
        exclude: globs.
        names: exact names, never globs.
        kept: names that are always selected, whether known or not.

    Raises:
        UsageError: a name is unknown, an option has several names in one text or an empty
            text, or the globs match nothing.
    """
    for name in names:
        if name not in known:
            raise _unknown(name, known, where)
    for option, given in (("--only", only), ("--except", exclude)):
        for glob in given:
            _refuse_mistyped(glob, known, where, option)
    escaped = [_escaped(name) for name in names]
    chosen = select(known, [*escaped, *only], exclude)
    if not chosen and not kept and (only or (known and exclude)):
        raise _nothing_left(known, where, only, exclude)
    return chosen


def select(names: Iterable[str], only: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Return the names that match a glob of `only` (or all) and no glob of `exclude`."""
    if not only and not exclude:
        return list(names)
    from fnmatch import fnmatchcase

    return [
        name
        for name in names
        if (not only or any(fnmatchcase(name, glob) for glob in only))
        and not any(fnmatchcase(name, glob) for glob in exclude)
    ]


def _refuse_mistyped(glob: str, known: Collection[str], where: str, option: str) -> None:
    """Refuse an unknown name, and several globs in one text."""
    if not glob.strip():
        raise UsageError("an empty glob matches no variable", hint=f"use {option} 'DB_*'")
    if _is_glob(glob):
        if "[^" in glob:  # in fnmatch a set that contains '^', in a shell a negated set
            instead = glob.replace("[^", "[!")
            raise UsageError(
                f"'[^' has no meaning in the glob '{glob}'", hint=f"use {option} '{instead}'"
            )
        if _fits_no_name(glob, known):
            listed = _is_list(glob)
            raise UsageError(
                f"no variable in {where} matches '{glob}'",
                hint=_one_for_each(glob, option) if listed else _GLOBS,
            )
    elif glob not in known:
        raise _unknown(glob, known, where, option)


def _fits_no_name(glob: str, known: Collection[str]) -> bool:
    """Return whether a glob has a character that no name has, as in `A*,B*`, `DB.*` and `DB-*`.

    That is always a mistake: with `--except` it would pass on the variables it means to exclude.
    """
    import re

    literal = re.sub(r"\[!?\]?[^\]]*\]|[*?]", "", glob)
    return bool(set(literal) - WORD - set("".join(known)))


def _unknown(name: str, known: Collection[str], where: str, option: str = "") -> UsageError:
    parts = _parts(name)
    listed = _is_list(name) or (len(parts) > 1 and all(part in known for part in parts))
    if option and listed:
        hint: str | None = _one_for_each(name, option)
    elif option and name[:1] in _NEGATIONS and name[1:] in known:
        hint = f"use {_OPPOSITE[option]} {name[1:]}"
    else:
        from envkit._internal.suggestions import did_you_mean

        hint = did_you_mean(name.strip(), known)
    return UsageError(f"no variable '{name}' in {where}", hint=hint)


def _nothing_left(
    known: Collection[str], where: str, only: Sequence[str], exclude: Sequence[str]
) -> UsageError:
    given = [f"--only '{glob}'" for glob in only] + [f"--except '{glob}'" for glob in exclude]
    hint = f"choose from: {', '.join(sorted(known))}" if known else None
    upper = [glob.upper() for glob in only]
    if upper != list(only) and select(known, upper, exclude):
        hint = f"did you mean {' '.join(f'--only {_quoted(glob)}' for glob in upper)}?"
    return UsageError(f"no variable in {where} remains after {' '.join(given)}", hint=hint)


def _one_for_each(text: str, option: str) -> str:
    each = " ".join(f"{option} {_quoted(part)}" for part in _parts(text))
    return f"write one {option} for each name: {each}"


def _parts(text: str) -> list[str]:
    """Return the parts between characters that no name and no glob contains."""
    kept = WORD | frozenset("*?[]")
    parts = "".join(char if char in kept else " " for char in text).split()
    return [part for part in parts if part[0] in LETTERS or _is_glob(part)] or [text]


def _quoted(part: str) -> str:
    return f"'{part}'" if _is_glob(part) else part


def _is_glob(text: str) -> bool:
    return any(char in text for char in "*?[")


def _is_list(text: str) -> bool:
    """Return whether a text contains several names, separated by a comma or a blank."""
    text = text.strip()
    return any(char in _SEPARATORS or char.isspace() for char in text) and len(_parts(text)) > 1


def _escaped(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)

"""Select variables by names and globs: arguments, `--only` and `--except`. Pure.

What always holds: an entry without `*`, `?` and `[` is a name, and must be there; nothing is
returned that leaves no variable at all. Otherwise a typo would silently leave a variable out, or
pass it on.
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
    """Return globs as a list, also where a caller has one and not a list of one.

    A text is a sequence as well: of `"A*"`, the glob `*` would match everything.
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
    """Return the variables that are named or match a glob of `only`, and match none of `exclude`.

    Without `names` and `only`, it begins with all of them.

    Args:
        known: the names that there are.
        where: what has them, for messages.
        only: globs.
        exclude: globs.
        names: taken as they are, never as globs.
        kept: what is used whatever the globs say; it need not be known.

    Raises:
        UsageError: an unknown name, several names in one option, an empty text, or globs
            that leave nothing at all.
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


def _refuse_mistyped(glob: str, known: Collection[str], where: str, option: str) -> None:
    """Refuse an unknown name, and a list of globs that was written as one."""
    if not glob.strip():
        raise UsageError("an empty glob matches no variable", hint=f"use {option} 'DB_*'")
    if _is_glob(glob):
        if "[^" in glob:  # to fnmatch a set with '^' in it, to a shell all but that set
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
    """Whether a glob has a character that no name has, as in `A*,B*`, `DB.*` and `DB-*`.

    It is a mistake whatever else is left: with `--except` it would hand out what it means.
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
    hint = f"choose some of: {', '.join(sorted(known))}" if known else None
    upper = [glob.upper() for glob in only]
    if upper != list(only) and select(known, upper, exclude):
        hint = f"did you mean {' '.join(f'--only {_quoted(glob)}' for glob in upper)}?"
    return UsageError(f"no variable in {where} remains after {' '.join(given)}", hint=hint)


def _one_for_each(text: str, option: str) -> str:
    each = " ".join(f"{option} {_quoted(part)}" for part in _parts(text))
    return f"write one {option} for each name: {each}"


def _parts(text: str) -> list[str]:
    """Return what stands between the characters that no name and no glob has."""
    kept = WORD | frozenset("*?[]")
    parts = "".join(char if char in kept else " " for char in text).split()
    return [part for part in parts if part[0] in LETTERS or _is_glob(part)] or [text]


def _quoted(part: str) -> str:
    return f"'{part}'" if _is_glob(part) else part


def _is_glob(text: str) -> bool:
    return any(char in text for char in "*?[")


def _is_list(text: str) -> bool:
    """Whether several names stand in one text: a name has neither a comma nor a blank."""
    text = text.strip()
    return any(char in _SEPARATORS or char.isspace() for char in text) and len(_parts(text)) > 1


def _escaped(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)

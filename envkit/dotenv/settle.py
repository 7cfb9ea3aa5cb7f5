"""Decide what the odd lines of a `.env` file set, given its definitions. Pure."""

from __future__ import annotations

from envkit.errors import DotenvError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.dotenv.parser import Definition, OddLine


def settle(
    odd: Sequence[OddLine], definitions: dict[str, list[Definition]], listed: set[str]
) -> tuple[tuple[DotenvError, ...], DotenvError | None]:
    """Decide what odd lines set, given the definitions of the file.

    Args:
        odd: the odd lines of a file.
        definitions: the file's definitions, including those without a value; `export NAME` is
            removed if the file sets NAME.
        listed: names of variables; a name that only odd lines may set is removed.

    Returns:
        the problems of the file, and why a variable that it does not set may still be in it.
    """
    problems, unclear = [], None
    sure = {line.names[0] for line in odd if line.listed}
    for line in odd:
        if line.declares:
            [name] = line.names
            setting = [one for one in definitions[name] if one.source != line.source]
            if setting:
                definitions[name] = setting
                continue
        problems.append(line.error)
        if line.unclear:
            unclear = unclear or _following(line)
        for index, name in enumerate(line.names):
            if index and line.open:
                found = definitions[name]
                found[-1] = found[-1]._replace(error=_following(line))
    listed.intersection_update(
        {name for name, found in definitions.items() if any(one.error is None for one in found)}
        | sure
    )
    return tuple(problems), unclear


def _following(line: OddLine) -> DotenvError:
    """Return the error for a variable that an odd line may hide."""
    if not line.open:
        return line.error
    return DotenvError(
        f"{line.error.message}, so the lines after it are ambiguous",
        hint="close the quotation mark on that line",
    )

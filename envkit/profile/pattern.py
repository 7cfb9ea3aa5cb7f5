"""Match a value against a regular expression from a profile, in bounded time.

Python's `re` backtracks and cannot be interrupted: `^(a+)+$` takes years for forty letters.
An expression that may be slow is matched in a separate process, which is killed after
MATCH_SECONDS. Nearly all expressions in profiles are fast and are matched in this process.
"""

from __future__ import annotations

import re
import sys
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

MATCH_SECONDS = 2.0
MOST_REPEATS = 2  # unbounded and in sequence: quadratic in the length of the value
MOST_TIMES = 64  # a repeat with at most this many iterations counts as bounded
MOST_CHARACTERS = 4096  # of a value that may take quadratic time
_MATCH = """\
import re, sys
length, text = sys.stdin.buffer.read().decode("utf-8", "surrogatepass").split(" ", 1)
pattern, value = text[:int(length)], text[int(length):]
print(int(re.search(pattern, value) is not None))
"""


class MatchTimeoutError(Exception):
    """The match took longer than MATCH_SECONDS, or the process that ran it failed."""


def matches(pattern: str, value: str) -> bool:
    """Return whether a regular expression matches anywhere in a value.

    Args:
        pattern: a valid regular expression.
        value: never passed in another program's arguments or in a file.

    Raises:
        MatchTimeoutError: the match timed out.
    """
    repeats = _repeats(pattern)
    if repeats == 0 or (repeats <= MOST_REPEATS and len(value) <= MOST_CHARACTERS):
        return re.search(pattern, value) is not None
    return _matches_in_a_process(pattern, value)


def _repeats(pattern: str) -> float:
    """Return the number of unbounded repeats that can multiply; infinite if they are nested."""
    from re import _parser  # type: ignore[attr-defined]  # the one that `re` itself uses

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = _parser.parse(pattern)
    return _count(parsed)


def _count(parsed: Iterable[tuple[Any, Any]]) -> float:
    found = 0.0
    for operator, argument in parsed:
        name = str(operator)
        inner = sum(_count(part) for part in _parts(argument))
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            ambiguous = inner or any(_branches(part) for part in _parts(argument))
            most = argument[1]
            if isinstance(most, int) and most <= MOST_TIMES:
                found += inner * most
            else:
                found += float("inf") if ambiguous else 1
        elif name == "GROUPREF":
            found += float("inf")
        else:
            found += inner
    return found


def _branches(parsed: Iterable[tuple[Any, Any]]) -> bool:
    return any(
        str(operator) == "BRANCH" or any(_branches(part) for part in _parts(argument))
        for operator, argument in parsed
    )


def _parts(argument: Any) -> Iterator[Any]:
    """Yield the subexpressions in the argument of an operator."""
    from re import _parser  # type: ignore[attr-defined]

    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for item in argument:
            yield from _parts(item)


def _matches_in_a_process(pattern: str, value: str) -> bool:
    from envkit._internal.program import ProgramError, run_program

    if not sys.executable:
        raise MatchTimeoutError
    given = f"{len(pattern)} {pattern}{value}".encode("utf-8", "surrogatepass")
    try:
        finished = run_program(
            [sys.executable, "-I", "-S", "-c", _MATCH],
            environ={},
            timeout_seconds=MATCH_SECONDS,
            stdin=given,
            capture=True,
        )
    except ProgramError:
        raise MatchTimeoutError from None
    if finished.status != 0:
        raise MatchTimeoutError
    return finished.output.strip() == b"1"

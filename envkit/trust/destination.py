"""One thing that a profile would do and that its user must allow first.

    Destination(SEND, "https://vault.example.com:8200", ("$VAULT_TOKEN",))

Two destinations are the same if they have the same kind and `where`. If more is to be sent to
an allowed destination, envkit asks only about the addition.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SEND, READ, RUN, LOAD = "send", "read", "run", "load"


class Destination(NamedTuple):
    """What a profile would do.

    Attributes:
        kind: `send` to an address, `read` a file outside the project, `run` a program, or `load`
            code into programs by a variable.
        where: the origin, the address as it is written, the real path of the file, the command, or
            the name of the variable.
        gets: what is sent there, as it is written: `$VAULT_TOKEN`, `{{ env:GITHUB_TOKEN }}`.
        why: the purpose, for people: `before db-password is rotated`.
        shown: replaces `where` in messages, which may be logged; empty if `where` can be shown.
        plain: whether the connection is unencrypted.
    """

    kind: str
    where: str
    gets: tuple[str, ...] = ()
    why: str = ""
    shown: str = ""
    plain: bool = False

    @property
    def sentence(self) -> str:
        """The request in full, for the person who decides."""
        return self._sentence(self.where)

    @property
    def summary(self) -> str:
        """The request for messages, with nothing of an address but its origin."""
        return self._sentence(self.shown or self.where)

    def _sentence(self, where: str) -> str:
        things = listed(self.gets)
        if self.kind == READ:
            text = f"reads {where}, outside the project"
        elif self.kind == RUN:
            text = f"runs {where}" + (f" with {things}" if things else "")
        elif self.kind == LOAD:
            text = f"sets {where} to {things}"
        else:
            # two letters that look alike must not pass for the same host
            plainly = where.encode("ascii", "backslashreplace").decode()
            text = f"{things or 'requests'} to {plainly}"
        text += " (unencrypted)" if self.plain else ""
        if not self.why:
            return text
        if self.kind == LOAD:
            return f"{text} ({self.why})"
        return f"{text} {self.why}" if self.kind == RUN else f"{text}, {self.why}"


def listed(things: Iterable[str]) -> str:
    """Return `a, b and c`."""
    *most, last = [*things] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def merged(destinations: Iterable[Destination]) -> list[Destination]:
    """Merge destinations of the same kind and `where`; each gets everything that is sent there."""
    found: dict[tuple[str, str], Destination] = {}
    for one in destinations:
        known = found.get((one.kind, one.where))
        if known is None:
            found[one.kind, one.where] = one
            continue
        found[one.kind, one.where] = known._replace(
            gets=tuple(dict.fromkeys((*known.gets, *one.gets))),
            why="; ".join(dict.fromkeys(filter(None, (known.why, one.why)))),
            plain=known.plain or one.plain,
        )
    return list(found.values())


def left_over(wanted: Destination, allowed: Iterable[Destination]) -> Destination | None:
    """Return the part of a destination that is not allowed; None if all of it is allowed."""
    same = [one for one in allowed if (one.kind, one.where) == (wanted.kind, wanted.where)]
    if not same:
        return wanted
    known = {thing for one in same for thing in one.gets}
    new = tuple(thing for thing in wanted.gets if thing not in known)
    return wanted._replace(gets=new) if new else None

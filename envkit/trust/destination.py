"""One thing that a profile would do, and that its user must allow first.

    Destination(SEND, "https://vault.example.com:8200", ("$VAULT_TOKEN",))

A destination is told from another by its kind and its `where`. What goes there may grow: then
only what is new is asked for.
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
        where: the origin, the address as it is written, the file's real path, the command, or
            the variable's name.
        gets: what goes there, as it is written: `$VAULT_TOKEN`, `{{ env:GITHUB_TOKEN }}`.
        why: what it is for, for people: `before db-password is rotated`.
        shown: stands for `where` in messages, which may end up in a log; empty for itself.
        plain: whether it travels unencrypted.
    """

    kind: str
    where: str
    gets: tuple[str, ...] = ()
    why: str = ""
    shown: str = ""
    plain: bool = False

    @property
    def sentence(self) -> str:
        """What is asked for, in full, for a person who decides."""
        return self._sentence(self.where)

    @property
    def summary(self) -> str:
        """The same for messages, without what an address may hold beside its origin."""
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
            # of two letters that look alike, only one is the host's
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
    """Return each destination once, with all that goes there."""
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
    """Return what of a destination is not among those that are allowed; None where all of it is."""
    same = [one for one in allowed if (one.kind, one.where) == (wanted.kind, wanted.where)]
    if not same:
        return wanted
    known = {thing for one in same for thing in one.gets}
    new = tuple(thing for thing in wanted.gets if thing not in known)
    return wanted._replace(gets=new) if new else None

"""A source with answers from the test; it implements only the production interface."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ClassVar

from envkit.errors import InvalidReferenceError
from envkit.profile.placeholder import parse
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from envkit.profile.placeholder import Reference


class Shelf:
    """Returns what it was given for the text of a reference: `Shelf({"shelf:a#b": "value"})`.

    Args:
        contents: a text becomes a value; anything else is returned unchanged.
        name: in the profile.
        remote: whether it claims to use a network.
        refuses: the references that `check` refuses.
        breaks: raised by every `fetch`.

    Attributes:
        asked: the references of each `fetch`, as texts.
    """

    settings: ClassVar = {}

    def __init__(self, contents=(), *, name="shelf", remote=False, refuses=(), breaks=None):
        self.contents = dict(contents)
        self.name = name
        self.remote = remote
        self.refuses = refuses
        self.breaks = breaks
        self.asked = []

    def check(self, ref: Reference) -> None:
        if str(ref) in self.refuses:
            raise InvalidReferenceError(f"{ref} does not fit on a shelf")

    def locate(self, ref: Reference) -> str:
        return f"{self.name} {ref}"

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, object]:
        self.asked.append([str(ref) for ref in refs])
        if self.breaks is not None:
            raise self.breaks
        return {ref: self._answer(str(ref)) for ref in refs if str(ref) in self.contents}

    def _answer(self, ref: str) -> object:
        found = self.contents[ref]
        return (
            Reading(Secret(found), "1", f"{self.name}:{ref}") if isinstance(found, str) else found
        )


class SilentShelf(Shelf):
    """Does not answer until the test releases it."""

    def __init__(self, name="shelf"):
        super().__init__(name=name, remote=True)
        self.released = threading.Event()

    def fetch(self, refs):
        self.released.wait()
        return super().fetch(refs)


def reference(text: str) -> Reference:
    """Return the reference with this text in a placeholder."""
    (placeholder,) = parse("{{ " + text + " }}").placeholders
    return placeholder.operand


__all__ = ["Absent", "Reading", "Shelf", "SilentShelf", "reference"]

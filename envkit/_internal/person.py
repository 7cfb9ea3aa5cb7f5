"""The person at the terminal, as far as the library talks to one. Only the command line has one."""

from __future__ import annotations

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

WAIT_SECONDS = 120.0  # for what a person does elsewhere, unless they have said how long


class Person(Protocol):
    """Answers questions. Nothing that is shown or asked contains a value.

    Attributes:
        wait_seconds: for what they do elsewhere: in a browser, or on another device.
    """

    wait_seconds: float

    def ask(self, question: str) -> str:
        """Return the line that the person types, without blanks at its ends; empty for none."""
        ...

    def ask_hidden(self, question: str) -> str:
        """Return the line that the person types while the terminal hides it; empty for none."""
        ...

    def tell(self, text: str) -> None:
        """Show one line."""
        ...

    def waiting(self, text: str, seconds: float) -> AbstractContextManager[None]:
        """While entered, show what they must do elsewhere, and how much of the time is left."""
        ...

    def open_browser(self, url: str) -> None:
        """Open a page in the person's browser, or tell them to."""
        ...

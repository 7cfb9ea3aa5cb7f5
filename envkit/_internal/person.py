"""The person at the terminal, as far as the library talks to one. Only the command line has one."""

from __future__ import annotations

from typing import Protocol


class Person(Protocol):
    """Answers questions. Nothing that is shown or asked contains a value."""

    def ask(self, question: str) -> str:
        """Return the line that the person types, without blanks at its ends; empty for none."""
        ...

    def ask_hidden(self, question: str) -> str:
        """Return the line that the person types while the terminal hides it; empty for none."""
        ...

    def tell(self, text: str) -> None:
        """Show one line."""
        ...

    def open_browser(self, url: str) -> None:
        """Open a page in the person's browser, or tell them to."""
        ...

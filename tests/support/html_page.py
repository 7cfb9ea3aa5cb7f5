"""A parsed HTML page."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """The tags with their attributes, and the texts between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def names(self) -> set[str]:
        """Which tags there are."""
        return {tag for tag, _ in self.tags}

    @property
    def attributes(self) -> list[tuple[str, str | None]]:
        """Every attribute of every tag."""
        return [one for _, attributes in self.tags for one in attributes.items()]

    def values(self, name: str) -> list[str | None]:
        """Return what an attribute is, wherever there is one."""
        return [value for attribute, value in self.attributes if attribute == name]

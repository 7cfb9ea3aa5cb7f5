"""A parsed HTML page."""

from __future__ import annotations

from html.parser import HTMLParser

_PART = ("span", {"class": "part"})  # a part of a text; lines break between parts


class Page(HTMLParser):
    """The tags with their attributes, and the texts between them; adjacent texts are joined."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._in_part = False
        self._after_part = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "wbr":
            self._in_part = self._after_part = True
            return
        self._in_part = (tag, dict(attrs)) == _PART
        self._after_part = self._after_part and self._in_part

    def handle_endtag(self, tag: str) -> None:
        self._after_part = (self._in_part or self._after_part) and tag == "span"
        self._in_part = False

    def handle_data(self, data: str) -> None:
        if self._in_part and self._after_part:
            self.texts[-1] += data
        else:
            self.texts.append(data)
        self._after_part = False

    @property
    def names(self) -> set[str]:
        """The names of the tags."""
        return {tag for tag, _ in self.tags}

    @property
    def attributes(self) -> list[tuple[str, str | None]]:
        """Every attribute of every tag."""
        return [one for _, attributes in self.tags for one in attributes.items()]

    def values(self, name: str) -> list[str | None]:
        """Return every value of an attribute."""
        return [value for attribute, value in self.attributes if attribute == name]

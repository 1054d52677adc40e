"""Find links in HTML as a mail client does."""

from __future__ import annotations

from html.parser import HTMLParser


class _Finder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


def find_links(html: str, part: str) -> tuple[str, ...]:
    """Return the targets of the links of ``html`` that contain ``part``, in their order."""
    finder = _Finder()
    finder.feed(html)
    return tuple(link for link in finder.links if part in link)

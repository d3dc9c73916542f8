"""Texts that a report must show as they are, and a way to see what is in a page."""

from html.parser import HTMLParser

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "![x](http://evil.example/a.png)",
    "[x](javascript:alert(1))",
    "<http://evil.example>",
    "http://evil.example/a",
    "www.evil.example",
    "a | b || c",
    "`code` ```",
    "=cmd()",
    "# no heading",
    "- no item",
    "1. no item",
    "> no quote",
    "&lt;b&gt; &amp;",
    "line\nbreak\r\n\n# two",
    "\x1b[31mred\x00",
    "$x^2$ \\frac{1}{2}",
    "[ref]: http://evil.example",
    "**bold** __bold__ _it_ ~~no~~",
    "url(http://evil.example) var(--x) #010203",
    "-->]]></svg><b>",
    "日本語 🎉",
    "\u202egnp",
    "\\| end \\",
]


class Elements(HTMLParser):
    """All elements of a page with their attributes, and its text outside of styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

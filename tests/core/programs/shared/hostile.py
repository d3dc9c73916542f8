"""Texts that a report must show as they are, and what must hold of every report."""

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg/onload=alert(1)>',
    "![x](http://evil.example/a.png)", "[x](javascript:alert(1))", "<http://evil.example>", "http://evil.example/a",
    "www.evil.example", "a | b || c", "`code` ```", "=cmd()", "# no heading", "- no item", "1. no item", "> no quote",
    "&lt;b&gt; &amp;", "line\nbreak\r\n\n# two", "\x1b[31mred\x00", "$x^2$ \\frac{1}{2}",
    "[ref]: http://evil.example", "**bold** __bold__ _it_ ~~no~~", "url(http://evil.example) var(--x) #010203",
    "-->]]></svg><b>", "日本語 🎉", "\u202egnp", "\\| end \\",
]  # fmt: skip

PAGE = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "h3", "p", "strong", "em", "br",
    "blockquote", "dl", "div", "dt", "dd", "nav", "ul", "li", "a", "span", "section", "table", "thead", "tbody", "tr",
    "th", "td", "figure", "figcaption", "pre", "code",
}  # fmt: skip
DRAWING = {"svg", "g", "path", "text", "defs", "use", "clippath", "rect", "tspan"}
MARKDOWN = {
    "heading", "paragraph", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item",
    "strong", "em", "link", "inline", "text", "text_special", "hardbreak", "softbreak", "code_inline", "fence",
}  # fmt: skip
EXPLAINED = "https://docs.astral.sh/ruff/rules/"


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


def check_page(text: str) -> Elements:
    """The page holds no element but ours, loads nothing, leads nowhere else, and can be read aloud."""
    elements = Elements(text)
    assert {tag for tag, _ in elements.found} <= PAGE | DRAWING
    assert elements.named("meta")[2]["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert elements.named("html") == [{"lang": "en"}]
    assert len(elements.named("title")) == len(elements.named("h1")) == 1
    assert all(one.get("scope") in ("col", "row") for one in elements.named("th"))
    images = [one for one in elements.named("div") if one.get("role") == "img"]
    assert len(images) == len(elements.named("figure")) == len(elements.named("svg"))
    assert all(one["aria-label"] for one in elements.named("div") if "role" in one)
    assert len([one for one in elements.named("div") if one.get("tabindex") == "0"]) >= len(elements.named("table"))
    ids = [str(one["id"]) for _, one in elements.found if "id" in one]
    assert len(ids) == len(set(ids))
    for tag, attributes in elements.found:
        assert not {name for name in attributes if name.startswith("on")}
        assert not set(attributes) & {"src", "srcset", "action", "data", "poster", "xlink:href"}
        target = attributes.get("href") or ""
        assert not target or target.removeprefix("#") in ids or (tag == "a" and target.startswith(EXPLAINED)), target
        assert "style" not in attributes or tag in DRAWING
        for name in ("style", "clip-path", "fill"):
            assert set(re.findall(r"url\((.)", attributes.get(name) or "")) <= {"#"}
    return elements


def check_markdown(text: str) -> None:
    """The Markdown holds no markup but ours, and every row of a table has its cells."""
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    inline = [child for one in tokens for child in one.children or []]
    assert {re.sub("_(open|close)$", "", one.type) for one in tokens + inline} <= MARKDOWN
    for one in inline:
        assert one.type != "link_open" or str(one.attrs["href"]).startswith((EXPLAINED, "#"))
        assert "<script" not in one.content or one.type in ("text", "code_inline")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1

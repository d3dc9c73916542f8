"""report.html: a document as one page that loads nothing else and holds no element of what it reports on."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from .document import Document
from .markdown import quoted

_FOLDER = Path(__file__).parent
#: How the heading of a table begins whose rows are plain data: its first cells name nothing.
PREVIEW = "First "

_WIDE = 40  # characters from which a cell may wrap
_SEVERITIES = ("Error", "Warning", "Note")


def page(document: Document) -> str:
    """Return the document as HTML."""
    templates = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    templates.filters |= {"markdown": _Markdown().html, "quoted": quoted}
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    return templates.get_template("page.html.jinja").render(document=document, style=style)


class _Markdown:
    """Turns the Markdown of one page into HTML: only what our own builders write is markup."""

    def __init__(self) -> None:
        self._reader = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
        self._reader.disable(["autolink", "html_block", "html_inline", "image", "reference"])
        self._reader.validateLink = lambda url: url.startswith(("#", "https://"))  # type: ignore[method-assign]

    def html(self, blocks: str | Sequence[str], label: str = "") -> str:
        """Return blocks as HTML; `label` names a table that stands below no heading of theirs."""
        tokens = self._reader.parse(blocks if isinstance(blocks, str) else "\n\n".join(blocks))
        for place, token in enumerate(tokens):
            if token.type == "heading_open":
                label = "".join(child.content for child in tokens[place + 1].children or ())
            elif token.type == "table_open":
                token.meta["label"] = label
            elif token.type in ("th_open", "td_open"):
                _dress_cell(tokens, place, names_its_row=not label.startswith(PREVIEW))
            elif _has_severity(token) and tokens[place - 2].type != "heading_close":  # it begins a finding
                tokens[place - 1].attrs |= {"role": "heading", "aria-level": "3"}
        html: str = self._reader.renderer.render(tokens, self._reader.options, {})
        return html


def _dress_cell(tokens: list[Token], place: int, *, names_its_row: bool) -> None:
    """Say what a cell is: a header of its column or its row, a number, or a long text."""
    cell = tokens[place]
    is_number = bool(cell.attrs.pop("style", None))  # a column that is set to the right
    if cell.type == "th_open":
        cell.attrSet("scope", "col")
    elif names_its_row and tokens[place - 1].type == "tr_open":
        cell.tag = tokens[place + 2].tag = "th"
        cell.attrSet("scope", "row")
    if is_number or len(tokens[place + 1].content) > _WIDE:
        cell.attrSet("class", "number" if is_number else "wide")


def _has_severity(text: Token) -> bool:
    """Whether a text has a severity in bold, which is marked as one."""
    for strong, word in pairwise(text.children or ()):
        if strong.type == "strong_open" and word.content in _SEVERITIES:
            strong.attrSet("class", f"severity {word.content.lower()}")
            return True
    return False


class _Renderer(RendererHTML):
    """Tables and code can be focused, so that they can be scrolled without a mouse, and say what they are."""

    def table_open(self, tokens: Sequence[Token], place: int, *_: Any) -> str:
        return f"{_scrolled(tokens[place].meta['label'])}<table>\n"

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], place: int, *_: Any) -> str:
        return f"{_scrolled('Code')}<pre>{escape(tokens[place].content)}</pre></div>\n"


def _scrolled(label: str) -> str:
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">'

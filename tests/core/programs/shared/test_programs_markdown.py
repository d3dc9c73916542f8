"""Text in Markdown is shown as it is."""

import pytest
from markdown_it import MarkdownIt

from core.programs.shared import words
from core.programs.shared.markdown import escaped, fenced
from tests.core.programs.shared.hostile import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_text_as_it_is(text: str) -> None:
    table = f"| a | b |\n| --- | --- |\n| {escaped(text)} | end |\n"
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(table)
    cells = ["".join(child.content for child in one.children or []) for one in tokens if one.type == "inline"]
    assert cells == ["a", "b", words.visible(text).strip(), "end"]


@pytest.mark.parametrize("line", ["", "```", "  ````` x", "~~~", "`" * 40])
def test_no_line_of_code_ends_it(line: str) -> None:
    lines = [line, "<b>", line]
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(fenced(lines) + "\n\nafter\n")
    assert [(one.type, one.content) for one in tokens if one.content] == [
        ("fence", "\n".join(lines) + "\n"),
        ("inline", "after"),
    ]

"""Text in Markdown is shown as it is; figures and shares in words."""

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


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (1234567, "1,234,567"), (0.5, "0.5"), (12.3456, "12.35"), (-0.00001, "-1.000e-05"), (1e15, "1.000e+15"),
    (1.7e308, "1.700e+308"), (100.0, "100"), (1234.5, "1,234.5"),
])  # fmt: skip
def test_figures_in_words(value: float, text: str) -> None:
    assert words.figure(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 5, "0 %"), (5, 5, "100 %"), (1, 3, "33.3 %"), (1, 10**6, "under 0.1 %"), (0, 0, "0 %"),
     (999_999, 10**6, "over 99.9 %")],
)  # fmt: skip
def test_shares_in_words(part: int, whole: int, text: str) -> None:
    assert words.share(part, whole) == text

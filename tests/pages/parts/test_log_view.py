import pytest

from pages.parts.log import coloured
from pages.parts.markup import element


@pytest.mark.parametrize(
    ("message", "html"),
    [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\x1b[31mred\x1b[0m plain", '<span class="td-ansi-red">red</span> plain'),
        (
            "\x1b[1;92mbold\x1b[22mgreen\x1b[39m.",
            '<span class="td-ansi-green td-ansi-bold">bold</span><span class="td-ansi-green">green</span>.',
        ),
        ("\x1b[31mone\x1b[32mtwo", '<span class="td-ansi-red">one</span><span class="td-ansi-green">two</span>'),
        ("\x1b[38;5;31mnot red", "not red"),
        ("\x1b[48;2;31;31;31mnor this", "nor this"),
        ("\x1b[mreset", "reset"),
        ("\x1b[31m</span><script>", '<span class="td-ansi-red">&lt;/span&gt;&lt;script&gt;</span>'),
    ],
)
def test_colours_become_spans_and_text_stays_text(message: str, html: str) -> None:
    assert element("p", *coloured(message)) == f"<p>{html}</p>"


def test_a_colour_of_thousands_of_digits_is_no_colour() -> None:
    assert "td-ansi" not in "".join(coloured("\x1b[" + "1" * 5_000 + "m"))

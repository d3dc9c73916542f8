"""What pages draw themselves: nothing that a person or a program wrote becomes markup."""

from pages.parts.markup import element

EVIL = "<script>'\"&"
ESCAPED = "&lt;script&gt;&#x27;&quot;&amp;"


def test_text_and_attributes_are_escaped_and_elements_are_not_again() -> None:
    inner = element("b", EVIL, title=EVIL)
    assert inner == f'<b title="{ESCAPED}">{ESCAPED}</b>'
    assert element("p", "a & ", inner, class_="td", aria_label=3, id=None) == (
        f'<p class="td" aria-label="3">a &amp; {inner}</p>'
    )
    assert element("img", alt=EVIL) == f'<img alt="{ESCAPED}">'


def test_what_is_put_together_outside_is_text_again() -> None:
    assert element("p", element("b", "x") + EVIL) == f"<p>&lt;b&gt;x&lt;/b&gt;{ESCAPED}</p>"

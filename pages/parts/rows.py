"""What rows of a list and the head of a page are made of: short words in colours, lines, facts. All values are text."""

from collections.abc import Mapping
from typing import NoReturn

import streamlit as st

from pages.parts.markup import Html, element
from pages.parts.text import plain


def pill(text: str, tone: str) -> Html:
    """A short word in a colour."""
    return element("span", text, class_=f"td-pill {tone}")


def quiet(text: str, title: str | None = None) -> Html:
    """Words that matter less."""
    return element("span", text, class_="td-quiet", title=title)


def words(text: str) -> Html:
    """Words that matter as much as any."""
    return element("span", text)


def line(*parts: Html | None, look: str = "td-meta") -> Html:
    """Parts side by side, which wrap where there is no room; those that are None are left out."""
    return element("div", *(part for part in parts if part is not None), class_=look)


def show_row(key: str, *lines: Html, button: str | None = None) -> bool:
    """A row with a button beside it, if one is named; whether it was pressed."""
    with st.container(key=key, horizontal=True, vertical_alignment="center"):
        st.html("".join(lines))
        return bool(button) and st.button(button or "", key=f"{key}-button")


def show_linked_row(key: str, title: str, page: str, query: Mapping[str, str], details: Html) -> None:
    """A row whose title leads to a page."""
    with st.container(key=key, gap=None):
        st.page_link(page, label=plain(title), query_params=query)
        st.html(details)


def show_facts(*facts: tuple[str, str | Html]) -> None:
    """Names and values in columns."""
    st.html(facts_of(*facts))


def facts_of(*facts: tuple[str, str | Html]) -> Html:
    """Names and values in columns, to be drawn with something else."""
    cells = (element("div", element("dt", name), element("dd", value)) for name, value in facts)
    return element("dl", *cells, class_="td-facts")


def show_empty(title: str, what_next: str) -> None:
    """In the place of rows that are not there: why, and what to do next."""
    st.html(element("div", element("h3", title), what_next, class_="td-empty"))


def stop_with(title: str, sentence: str, page: str, label: str) -> NoReturn:
    """In the place of a page that cannot be shown: why, and the way to another one."""
    st.title(title, anchor=False)
    st.write(sentence)
    st.page_link(page, label=label, icon=":material/arrow_back:")
    st.stop()

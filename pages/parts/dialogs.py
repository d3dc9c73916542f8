"""Questions before an act, and the notice that says afterwards what was done."""

from collections.abc import Callable

import streamlit as st

from core.errors import TaskdeckError
from pages.parts.text import plain


def confirm(yes: str, no: str, act: Callable[[], str | None], page: str | None = None) -> None:
    """The two buttons of a question. On yes, do it as ``carry_out`` does; on no, close the dialog."""
    if confirmed(yes, no):
        carry_out(act, page)


def confirmed(yes: str, no: str) -> bool:
    """The two buttons of a question; whether the answer was yes."""
    with st.container(horizontal=True):
        agreed = st.button(yes, type="primary")
        if st.button(no):
            st.rerun()
    return agreed


def carry_out(act: Callable[[], str | None], page: str | None = None) -> None:
    """Do it, leave what it returns as a notice, and close the dialog or go to ``page``.

    Why it cannot be done is one sentence in the dialog.
    """
    try:
        done = act()
    except TaskdeckError as error:
        st.error(plain(error.message))
        return
    if done:
        leave_notice(done)
    if page:
        st.switch_page(page)
    st.rerun()


def leave_notice(sentence: str) -> None:
    """Have the next run say this."""
    st.session_state["notice"] = sentence


def show_notice() -> None:
    """What the run before this one did."""
    if notice := st.session_state.pop("notice", None):
        st.toast(plain(notice), icon=":material/check:")

"""A page that failed: one sentence for whoever sees it, the rest for the server's log."""

import logging
import secrets

import streamlit as st

from core.database import engine

_log = logging.getLogger(__name__)


def show_failure(error: Exception) -> bool:
    """Say that a page failed, in one sentence and without a traceback; the server's log has the rest."""
    if isinstance(error, engine.Unavailable):
        _log.error("the database did not answer a page: %s", engine.said(error))
        st.error("The database is busy or away. Try again in a moment.", icon=":material/cloud_off:")
        return True
    reference = secrets.token_hex(6)
    _log.error("a page failed, reference %s", reference, exc_info=error, extra={"request": reference})
    st.error(f"Something went wrong inside Taskdeck. Tell an administrator this reference: {reference}.")
    return True

"""Streamlit's loggers in the operators' log: through its one handler, and without the ids of sessions."""

import logging

import streamlit.logger

from core import server_log


def include_streamlit() -> None:
    """Have Streamlit give its loggers, those to come too, no handlers of their own, and drop its warnings that name a
    session's id: whoever reads one could ask for that session's state.
    """
    streamlit.logger.setup_formatter = _without_a_handler
    logging.getLogger("streamlit.runtime.websocket_session_manager").addFilter(_names_no_session)
    server_log.take_over()


def _without_a_handler(logger: logging.Logger) -> None:
    logger.handlers.clear()
    logger.propagate = True


def _names_no_session(record: logging.LogRecord) -> bool:
    return " id %s" not in str(record.msg)

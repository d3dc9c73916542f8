"""Streamlit's loggers in the operators' log."""

import logging
import re
from importlib.resources import files

import pytest
import streamlit.logger

from api.server.log import include_streamlit

pytestmark = pytest.mark.no_database


def test_no_session_id_comes_into_the_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamlit.logger, "setup_formatter", None)
    log = logging.getLogger("streamlit.runtime.websocket_session_manager")
    source = files("streamlit").joinpath("runtime/websocket_session_manager.py").read_text()
    (told,) = re.findall(r'"(Session with id %s is already connected![^"]*)"', source)
    before = list(log.filters)
    try:
        include_streamlit()
        log.warning(told, "the-id")
        log.warning("another %s", "matter")
        streamlit.logger.get_logger("streamlit.made_later").warning("a third")
    finally:
        log.filters[:] = before
    assert [record.getMessage() for record in caplog.records] == ["another matter", "a third"]
    assert not logging.getLogger("streamlit.made_later").handlers

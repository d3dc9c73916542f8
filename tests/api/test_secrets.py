"""Secrets that pass by: kept out of logs, out of the Referer, and strangers' files out of the memory."""

import logging
import re
from collections.abc import Callable
from importlib.resources import files

import httpx
import pytest
import streamlit.logger
from anyio.from_thread import BlockingPortal
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api.server.hardening import Hardening
from api.server.log import include_streamlit

pytestmark = pytest.mark.no_database

Call = Callable[[str, str], httpx.Response]


@pytest.fixture
def call(portal: BlockingPortal) -> Call:
    """Call a server that answers everything, behind the hardening."""

    async def anything(_: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    app = Starlette(
        routes=[Route("/{path:path}", anything, methods=["GET", "PUT"])], middleware=[Middleware(Hardening)]
    )

    async def ask(method: str, path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://taskdeck.test") as client:
            return await client.request(method, path)

    return lambda method, path: portal.call(ask, method, path)


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


@pytest.mark.parametrize("path", ["/setup", "/password"])
def test_a_page_whose_address_is_a_secret_is_nobodys_referer(path: str, call: Call) -> None:
    assert call("GET", f"{path}?token=x").headers["referrer-policy"] == "no-referrer"
    assert call("GET", "/").headers["referrer-policy"] == "same-origin"


def test_nobody_leaves_a_file_in_the_servers_memory(call: Call) -> None:
    assert call("PUT", "/_stcore/upload_file/session/file").status_code == 404
    assert call("PUT", "/_stcore/other").status_code == 200

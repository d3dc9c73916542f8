"""A really started server, and a real browser for each person."""

import re
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support import chromium, databases
from tests.support.server import Server


@pytest.fixture(scope="module")
def command() -> str:
    """How the server is started. A file may say it otherwise."""
    return "streamlit run app.py --server.port {port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database: databases.Database, command: str) -> Iterator[Server]:
    """One server for the tests of a file, on a database that it finds empty."""
    environment = database.empty()
    made = Server(tmp_path_factory.mktemp("server"), environment, command)
    made.start()
    yield made
    assert made.stop() in (0, -signal.SIGTERM), made.said()
    refused = made.said().count("OAuth token exchange failed")  # which Streamlit says with a traceback
    assert made.said().count("Traceback (most recent call last)") == refused, made.said()
    database.drop(environment)


@pytest.fixture
def setup_path(server: Server) -> str:
    """The path of the link that the server printed when it started."""
    found = re.findall(re.escape(server.url) + r"(/setup\?token=\S+)", server.said())
    assert found, server.said()
    return str(found[-1])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a file. While it is there, no other test can have an event loop."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium.find(),
            args=[
                *("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
                "--host-resolver-rules=MAP *.test 127.0.0.1",  # names of a network, all of them this machine
            ],
        )
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """A function that opens a browser of its own, and so a person of its own; with None, on an empty page."""
    contexts: list[BrowserContext] = []

    def open_(path: str | None = "/") -> Page:
        context = browser.new_context(timezone_id="Europe/Vienna")
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        if path is not None:
            page.goto(server.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()

"""A really started server, and a real browser for each person."""

import re
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.steps import has_its_cookie, sign_in
from tests.support import chromium, databases
from tests.support.server import Server

#: How long what a test waits for may stay away, in milliseconds: a busy machine takes long to draw a page.
PATIENCE = 20_000

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def command() -> str:
    """How the server is started. A file may say it otherwise."""
    return "tests.browser.quick_polls run app.py --server.port {port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database: databases.Database, command: str) -> Iterator[Server]:
    """One server for the tests of a file, on a database that it finds empty."""
    environment = database.empty()
    made = Server(tmp_path_factory.mktemp("server"), environment, command)
    made.start()
    yield made
    assert made.stop() in (0, -signal.SIGTERM), made.said()
    assert made.faults() == [], made.said()
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
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        if path is not None:
            page.goto(server.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def visit(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Open a page as somebody, in a browser of their own, which has fetched its cookie."""

    def visit(name: str, path: str = "/") -> Page:
        page = open_page(path)
        sign_in(page, name)
        has_its_cookie(page)
        return page

    return visit


@pytest.fixture
def evil() -> Iterator[Callable[..., Page]]:
    """Open a page of another server of this machine, really served, in the browser of somebody's page."""
    bodies = {"/favicon.ico": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(bodies[self.path].encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    def open_(page: Page, host: str, body: str = "<p>Free tickets</p>") -> Page:
        path = f"/{len(bodies)}"
        bodies[path] = body
        tab = page.context.new_page()
        tab.goto(f"http://{host}:{server.server_port}{path}")
        return tab

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield open_
        server.shutdown()

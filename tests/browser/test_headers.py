"""What a real browser makes of the headers: our own pages work without a complaint, and others' get nowhere."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.browser.test_story import fill_setup, sign_in
from tests.conftest import PASSWORD
from tests.support.server import Server
from tests.support.waiting import eventually

Open = Callable[..., Page]


def complaints(page: Page) -> list[str]:
    """What the consoles of this tab, and of those opened after it, will say of errors and violations."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # On a page's own address Streamlit looks for its server below that one first, and then above.
        probes = re.search(r"/(setup|task|new)/_stcore/", message.location["url"])
        if (message.type == "error" and not probes) or "Content Security Policy" in message.text:
            said.append(f"{message.location['url']}: {message.text}")

    def listen(tab: Page) -> None:
        tab.on("console", hear)
        tab.on("pageerror", lambda error: said.append(f"{tab.url}: {error}"))

    listen(page)
    page.context.on("page", listen)
    return said


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Callable[[Page, str], Page]]:
    """Open, in the same browser, a page with this content from another server of this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()

        def open_(page: Page, html: str) -> Page:
            (tmp_path / "index.html").write_text(html)
            tab = page.context.new_page()
            tab.goto(f"http://localhost:{server.server_port}/")
            return tab

        yield open_
        server.shutdown()
        serving.join()


def test_no_page_has_anything_to_complain_about(server: Server, setup_path: str, open_page: Open) -> None:
    page = open_page("/api/health")
    said = complaints(page)
    page.goto(server.url + setup_path)
    fill_setup(page)
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    page.get_by_role("link", name="Create your first task").click()
    page.get_by_label("What should it do?").fill("Profile the sample")
    page.get_by_role("button", name="Create task").click()
    expect(page.get_by_text("Completed", exact=True)).to_be_visible(timeout=60_000)
    report = page.frame_locator("iframe[src*='report.html']")
    expect(report.get_by_role("heading", name=re.compile("report", re.I)).first).to_be_visible()
    page.get_by_text("report.md", exact=True).click()
    expect(page.get_by_role("link", name=re.compile(r"^Download \("))).to_be_visible()

    tab = page.context.new_page()
    for path, text in (
        ("/api/tasks/1/artifacts/report.html", re.compile("report", re.I)),
        ("/api/docs", "/tasks/{task_id}"),
        ("/", "Profile the sample"),
        ("/task?id=987654", "Task not found"),
    ):
        tab.goto(server.url + path)
        expect(tab.get_by_text(text).first).to_be_visible()
    tab.goto(f"{server.url}/api/docs")
    tab.get_by_text("/tasks/{task_id}", exact=True).first.click()
    tab.get_by_role("button", name="Try it out").click()
    tab.get_by_placeholder("task_id").fill("1")
    tab.get_by_role("button", name="Execute").click()
    expect(tab.get_by_text('"Profile the sample"').first).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Username")).to_be_visible()
    assert said == []


@pytest.mark.parametrize("path", ["/", "/api/docs", "/api/health"])
def test_a_page_of_another_port_cannot_frame_ours(
    server: Server, open_page: Open, elsewhere: Callable[[Page, str], Page], path: str
) -> None:
    frame = f'<iframe src="{server.url}{path}"></iframe>'
    tab = elsewhere(open_page(), frame)
    assert [framed.url for framed in tab.frames[1:]] == ["chrome-error://chromewebdata/"]


def test_a_page_of_another_port_opens_no_websocket(
    server: Server, open_page: Open, elsewhere: Callable[[Page, str], Page]
) -> None:
    opens = """url => new Promise(resolve => {
        const socket = new WebSocket(url, ["streamlit"]);
        socket.onopen = () => { socket.close(); resolve(true); };
        socket.onerror = () => resolve(false);
    })"""
    address = f"ws://localhost:{server.port}/_stcore/stream"
    page = open_page()
    assert page.evaluate(opens, address) is True
    assert elsewhere(page, "<p>Free tickets</p>").evaluate(opens, address) is False


def test_a_form_of_another_port_writes_nothing_though_the_browser_adds_the_cookie(
    server: Server,
    open_page: Open,
    elsewhere: Callable[[Page, str], Page],
) -> None:
    server.add("eve", PASSWORD)
    page = open_page()
    sign_in(page, "eve")
    eventually(lambda: page.request.get(f"{server.url}/api/tasks").ok)
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "__Host-taskdeck_session"]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, True, "Strict", "/")

    form = f"""<form method="post" enctype="text/plain" action="{server.url}/api/tasks">
        <input name='{{"prompt": "Free tickets", "x": "' value='"}}'><button>Win</button></form>"""
    tab = elsewhere(page, form)
    with tab.expect_response("**/api/tasks") as answer:
        tab.get_by_role("button", name="Win").click()
    assert answer.value.status == 403, "401 would be a browser without the cookie"
    assert page.request.get(f"{server.url}/api/tasks").json()["tasks"] == []

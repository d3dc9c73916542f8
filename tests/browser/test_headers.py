"""What a real browser makes of the headers: our own pages work without a complaint, and others' get nowhere."""

import re
from collections.abc import Callable

from playwright.sync_api import ConsoleMessage, Page, expect

from tests.browser.steps import fill_setup
from tests.support.server import Server

Open = Callable[..., Page]


def complaints(page: Page) -> list[str]:
    """What the consoles of this tab, and of those opened after it, will say of errors and violations."""
    said: list[str] = []

    def collect(message: ConsoleMessage) -> None:
        # On a page's own address Streamlit looks for its server below that one first, and then above.
        probes = re.search(r"/(setup|task|new)/_stcore/", message.location["url"])
        if (message.type == "error" and not probes) or "Content Security Policy" in message.text:
            said.append(f"{message.location['url']}: {message.text}")

    def listen(tab: Page) -> None:
        tab.on("console", collect)
        tab.on("pageerror", lambda error: said.append(f"{tab.url}: {error}"))

    listen(page)
    page.context.on("page", listen)
    return said


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
        ("/", "Profile the sample"),
        ("/task?id=987654", "Task not found"),
        ("/api/docs", "/tasks/{task_id}"),
    ):
        tab.goto(server.url + path)
        expect(tab.get_by_text(text).first).to_be_visible()
    tab.get_by_text("/tasks/{task_id}", exact=True).first.click()
    tab.get_by_role("button", name="Try it out").click()
    tab.get_by_placeholder("task_id").fill("1")
    tab.get_by_role("button", name="Execute").click()
    expect(tab.get_by_text('"Profile the sample"').first).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Username")).to_be_visible()
    assert said == []


def test_a_page_of_another_port_opens_no_websocket(server: Server, open_page: Open, evil: Open) -> None:
    opens = """url => new Promise(resolve => {
        const socket = new WebSocket(url, ["streamlit"]);
        socket.onopen = () => { socket.close(); resolve(true); };
        socket.onerror = () => resolve(false);
    })"""
    address = f"ws://localhost:{server.port}/_stcore/stream"
    page = open_page()
    assert page.evaluate(opens, address) is True
    assert evil(page, "localhost").evaluate(opens, address) is False

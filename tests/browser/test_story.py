"""The main story, as a newcomer lives it, against the real server in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.quick_polls import POLL_SECONDS
from tests.browser.steps import add_people, api_says, calls, fill_setup, is_signed_out, sign_in
from tests.support.server import Server

Open = Callable[..., Page]

#: Enough that the work spans several polls.
FILES, ROWS = 10, 30_000

#: In which a page that polls has surely done so, in milliseconds.
POLLS = 2_500 * POLL_SECONDS


def sales(seed: int) -> str:
    lines = (f"{n},{(n * seed) % 977},{n % 7},{'north' if n % 3 else 'south'},{n * 0.25}" for n in range(ROWS))
    return "order,amount,quantity,region,price\n" + "\n".join(lines) + "\n"


def seen(page: Page) -> tuple[int, int]:
    """The progress, and how many entries of the log there are."""
    percent = page.get_by_role("progressbar", name="Progress").get_attribute("aria-valuenow")
    return int(percent or "0"), page.locator(".td-entry").count()


def test_from_the_setup_link_to_the_report_and_away(server: Server, setup_path: str, open_page: Open) -> None:
    tables = {f"data/sales-{n:02}.csv": sales(n + 3) for n in range(FILES)}
    folder = server.repository("sales", tables | {"data/broken.csv": "a,b\n1,2,3\n"})
    page = open_page(setup_path)
    fill_setup(page)
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    assert "token" not in page.url

    page.get_by_role("link", name="Create your first task").click()
    page.get_by_label("What should it do?").fill("Profile the sales")
    page.get_by_role("textbox", name="Repository (optional)").fill(str(folder))
    page.get_by_role("button", name="Create task").click()
    expect(page.get_by_role("heading", name="Profile the sales")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/task\?id=1$"))
    loaded = page.evaluate("window.loadedOnce = Math.random()")

    expect(page.get_by_text("Running", exact=True)).to_be_visible()
    samples = [seen(page)]
    while page.get_by_text("Running", exact=True).count():
        samples.append(seen(page))
        page.wait_for_timeout(100)
    del samples[-1]  # it may be of the page as it is drawn anew for the end
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()
    assert page.evaluate("window.loadedOnce") == loaded, "the page was loaded anew"
    for numbers in zip(*samples, strict=True):
        assert list(numbers) == sorted(numbers)
        assert len(set(numbers)) >= 2, "the progress, or the log, did not grow"
    assert seen(page)[0] == 100

    report = page.frame_locator("iframe[src*='report.html']")
    expect(report.get_by_role("heading", name=re.compile("report", re.I)).first).to_be_visible()
    expect(report.get_by_text("data/broken.csv").first).to_be_visible()
    page.get_by_text("report.md", exact=True).click()
    expect(page.get_by_text("data/sales-00.csv").first).to_be_visible()
    with page.expect_download() as fetched:
        page.get_by_role("link", name=re.compile(r"^Download \(")).click()
    assert "sales-00.csv" in fetched.value.path().read_text()

    page.reload()
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()
    assert page.url.endswith("/task?id=1")
    drawn_at = page.locator(".td-stamp").inner_text()

    add_people(server, "bob")
    other = open_page("/task?id=1")
    sign_in(other, "bob")
    expect(other.get_by_text("Task not found")).to_be_visible()
    other.get_by_role("link", name="All tasks").click()
    expect(other.get_by_text("No tasks yet")).to_be_visible()
    for path in ("/tasks/1", "/tasks/1/artifacts/report.html"):
        assert other.request.get(f"{server.url}/api{path}").status == 404
        assert page.request.get(f"{server.url}/api{path}").status == 200

    page.wait_for_timeout(POLLS)
    assert page.locator(".td-stamp").inner_text() == drawn_at, "an ended task is still being polled"
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete this task").click()
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    assert page.request.get(f"{server.url}/api/tasks/1").status == 404


@pytest.mark.attack(14)
def test_a_deep_link_survives_the_sign_in_and_signing_out_ends_every_tab(server: Server, visit: Open) -> None:
    add_people(server, "cleo")
    page = visit("cleo", "/new")
    expect(page.get_by_label("What should it do?")).to_be_visible()
    assert page.url.endswith("/new")

    second = page.context.new_page()
    second.goto(server.url)
    expect(second.get_by_text("No tasks yet")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    is_signed_out(page)
    is_signed_out(second)
    api_says(page, 401)
    page.reload()
    is_signed_out(page)


def test_clean_up_counts_asks_and_deletes_only_that(server: Server, visit: Open) -> None:
    add_people(server, "dana")
    page = visit("dana")
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    for agent in ("claude", "claude", "data-processor"):
        assert calls(page, "POST", "/tasks", {"prompt": f"With {agent}", "selectedAgent": agent})[0] == 201
    expect(page.get_by_text("Failed 2")).to_be_visible()
    expect(page.get_by_text("Completed 1")).to_be_visible(timeout=30_000)

    page.get_by_role("button", name="Clean up").click()
    page.get_by_text("Delete all failed tasks").click()
    page.get_by_role("button", name="Keep them").click()
    expect(page.get_by_text("Failed 2")).to_be_visible()
    page.get_by_role("button", name="Clean up").click()
    page.get_by_text("Delete all failed tasks").click()
    expect(page.get_by_role("button", name="Delete 2 failed")).to_be_visible()
    page.wait_for_timeout(POLLS)  # a poll must not close the question
    page.get_by_role("button", name="Delete 2 failed").click()
    expect(page.get_by_text("2 failed tasks deleted.")).to_be_visible()
    expect(page.get_by_text("Failed 0")).to_be_visible()
    expect(page.get_by_text("Completed 1")).to_be_visible()

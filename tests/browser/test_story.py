"""The main story, as a newcomer lives it, against the real server in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import api_says, has_its_cookie, is_signed_out, sign_in
from tests.conftest import PASSWORD
from tests.support.server import Server

Open = Callable[..., Page]

#: Enough that the work spans several five-second polls.
FILES, ROWS = 24, 60_000


def sales(rows: int, seed: int) -> str:
    lines = (f"{n},{(n * seed) % 977},{n % 7},{'north' if n % 3 else 'south'},{n * 0.25}" for n in range(rows))
    return "order,amount,quantity,region,price\n" + "\n".join(lines) + "\n"


def fill_setup(page: Page) -> None:
    page.get_by_label("Your name").fill("Ada Example")
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, again").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()


def progress(page: Page) -> int:
    return int(page.get_by_role("progressbar", name="Progress").get_attribute("aria-valuenow") or "0")


def entries(page: Page) -> int:
    return page.locator(".td-entry").count()


def test_from_the_setup_link_to_the_report_and_away(server: Server, setup_path: str, open_page: Open) -> None:
    folder = server.repository(
        "sales",
        {f"data/sales-{n:02}.csv": sales(ROWS, n + 3) for n in range(FILES)} | {"data/broken.csv": "a,b\n1,2,3\n"},
    )
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

    expect(page.get_by_text("Running", exact=True)).to_be_visible(timeout=15_000)
    samples = [(progress(page), entries(page))]
    while page.get_by_text("Running", exact=True).count():
        samples.append((progress(page), entries(page)))
        page.wait_for_timeout(200)
    percents, numbers = zip(
        *samples[:-1], strict=True
    )  # the last one may be of the page as it is drawn anew for the end
    expect(page.get_by_text("Completed", exact=True)).to_be_visible(timeout=15_000)
    assert page.evaluate("window.loadedOnce") == loaded, "the page was loaded anew"
    assert list(percents) == sorted(percents)
    assert len(set(percents)) >= 2, "the progress did not move"
    assert list(numbers) == sorted(numbers)
    assert len(set(numbers)) >= 2, "the log did not grow"
    assert progress(page) == 100

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
    stamp = page.locator(".td-stamp").inner_text()
    page.wait_for_timeout(7_000)
    assert page.locator(".td-stamp").inner_text() == stamp, "an ended task is still being polled"

    server.add("bob", PASSWORD)
    other = open_page("/task?id=1")
    sign_in(other, "bob")
    expect(other.get_by_text("Task not found")).to_be_visible()
    other.get_by_role("link", name="All tasks").click()
    expect(other.get_by_text("No tasks yet")).to_be_visible()
    assert other.request.get(f"{server.url}/api/tasks/1").status == 404
    assert other.request.get(f"{server.url}/api/tasks/1/artifacts/report.html").status == 404
    assert page.request.get(f"{server.url}/api/tasks/1/artifacts/report.html").status == 200

    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete this task").click()
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    assert page.request.get(f"{server.url}/api/tasks/1").status == 404


@pytest.mark.attack(14)
def test_a_deep_link_survives_the_sign_in_and_signing_out_ends_every_tab(server: Server, open_page: Open) -> None:
    server.add("cleo", PASSWORD)
    page = open_page("/new")
    sign_in(page, "cleo")
    expect(page.get_by_label("What should it do?")).to_be_visible()
    assert page.url.endswith("/new")
    has_its_cookie(page)

    second = page.context.new_page()
    second.goto(server.url)
    expect(second.get_by_text("No tasks yet")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    is_signed_out(page)
    is_signed_out(second)
    api_says(page, 401)
    page.reload()
    is_signed_out(page)


def test_clean_up_counts_asks_and_deletes_only_that(server: Server, open_page: Open) -> None:
    token = server.add("dana", PASSWORD)
    page = open_page()
    sign_in(page, "dana")
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    with server.client(token) as client:
        for agent in ("claude", "claude", "data-processor"):
            created = client.post("/tasks", json={"prompt": f"With {agent}", "selectedAgent": agent})
            assert created.status_code == 201
    expect(page.get_by_text("Failed 2")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Completed 1")).to_be_visible(timeout=30_000)

    page.get_by_role("button", name="Clean up").click()
    page.get_by_text("Delete all failed tasks").click()
    page.get_by_role("button", name="Keep them").click()
    expect(page.get_by_text("Failed 2")).to_be_visible()
    page.get_by_role("button", name="Clean up").click()
    page.get_by_text("Delete all failed tasks").click()
    page.wait_for_timeout(6_000)  # a poll must not close the question
    page.get_by_role("button", name="Delete 2 failed").click()
    expect(page.get_by_text("2 failed tasks deleted.")).to_be_visible()
    expect(page.get_by_text("Failed 0")).to_be_visible()
    expect(page.get_by_text("Completed 1")).to_be_visible()

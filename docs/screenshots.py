"""Makes the README's pictures from the running app: ``.venv/bin/python -m docs.screenshots``.

With ``--check`` it makes the same pictures and keeps none. It fails when a page shows an error, or not what it should.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Error, Page, sync_playwright

from tests.support import chromium
from tests.support.server import Server

IMAGES = Path(__file__).parent / "images"
PASSWORD = "correct horse battery"  # noqa: S105  for a server that lives for a minute
PATIENCE = 60_000  # milliseconds: how long a page may take until it shows what it should
PROMPTS = (
    ("Profile the data: what is in it, what is missing, what stands out?", "data-processor", None),
    ("Refactor the importer and add tests", "claude", None),
    ("Check the quality of the orders before we publish them", "data-processor", "orders"),
    ("Compare the regions and find the outliers", "data-processor", "orders"),
)
PEOPLE = (
    ("ada", "Ada Lovelace", "admin"),
    ("charles", "Charles Babbage", "member"),
    ("grace", "Grace Hopper", "analyst"),
)

#: Each picture, with the page's address and what it shows once it is drawn.
PICTURES = (
    ("tasks", "/", "Compare the regions"),
    ("new", "/new", "What should it do?"),
    ("task", "/task?id=1", "report.html"),
    ("account", "/account", "nightly report"),
    ("people", "/people", "Dorothy Vaughan"),
    ("audit", "/audit", "Person invited"),
)

#: What no picture may show: an exception, an error's box, or a page without its server.
FAULTS = '[data-testid="stException"], [data-testid="stAlertContentError"], [data-testid="stConnectionStatus"]'


class Failed(Exception):
    """A page that cannot be shown; in one sentence."""


def main(words: list[str]) -> int:
    """Make the pictures; 0, or 1 when a page cannot be shown."""
    parser = argparse.ArgumentParser(prog="python -m docs.screenshots", description="Make the README's pictures.")
    parser.add_argument("--check", action="store_true", help="only look whether they can be made")
    asked = parser.parse_args(words)
    try:
        with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as (server, page):
            fill(server)
            sign_in(server, page)
            run(server)
            shoot(server, page, Path(folder) if asked.check else IMAGES)
    except (Failed, RuntimeError, Error) as error:
        sys.stderr.write(f"The pictures were not made. {error}\n")
        return 1
    return 0


@contextmanager
def running(folder: Path) -> Iterator[tuple[Server, Page]]:
    """A server on a fresh data folder, and a browser."""
    server = Server(folder)
    server.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 820}, device_scale_factor=1.5)
            page.set_default_timeout(PATIENCE)
            yield server, page
            browser.close()
    finally:
        server.stop()


def fill(server: Server) -> None:
    for username, name, role in PEOPLE:
        words = ("--email", f"{username}@example.org", "--name", name, "--role", role, "--password-stdin")
        server.operate("users", "add", username, *words, typed=PASSWORD)
    server.operate("users", "invite", "dorothy", "--email", "dorothy@example.org", "--name", "Dorothy Vaughan")
    server.operate("users", "disable", "charles")
    rows = (f"{n},{('north', 'south', 'west')[n % 3]},{n % 97 * 1.5:.2f}" for n in range(400_000))
    server.repository("orders", {"orders.csv": "order,region,total\n" + "\n".join(rows) + "\n"})


def sign_in(server: Server, page: Page) -> None:
    show(page, server.url, "Username")
    page.get_by_label("Username").fill("ada")
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    wait(page, "No tasks yet")


def run(server: Server) -> None:
    """Make the tasks, a moment apart: they stand at different points when their picture is taken."""
    token = server.operate("tokens", "create", "--user", "ada", "--name", "nightly report")
    with server.client(token) as client:
        for prompt, agent, name in PROMPTS:
            repository = str(server.repositories / name) if name else None
            task = {"prompt": prompt, "selectedAgent": agent, "repoUrl": repository}
            client.post("/tasks", json=task).raise_for_status()
            time.sleep(1.5)


def shoot(server: Server, page: Page, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, path, ready in PICTURES:
        show(page, server.url + path, ready)
        page.wait_for_timeout(1500)  # what comes last: fonts, frames, the browser's own drawing
        look(page)
        page.screenshot(path=folder / f"{name}.png")


def show(page: Page, address: str, ready: str) -> None:
    """Open a page. Raises Failed when it does not load, or does not show what it should."""
    try:
        answer = page.goto(address)
    except Error as error:
        raise Failed(f"{address} did not load: {error.message.splitlines()[0]}") from None
    if answer is None or not answer.ok:
        raise Failed(f"{address} answered {answer.status if answer else 'nothing'}.")
    wait(page, ready)


def wait(page: Page, ready: str) -> None:
    try:
        page.get_by_text(ready).first.wait_for()
    except Error:
        look(page)
        raise Failed(f"{page.url} does not show “{ready}”.") from None


def look(page: Page) -> None:
    """Raises Failed when the page shows an error, with its beginning."""
    for fault in page.locator(FAULTS).all():
        if fault.is_visible():
            raise Failed(f"{page.url} shows an error: {' '.join(fault.inner_text().split())[:200]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

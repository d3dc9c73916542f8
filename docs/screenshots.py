"""Makes the README's pictures from the running app: ``.venv/bin/python -m docs.screenshots``."""

import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.support import chromium
from tests.support.server import Server

IMAGES = Path(__file__).parent / "images"
PASSWORD = "correct horse battery"  # noqa: S105  for a server that lives for a minute
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


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder))
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 820}, device_scale_factor=1.5)
        try:
            _fill(server)
            _sign_in(server, page)
            _run(server)
            _shoot(server, page)
        finally:
            browser.close()
            server.stop()


def _fill(server: Server) -> None:
    for username, name, role in PEOPLE:
        words = ("--email", f"{username}@example.org", "--name", name, "--role", role, "--password-stdin")
        server.operate("users", "add", username, *words, typed=PASSWORD)
    server.operate("users", "invite", "dorothy", "--email", "dorothy@example.org", "--name", "Dorothy Vaughan")
    server.operate("users", "disable", "charles")
    rows = (f"{n},{('north', 'south', 'west')[n % 3]},{n % 97 * 1.5:.2f}" for n in range(400_000))
    server.repository("orders", {"orders.csv": "order,region,total\n" + "\n".join(rows) + "\n"})


def _run(server: Server) -> None:
    token = server.operate("tokens", "create", "--user", "ada", "--name", "nightly report")
    with server.client(token) as client:
        for prompt, agent, name in PROMPTS:
            repository = str(server.repositories / name) if name else None
            task = {"prompt": prompt, "selectedAgent": agent, "repoUrl": repository}
            client.post("/tasks", json=task).raise_for_status()
            time.sleep(1.5)


def _sign_in(server: Server, page: Page) -> None:
    page.goto(server.url)
    page.get_by_label("Username").fill("ada")
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("No tasks yet").wait_for()


def _shoot(server: Server, page: Page) -> None:
    IMAGES.mkdir(exist_ok=True)
    for name, path, ready in (
        ("tasks", "/", "Compare the regions"),
        ("new", "/new", "What should it do?"),
        ("task", "/task?id=1", "report.html"),
        ("account", "/account", "nightly report"),
        ("people", "/people", "Dorothy Vaughan"),
        ("audit", "/audit", "Person invited"),
    ):
        page.goto(server.url + path)
        page.get_by_text(ready).first.wait_for()
        page.wait_for_timeout(1500)
        page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()

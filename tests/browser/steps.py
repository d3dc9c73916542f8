"""What a person does and sees when they sign in, set up and make tasks."""

import subprocess
import sys
from typing import Any

from playwright.sync_api import Page, expect

from core.identity.sessions import HOST_COOKIE, PLAIN_COOKIE
from tests.conftest import PASSWORD
from tests.support.server import ROOT, Server

_ADD = """
import sys
from core.identity import people
from core.database.models import Role
password, *names = sys.argv[1:]
for name in names:
    name, _, role = name.partition(":")
    people.add(name, f"{name}@example.org", name, password, Role(role or "member"))
"""


def add_people(server: Server, *names: str) -> None:
    """Give accounts to these people, with ``:admin`` after the name to administrators; in one process, for the time."""
    command = [sys.executable, "-c", _ADD, PASSWORD, *names]
    subprocess.run(command, cwd=ROOT, env=server.environment, check=True)


def fill_setup(page: Page) -> None:
    """Create the first account, Ada's."""
    for label, text in (("Your name", "Ada Example"), ("E-mail", "ada@example.org"), ("Username", "ada")):
        page.get_by_label(label).fill(text)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, again").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()


def sign_in(page: Page, username: str, password: str = PASSWORD) -> None:
    """Fill the form and send it."""
    page.get_by_label("Username").fill(username)
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def is_signed_out(page: Page) -> None:
    """The page shows the sign-in form, at the latest after a poll."""
    expect(page.get_by_label("Username")).to_be_visible()


def has_its_cookie(page: Page) -> None:
    """The browser has fetched the cookie of a sign-in, which comes a moment after the page."""
    api_says(page, 200)


def api_says(page: Page, status: int) -> None:
    """The API answers the browser with this status, at the latest after some seconds."""
    for _ in range(50):
        if page.evaluate("() => fetch('/api/tasks').then(answer => answer.status)") == status:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the API did not answer with {status}")


def calls(page: Page, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """What the API answers a script of our own page: the status, and what it says."""
    status, said = page.evaluate(
        """async ([method, path, body]) => {
            const headers = {"Content-Type": "application/json"};
            const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body)});
            return [answer.status, await answer.json().catch(() => null)];
        }""",
        [method, f"/api{path}", body],
    )
    return status, said


def make_task(page: Page, prompt: str) -> None:
    """Hand over a task that fails at once, because nothing is set up for its agent."""
    status, said = calls(page, "POST", "/tasks", {"prompt": prompt, "selectedAgent": "claude"})
    assert status == 201, said
    while calls(page, "GET", f"/tasks/{said['task']['id']}")[1]["task"]["status"] != "error":
        page.wait_for_timeout(100)


def session_cookies(page: Page) -> list[dict[str, object]]:
    """Our own cookies of this browser."""
    return [dict(cookie) for cookie in page.context.cookies() if cookie["name"] in (HOST_COOKIE, PLAIN_COOKIE)]

"""Attacks on a person's tasks: by pages of another server, open in the same browser, and by other people."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.steps import add_people, calls, has_its_cookie, make_task, session_cookies, sign_in
from tests.support.server import Server

Open = Callable[..., Page]

PROMPT = "The plan that only Ada knows"

#: A page of another port of localhost is of the same site, so the browser adds the cookie; one of 127.0.0.1 is not.
SITES = [
    pytest.param("localhost", marks=pytest.mark.attack(24)),
    pytest.param("127.0.0.1", marks=pytest.mark.attack(25)),
]


@pytest.fixture(scope="module")
def signed_in(browser: Browser, server: Server) -> Iterator[dict[str, Page]]:
    """The browsers of Ada, who has task 1, and of Bob, who has task 2; both are signed in."""
    add_people(server, "ada", "bob")
    pages = {name: browser.new_context().new_page() for name in ("ada", "bob")}
    for name, page in pages.items():
        page.goto(server.url)
        sign_in(page, name)
        has_its_cookie(page)
    make_task(pages["ada"], PROMPT)
    make_task(pages["bob"], "Bob's own")
    yield pages
    for page in pages.values():
        page.context.close()


@pytest.fixture
def ada(signed_in: dict[str, Page]) -> Page:
    return signed_in["ada"]


@pytest.fixture
def bob(signed_in: dict[str, Page]) -> Page:
    return signed_in["bob"]


@pytest.fixture(autouse=True)
def kept(server: Server, ada: Page) -> Iterator[Any]:
    """Ada's tasks, which are afterwards as they were."""
    before = calls(ada, "GET", "/tasks")
    assert before[0] == 200
    yield before[1]
    assert calls(ada, "GET", "/tasks") == before


@pytest.mark.parametrize("host", SITES)
def test_a_form_of_another_site_writes_nothing(server: Server, ada: Page, evil: Open, host: str) -> None:
    tab = evil(
        ada,
        host,
        f"""<form method="post" enctype="text/plain" action="{server.url}/api/tasks">
        <input name='{{"prompt": "Free tickets", "x": "' value='"}}'><button>Win</button></form>""",
    )
    with tab.expect_response("**/api/tasks") as answer:
        tab.get_by_role("button", name="Win").click()
    sends_the_cookie = "taskdeck_session" in answer.value.request.all_headers().get("cookie", "")
    assert (sends_the_cookie, answer.value.status) == ((True, 403) if host == "localhost" else (False, 401))


@pytest.mark.attack(26)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_script_of_another_site_neither_writes_nor_reads(server: Server, ada: Page, evil: Open, host: str) -> None:
    tab = evil(ada, host)
    for options in (
        {"method": "POST", "body": '{"prompt": "Free"}', "headers": {"Content-Type": "application/json"}},
        {"method": "POST", "body": '{"prompt": "Free"}', "headers": {"Content-Type": "text/plain"}},
        {"method": "DELETE"},
        {"method": "GET"},
    ):
        read = tab.evaluate(
            "([url, options]) => fetch(url, options).then(answer => answer.text()).catch(error => error.name)",
            [f"{server.url}/api/tasks", options | {"credentials": "include"}],
        )
        assert read == "TypeError", "the browser lets no script of theirs see the answer"


@pytest.mark.attack(26)
def test_no_preflight_gets_a_permission_from_pages_or_api(server: Server) -> None:
    asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    for path in ("/", "/_stcore/health", "/api/tasks", "/api/tasks/1", "/api/session"):
        answer = httpx.options(server.url + path, headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control-")], path


@pytest.mark.attack(35)
def test_another_site_cannot_sign_the_victim_in_as_somebody_else(server: Server, open_page: Open, evil: Open) -> None:
    tickets: list[str] = []
    attacker = open_page(None)
    attacker.route("**/api/session", lambda route: (tickets.append(route.request.post_data or ""), route.abort()))
    attacker.goto(server.url)
    sign_in(attacker, "bob")
    expect(attacker.get_by_text("Bob's own")).to_be_visible()

    victim = open_page()
    form = f"""<form method="post" enctype="text/plain" action="{server.url}/api/session">
        <input name='{tickets[0][:-1]}, "x": "' value='"}}'><button>Win</button></form>"""
    tab = evil(victim, "localhost", form)
    with tab.expect_response("**/api/session") as answer:
        tab.get_by_role("button", name="Win").click()
    assert answer.value.status in (400, 403)
    sent = "([url, body]) => fetch(url, {method: 'POST', body, credentials: 'include', mode: 'no-cors'}).then(() => 0)"
    evil(victim, "localhost").evaluate(sent, [f"{server.url}/api/session", tickets[0]])
    assert session_cookies(victim) == []
    assert attacker.request.post(
        f"{server.url}/api/session", data=tickets[0], headers={"Origin": server.url, "Content-Type": "application/json"}
    ).ok, "the ticket was good all the time"


@pytest.mark.attack(32)
@pytest.mark.parametrize("path", ["/", "/task?id=1", "/api/tasks", "/api/docs"])
def test_our_pages_are_not_shown_in_the_frame_of_another(server: Server, ada: Page, evil: Open, path: str) -> None:
    tab = evil(ada, "localhost", f'<iframe src="{server.url}{path}"></iframe>')
    (_, frame) = tab.frames
    assert frame.url == "chrome-error://chromewebdata/"


@pytest.mark.attack(20, 23)
def test_anothers_task_is_as_absent(server: Server, bob: Page) -> None:
    ways = [("GET", ""), ("DELETE", ""), *(("POST", f"/{word}") for word in ("cancel", "rerun", "extend"))]
    ways += [("GET", f"/{part}") for part in ("logs", "events", "artifacts/", "artifacts/report.html")]
    for method, part in ways:
        theirs, absent = (calls(bob, method, f"/tasks/{number}{part}") for number in (1, 987654))
        assert theirs == absent and theirs[0] == 404, part
    for number in (1, 987654):
        bob.goto(f"{server.url}/task?id={number}")
        expect(bob.get_by_text("Task not found")).to_be_visible()
        expect(bob.get_by_text(PROMPT)).to_be_hidden()


@pytest.mark.attack(21, 22)
def test_nobody_lists_searches_deletes_or_makes_anothers_tasks(server: Server, bob: Page, kept: Any) -> None:
    ada_id = kept["tasks"][0]["user_id"]
    for query in ("", "?q=plan", "?status=error", "?limit=200&logs=none", f"?user_id={ada_id}", f"?userId={ada_id}"):
        status, said = calls(bob, "GET", f"/tasks{query}")
        assert status in (200, 400) and PROMPT not in str(said) and ada_id not in str(said), query
    status, said = calls(bob, "POST", "/tasks", {"prompt": "For you", "user_id": ada_id, "userId": ada_id})
    assert status == 400 or said["task"]["user_id"] != ada_id
    bob.goto(f"{server.url}/?q=plan")
    expect(bob.get_by_text("No task matches")).to_be_visible()
    assert calls(bob, "DELETE", "/tasks?action=completed,failed")[0] == 200

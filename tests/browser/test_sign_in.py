"""The sign-in in a real browser: the cookie's flags, the way back, the keyboard, and a network without TLS."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from core.identity.sessions import HOST_COOKIE, PLAIN_COOKIE
from tests.browser import wire
from tests.browser.steps import add_people, api_says, has_its_cookie, is_signed_out, session_cookies, sign_in
from tests.conftest import PASSWORD
from tests.support import forged
from tests.support.server import Server

Open = Callable[..., Page]

WITHOUT_TLS = "This page came without encryption"


@pytest.fixture(scope="module", autouse=True)
def ada(server: Server) -> None:
    add_people(server, "ada")


def test_on_this_machine_the_cookie_is_out_of_reach_of_scripts_other_sites_and_neighbours(open_page: Open) -> None:
    page = open_page()
    expect(page.get_by_label("Username")).to_be_visible()
    expect(page.get_by_text(WITHOUT_TLS)).to_be_hidden()
    sign_in(page, "ada")
    has_its_cookie(page)
    (cookie,) = session_cookies(page)
    assert cookie["name"] == HOST_COOKIE == "__Host-taskdeck_session"
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (True, True, "Strict", "/")
    assert "taskdeck" not in page.evaluate("document.cookie")
    page.reload()
    expect(page.get_by_text("Signed in as ada")).to_be_visible()


@pytest.mark.attack(59)
def test_without_tls_on_the_network_there_is_a_warning_and_a_session_that_survives_a_reload(
    server: Server, open_page: Open
) -> None:
    page = open_page(None)
    page.goto(f"http://taskdeck.test:{server.port}/")
    expect(page.get_by_text(WITHOUT_TLS)).to_be_visible()
    sign_in(page, "ada")
    has_its_cookie(page)
    (cookie,) = session_cookies(page)
    assert cookie["name"] == PLAIN_COOKIE
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, False, "Strict")
    page.reload()
    expect(page.get_by_text("Signed in as ada")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    is_signed_out(page)
    api_says(page, 401)
    page.reload()
    is_signed_out(page)


@pytest.mark.attack(62)
def test_a_deep_link_leads_to_its_page_after_the_sign_in(server: Server, open_page: Open) -> None:
    page = open_page("/?q=plan&status=error")
    is_signed_out(page)
    sign_in(page, "ada")
    expect(page.get_by_text("No task matches")).to_be_visible()
    assert page.url == f"{server.url}/?q=plan&status=error"


def test_the_keyboard_alone_signs_in(open_page: Open) -> None:
    page = open_page()
    is_signed_out(page)
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Username":
            break
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Signed in as ada")).to_be_visible()


@pytest.mark.attack(8)
def test_a_bad_cookie_leaves_the_form_to_sign_in_with(server: Server, open_page: Open) -> None:
    page = open_page(None)
    page.context.add_cookies([{"name": PLAIN_COOKIE, "value": "x" * 4_000, "url": server.url}])
    page.goto(server.url)
    is_signed_out(page)
    api_says(page, 401)
    sign_in(page, "ada")
    has_its_cookie(page)
    page.reload()
    expect(page.get_by_text("Signed in as ada")).to_be_visible()


@pytest.mark.attack(1, 2, 3, 5, 6, 7, 8)
def test_the_pages_know_nobody_by_a_cookie_that_is_not_a_sessions_own(server: Server, open_page: Open) -> None:
    page = open_page()
    sign_in(page, "ada")
    has_its_cookie(page)
    (cookie,) = session_cookies(page)
    name, good = str(cookie["name"]), str(cookie["value"])
    with wire.open_socket(server, cookies={name: good}) as own:
        assert "Signed in as" in wire.drawn(own)
    key = (Path(server.environment["TASKDECK_DATA"]) / "secret").read_text().strip()
    for value in (*forged.cookies(good, key), "\xff"):
        with wire.open_socket(server, cookies={name: value}) as strange:
            drawn = wire.drawn(strange)
        assert "Username" in drawn and "Signed in as" not in drawn, value
        answer = httpx.get(f"{server.url}/api/tasks", headers={b"Cookie": f"{name}={value}".encode("latin-1")})
        assert answer.status_code == 401, value

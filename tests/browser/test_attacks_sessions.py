"""Attacks on a browser session: copied cookies, open pages of people who lost their right, shared browsers."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from core.identity.signin import REFUSED
from tests.browser.steps import add_people, api_says, has_its_cookie, is_signed_out, sign_in
from tests.conftest import PASSWORD
from tests.support.server import Server

Open = Callable[..., Page]
Replay = Callable[[Page], Callable[[], bool]]

NEW_PASSWORD = "another battery for the horse"


@pytest.fixture(scope="module", autouse=True)
def everybody(server: Server) -> None:
    add_people(server, "root:admin", "ada", "bob", "cleo", "dana:admin", "eve", "finn", "gus")


@pytest.fixture
def replay(server: Server, open_page: Open) -> Replay:
    """Copy a browser's cookies; later, whether another browser with them is nobody, on the pages and for the API."""

    def copy(page: Page) -> Callable[[], bool]:
        cookies = page.context.cookies()

        def is_nobody() -> bool:
            thief = open_page(None)
            thief.context.add_cookies(cookies)
            thief.goto(server.url)
            is_signed_out(thief)
            return bool(thief.request.get(f"{server.url}/api/tasks").status == 401)

        return is_nobody

    return copy


@pytest.mark.attack(9)
def test_a_cookie_copied_before_the_sign_out_is_worth_nothing_after_it(visit: Open, replay: Replay) -> None:
    page = visit("ada")
    is_nobody = replay(page)
    page.get_by_role("button", name="Sign out").click()
    is_signed_out(page)
    assert is_nobody()


@pytest.mark.attack(10)
def test_a_new_password_signs_every_other_browser_out_and_not_this_one(visit: Open, replay: Replay) -> None:
    other = visit("bob")
    page = visit("bob", "/account")
    is_nobody = replay(page)
    page.get_by_role("textbox", name="Current password").fill(PASSWORD)
    page.get_by_role("textbox", name="New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_role("textbox", name="New password, again").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("Password changed")).to_be_visible()
    is_signed_out(other)
    api_says(other, 401)
    has_its_cookie(page)
    page.reload()
    expect(page.get_by_text("Signed in as bob")).to_be_visible()
    assert is_nobody()
    sign_in(other, "bob")
    expect(other.get_by_text(REFUSED)).to_be_visible()
    sign_in(other, "bob", NEW_PASSWORD)
    expect(other.get_by_text("Signed in as bob")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "fate"),
    [
        pytest.param("cleo", "disable", marks=pytest.mark.attack(11)),
        pytest.param("eve", "delete", marks=pytest.mark.attack(12)),
    ],
)
def test_who_loses_the_account_is_out_of_every_open_page(server: Server, visit: Open, name: str, fate: str) -> None:
    page = visit(name)
    page.get_by_role("link", name="New task", exact=True).click()
    expect(page.get_by_label("What should it do?")).to_be_visible()
    list_page = page.context.new_page()
    list_page.goto(server.url)
    expect(list_page.get_by_text("No tasks yet")).to_be_visible()
    server.operate("users", fate, name)
    for each in (list_page, page):
        is_signed_out(each)
        api_says(each, 401)
    sign_in(page, name)
    expect(page.get_by_text(REFUSED)).to_be_visible()


@pytest.mark.attack(13)
def test_who_is_no_longer_an_administrator_is_out_of_the_pages_for_them(server: Server, visit: Open) -> None:
    page = visit("dana", "/people")
    expect(page.get_by_role("heading", name="People")).to_be_visible()
    server.operate("users", "role", "dana", "member")
    is_signed_out(page)
    sign_in(page, "dana")
    expect(page.get_by_text("Only administrators may see this page.")).to_be_visible()
    expect(page.get_by_role("link", name="Audit")).to_be_hidden()
    expect(page.get_by_text("cleo@example.org")).to_be_hidden()


@pytest.mark.attack(15)
def test_the_next_person_in_the_same_tab_sees_nothing_of_the_one_before(visit: Open) -> None:
    page = visit("finn", "/?q=finns+search&status=error")
    expect(page.get_by_text("No task matches")).to_be_visible()
    page.get_by_role("link", name="New task", exact=True).click()
    page.get_by_label("What should it do?").fill("What only Finn may know")
    page.get_by_label("What should it do?").blur()
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_text("finn@example.org")).to_be_visible()
    page.get_by_role("link", name="New task", exact=True).click()
    expect(page.get_by_label("What should it do?")).to_have_value("What only Finn may know")
    page.get_by_role("button", name="Sign out").click()
    is_signed_out(page)

    sign_in(page, "gus")
    expect(page.get_by_text("Signed in as gus")).to_be_visible()
    expect(page.get_by_label("What should it do?")).to_have_value("")
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_text("gus@example.org")).to_be_visible()
    page.get_by_role("link", name="Tasks", exact=True).click()
    expect(page.get_by_text("No tasks yet")).to_be_visible()
    expect(page.get_by_text(re.compile("finn", re.I))).to_have_count(0)


@pytest.mark.attack(16)
def test_a_sign_in_ends_the_session_whose_cookie_it_replaces(server: Server, open_page: Open, replay: Replay) -> None:
    second = open_page()  # offers the form before anybody is signed in here
    first = second.context.new_page()
    first.goto(server.url)
    sign_in(first, "ada")
    has_its_cookie(first)
    is_nobody = replay(first)

    sign_in(second, "gus")
    expect(second.get_by_text("Signed in as gus")).to_be_visible()
    is_signed_out(first)
    assert is_nobody()
    for page in (first, second):
        page.reload()
        expect(page.get_by_text("Signed in as gus")).to_be_visible()

"""Attacks on a page's websocket: the tab of another person, and pages of another server."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.browser import wire
from tests.browser.steps import add_people, has_its_cookie, make_task, sign_in
from tests.support.server import Server

Open = Callable[..., Page]

SECRET = "The plan that only Ada knows"


@pytest.fixture(scope="module", autouse=True)
def ada(server: Server) -> None:
    add_people(server, "ada")


@pytest.fixture
def victim(server: Server, open_page: Open) -> tuple[Page, wire.Eavesdropper]:
    """Ada's page, which shows a task of hers, and whoever reads along."""
    page = open_page(None)
    listener = wire.Eavesdropper(page)
    page.goto(server.url)
    sign_in(page, "ada")
    has_its_cookie(page)
    make_task(page, SECRET)
    expect(page.get_by_text(SECRET).first).to_be_visible()
    return page, listener


def is_the_sign_in_form(drawn: str) -> bool:
    return "Username" in drawn and SECRET not in drawn and "Signed in as" not in drawn


@pytest.mark.attack(17)
def test_a_live_page_is_of_no_use_to_whoever_knows_its_id(
    server: Server, victim: tuple[Page, wire.Eavesdropper]
) -> None:
    page, known = victim
    with wire.open_socket(server, named=known.id) as thief:
        assert is_the_sign_in_form(wire.drawn(thief))
        assert is_the_sign_in_form(wire.drawn(thief, "task", "id=1"))

        drawn_at = page.locator(".td-stamp").inner_text()
        expect(page.locator(".td-stamp")).not_to_have_text(drawn_at)
        expect(page.get_by_text(SECRET).first).to_be_visible()
        page.get_by_role("link", name="New task", exact=True).click()
        expect(page.get_by_label("What should it do?")).to_be_visible()
        assert is_the_sign_in_form(wire.drawn(thief))
    page.reload()
    expect(page.get_by_label("What should it do?")).to_be_visible()

    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    with wire.open_socket(server, cookies=cookies) as own:
        assert not is_the_sign_in_form(wire.drawn(own)), "whoever has the cookie is Ada"


@pytest.mark.attack(18)
def test_a_page_that_was_just_closed_is_of_no_use_either(
    server: Server, victim: tuple[Page, wire.Eavesdropper]
) -> None:
    page, known = victim
    context = page.context
    page.close()
    with wire.open_socket(server, named=known.id) as thief:
        assert is_the_sign_in_form(wire.drawn(thief))

    again = context.new_page()
    again.goto(server.url)
    expect(again.get_by_text(SECRET).first).to_be_visible()


@pytest.mark.attack(31)
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:3000", "http://127.0.0.1", "null", "file://", None]
)
def test_a_page_of_another_server_gets_no_websocket(server: Server, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://localhost:{server.port}/_stcore/stream", origin=origin)
    assert refused.value.response.status_code == 403
    # Streamlit would write this, after it had asked a public server for our own address.
    assert not re.search("Rejecting WebSocket", server.said())

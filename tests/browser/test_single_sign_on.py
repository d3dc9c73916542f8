"""Sign-in by a real OpenID Connect provider, in a real browser."""

import json
import re
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from core.identity.sessions import HOST_COOKIE
from tests.browser import provider as providers
from tests.browser.provider import Provider
from tests.browser.steps import add_people, has_its_cookie, is_signed_out, session_cookies
from tests.support.server import ROOT, Server

Open = Callable[..., Page]

REFUSED = "No active account has the e-mail address of that sign-in, or it is not verified"
USED = re.compile("That sign-in is too old or was used before|This sign-in was used before")


@pytest.fixture(scope="module")
def running_provider() -> Iterator[Provider]:
    with providers.running() as running:
        yield running


@pytest.fixture
def provider(running_provider: Provider) -> Provider:
    """The provider as it is at first: honest, and it vouches for Ada without asking anybody."""
    for name, value in vars(Provider()).items():
        if name not in ("url", "keys", "codes"):
            setattr(running_provider, name, value)
    return running_provider


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory, running_provider: Provider) -> str:
    """A server that has two providers in its secrets, which are nowhere near the repository."""
    secrets = tmp_path_factory.mktemp("streamlit") / "secrets.toml"
    shared = {"redirect_uri": "http://localhost:{port}/oauth2callback", "cookie_secret": "long enough for a test " * 2}
    lines = [f"{name} = {json.dumps(text)}" for name, text in shared.items()]
    first, second = running_provider.section(name="Example Org"), running_provider.section()
    secrets.write_text("\n".join(["[auth]", *lines, first, "[auth.second]", second]))
    return f"tests.browser.quick_polls run app.py --server.port {{port}} --secrets.files {secrets}"


@pytest.fixture(scope="module", autouse=True)
def everybody(server: Server) -> None:
    add_people(server, "ada", "bob")


def by_provider(page: Page, name: str = "Example Org") -> None:
    page.get_by_role("button", name=f"Sign in with {name}").click()


def is_ada(page: Page) -> None:
    expect(page.get_by_text("Signed in as ada")).to_be_visible()


def begins_no_session(page: Page) -> bool:
    is_signed_out(page)
    page.wait_for_timeout(500)  # whatever a ticket would fetch, it would fetch at once
    return session_cookies(page) == [] and page.request.get(page.url + "api/tasks").status == 401


def test_a_verified_known_address_signs_in_with_a_session_of_ours(
    server: Server, open_page: Open, provider: Provider
) -> None:
    provider.asks = True
    page = open_page()
    by_provider(page)
    page.get_by_role("button", name="It is me").click()
    is_ada(page)
    assert page.url == f"{server.url}/"
    has_its_cookie(page)
    (cookie,) = session_cookies(page)
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (HOST_COOKIE, True, "Strict")
    page.reload()
    is_ada(page)


def test_a_deep_link_survives_the_way_to_a_provider_whose_button_has_its_name_or_else_its_key(
    server: Server, open_page: Open, provider: Provider
) -> None:
    page = open_page("/task?id=5")
    expect(page.get_by_role("button", name="Sign in with Example Org")).to_be_visible()
    by_provider(page, "second")
    expect(page.get_by_text("Task not found")).to_be_visible()
    expect(page).to_have_url(f"{server.url}/task?id=5")


@pytest.mark.attack(61)
def test_an_unverified_address_is_refused_with_a_sentence_until_another_account_is_used(
    open_page: Open, provider: Provider
) -> None:
    provider.email_verified = False
    page = open_page()
    by_provider(page)
    expect(page.get_by_text(REFUSED)).to_be_visible()
    assert begins_no_session(page)
    page.reload()
    assert begins_no_session(page)

    provider.email_verified = True
    page.get_by_role("button", name="Use another account").click()
    expect(page.get_by_text(REFUSED)).to_be_hidden()
    assert provider.signed_out == 1
    by_provider(page)
    is_ada(page)


@pytest.mark.attack(61)
@pytest.mark.parametrize("name", ["nobody", "bob"])
def test_an_unknown_address_and_a_disabled_accounts_are_refused_with_the_same_sentence(
    server: Server, open_page: Open, provider: Provider, name: str
) -> None:
    if name == "bob":
        server.operate("users", "disable", "bob")
    provider.email = f"{name}@example.org"
    page = open_page()
    by_provider(page)
    expect(page.get_by_text(REFUSED)).to_be_visible()
    assert begins_no_session(page)


@pytest.mark.attack(61)
@pytest.mark.parametrize(
    "lie",
    [{"nonce": "of another sign-in"}, {"seconds": -600}, {"audience": "another client"}, {"forged": True}],
    ids=lambda lie: next(iter(lie)),
)
def test_an_id_token_that_is_not_for_us_now_begins_nothing(
    open_page: Open, provider: Provider, lie: dict[str, object]
) -> None:
    vars(provider).update(lie)
    page = open_page()
    by_provider(page)
    expect(page).to_have_url(re.compile("/$"))
    assert begins_no_session(page)
    expect(page.get_by_role("button", name="Sign in with Example Org")).to_be_visible()
    assert "_streamlit_user" not in {cookie["name"] for cookie in page.context.cookies()}


@pytest.mark.attack(61)
def test_the_word_of_a_provider_is_worth_one_session(open_page: Open, provider: Provider) -> None:
    page = open_page()
    by_provider(page)
    is_ada(page)
    has_its_cookie(page)
    for taken in (HOST_COOKIE, "_streamlit_user_tokens"):  # the second one changes what Streamlit says of the first
        page.context.clear_cookies(name=taken)
        page.reload()
        expect(page.get_by_text(USED)).to_be_visible()
        assert begins_no_session(page)
    by_provider(page)
    is_ada(page)


@pytest.mark.attack(9, 14)
def test_signing_out_ends_our_session_and_the_providers_word(
    server: Server, open_page: Open, provider: Provider
) -> None:
    page = open_page("/new")
    by_provider(page)
    is_ada(page)
    has_its_cookie(page)
    stolen = page.context.cookies()
    second = page.context.new_page()
    second.goto(server.url)
    is_ada(second)

    page.get_by_role("button", name="Sign out").click()
    is_signed_out(page)
    is_signed_out(second)
    expect(page).to_have_url(f"{server.url}/")
    assert provider.signed_out == 1
    assert {cookie["name"] for cookie in page.context.cookies()} == {"_streamlit_xsrf"}
    page.reload()
    assert begins_no_session(page)

    thief = open_page()
    thief.context.add_cookies(stolen)
    thief.reload()
    is_signed_out(thief)
    assert thief.request.get(f"{server.url}/api/tasks").status == 401


@pytest.mark.no_database
def test_without_a_provider_nothing_of_this_is_loaded() -> None:
    app = AppTest.from_string("from pages.session import single_sign_on as s\ns.start_session()\ns.offer()").run()
    assert not app.exception
    assert not app.button
    assert not (ROOT / ".streamlit" / "secrets.toml").exists()
    assert "authlib" not in sys.modules

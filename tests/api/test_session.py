"""The browser's cookie: a ticket fetches it, a sign-out ends it. Which tickets are good: tests/core/identity."""

from dataclasses import replace
from http.cookies import Morsel, SimpleCookie
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from core.database.models import AuthSession
from core.database.ownership import Actor
from core.identity import sessions
from tests.api.calls import ORIGIN, Caller, sentence
from tests.support.databases import unguarded
from tests.support.world import World

OWN_PAGE = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def own_page(anybody: Caller) -> Caller:
    """One of our own pages in a browser that has no cookie yet."""
    return replace(anybody, headers=OWN_PAGE)


@pytest.fixture
def session_id(ada: Actor) -> UUID:
    return sessions.start(ada)


def redeemed() -> int:
    with unguarded() as session:
        return len(session.scalars(select(AuthSession).where(AuthSession.redeemed_at.is_not(None))).all())


def cookies_set(answer: httpx.Response) -> dict[str, Morsel[str]]:
    """The cookies that an answer sets or clears, by name."""
    found = [morsel for header in answer.headers.get_list("set-cookie") for morsel in SimpleCookie(header).values()]
    return {morsel.key: morsel for morsel in found}


def set_cookie(answer: httpx.Response) -> Morsel[str]:
    (morsel,) = cookies_set(answer).values()
    return morsel


def refused(answer: httpx.Response, status: int = 400) -> bool:
    assert answer.status_code == status, answer.text
    assert "set-cookie" not in answer.headers
    return bool(sentence(answer))


def test_a_ticket_and_its_session_fetch_one_cookie_that_signs_in(
    own_page: Caller, session_id: UUID, ada: Actor
) -> None:
    ticket = {"ticket": sessions.ticket(session_id)}
    answer = own_page.post("/session", json=ticket)
    assert answer.status_code == 200 and set(answer.json()) == {"message"}
    signed_in = own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={set_cookie(answer).value}")
    assert signed_in.post("/tasks", json={"prompt": "Count"}).json()["task"]["user_id"] == str(ada.id)
    assert refused(own_page.post("/session", json=ticket))
    assert refused(own_page.post("/session", json={"ticket": sessions.ticket(session_id)}))


CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15"


@pytest.mark.parametrize(
    ("secure", "agent", "public", "origins"),
    [
        (True, CHROME, None, ("http://localhost:8501", "http://127.0.0.1", "http://a.localhost", "http://[::1]:8501")),
        (True, FIREFOX, None, ("http://localhost:8501", "http://127.8.8.8", "https://192.0.2.7")),
        (True, SAFARI, None, ("https://localhost", "https://192.0.2.7", "https://deck.local")),
        (True, SAFARI, "https://tasks.example.org", ("https://tasks.example.org",)),
        (False, SAFARI, None, ("http://localhost:8501", "http://127.0.0.1", "http://[::1]")),
        (False, CHROME, None, ("http://192.0.2.7:8501", "http://deck.local", "http://localhost.lan")),
        (False, CHROME, "http://tasks.example.org", ("http://tasks.example.org",)),
    ],
    ids=range(7),
)
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_bound_to_this_host_where_browsers_keep_such_a_one(
    own_page: Caller, ada: Actor, world: World, secure: bool, agent: str, public: str | None, origins: tuple[str, ...]
) -> None:
    world.settle(TASKDECK_PUBLIC_URL=public)
    for origin in origins:
        session_id = sessions.start(ada)
        there = replace(own_page, origin=origin, headers={"Origin": origin, "User-Agent": agent})
        cookie = set_cookie(there.post("/session", json={"ticket": sessions.ticket(session_id)}))
        name = sessions.HOST_COOKIE if secure else sessions.PLAIN_COOKIE
        assert (cookie.key, bool(cookie["secure"])) == (name, secure), origin
        assert (cookie["path"], cookie["domain"], cookie["max-age"]) == ("/", "", str(14 * 24 * 3600))
        assert (cookie["httponly"], cookie["samesite"].lower()) == (True, "strict")
        assert sessions.read_cookie(cookie.value) == session_id


def test_a_plain_connection_from_a_proxy_with_tls_gets_the_secure_cookie(
    own_page: Caller, ada: Actor, world: World
) -> None:
    world.settle(TASKDECK_PUBLIC_URL="https://tasks.example.org")
    for host in ("127.0.0.1:8501", "tasks.example.org"):
        there = own_page.having(Host=host, Origin="https://tasks.example.org", User_Agent=SAFARI)
        cookie = set_cookie(there.post("/session", json={"ticket": sessions.ticket(sessions.start(ada))}))
        assert (cookie.key, bool(cookie["secure"])) == (sessions.HOST_COOKIE, True)


def test_with_tls_only_the_cookie_that_is_bound_to_this_host_counts(anybody: Caller, cookie: str, world: World) -> None:
    own, tossed = f"{sessions.HOST_COOKIE}={cookie}", f"{sessions.PLAIN_COOKIE}={cookie}"
    assert anybody.having(Cookie=f"{sessions.PLAIN_COOKIE}=x; {own}").get("/tasks").status_code == 200
    assert anybody.having(Cookie=f"{sessions.HOST_COOKIE}=x; {tossed}").get("/tasks").status_code == 401
    world.settle(TASKDECK_PUBLIC_URL="https://tasks.example.org")
    assert anybody.having(Cookie=own).get("/tasks").status_code == 200
    assert anybody.having(Cookie=tossed).get("/tasks").status_code == 401


def test_a_new_sign_in_ends_the_session_whose_cookie_it_replaces(
    own_page: Caller, session_id: UUID, cookie: str
) -> None:
    signed_in = own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}")
    assert refused(signed_in.post("/session", json={"ticket": "garbage"}))
    assert signed_in.get("/tasks").status_code == 200, "a ticket that is refused ends nothing"
    assert signed_in.post("/session", json={"ticket": sessions.ticket(session_id)}).status_code == 200
    assert signed_in.get("/tasks").status_code == 401 and sessions.person(session_id)


def test_what_is_no_ticket_of_ours_in_json_fetches_nothing(own_page: Caller, session_id: UUID, cookie: str) -> None:
    already, good = redeemed(), sessions.ticket(session_id)
    for ticket in ("", "..", "x" * 10_000, "ключ", "\0", session_id.hex, good[:-2], good + "x", good.upper(), cookie):
        assert refused(own_page.post("/session", json={"ticket": ticket})), ticket
    broken = ("", "null", "[]", "{}", '{"ticket": 5}', '{"ticket": null}', "{", r'{"ticket": "\ud800"}', "[" * 100_000)
    forms = ((f'{{"ticket": "{good}"}}', kind) for kind in ("text/plain", "application/x-www-form-urlencoded"))
    for body, kind in (*((body, "application/json") for body in broken), *forms):
        assert refused(own_page.post("/session", content=body, headers={"Content-Type": kind})), body[:30]
    sessions.end(session_id)
    assert refused(own_page.post("/session", json={"ticket": good})), "its session was ended"
    assert redeemed() == already


def test_another_site_can_neither_sign_somebody_in_nor_out(
    anybody: Caller, own_page: Caller, session_id: UUID, cookie: str
) -> None:
    ticket = {"ticket": sessions.ticket(session_id)}
    with_cookie = anybody.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}")
    for headers in (
        *({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}),
        *({"Sec-Fetch-Site": "same-site", "Origin": ORIGIN}, {"Sec-Fetch-Site": "none"}, {"Origin": f"{ORIGIN}:8502"}),
    ):
        assert refused(anybody.post("/session", json=ticket, headers=headers), 403), headers
        assert refused(with_cookie.delete("/session", headers=headers), 403)
    assert with_cookie.get("/tasks").status_code == 200
    assert own_page.post("/session", json=ticket).status_code == 200, "the ticket is not used up"


def test_the_cookie_of_an_ended_session_is_forgotten_and_worth_nothing(own_page: Caller, cookie: str) -> None:
    signed_in = own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}")
    assert signed_in.get("/tasks").status_code == 200
    session_id = sessions.read_cookie(cookie)
    assert session_id
    sessions.end(session_id)
    answer = signed_in.delete("/session")
    assert answer.status_code == 200
    forgotten = cookies_set(answer)
    assert set(forgotten) == {sessions.HOST_COOKIE, sessions.PLAIN_COOKIE}
    for morsel in forgotten.values():
        assert (morsel.value, morsel["max-age"], morsel["path"]) == ("", "0", "/")
    assert forgotten[sessions.HOST_COOKIE]["secure"], "a browser ignores it otherwise"
    assert signed_in.get("/tasks").status_code == 401, "a copy of the cookie is worth nothing"


def test_a_sign_out_in_another_tab_or_without_a_session_leaves_one_that_goes_on(own_page: Caller, cookie: str) -> None:
    signed_in = own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}")
    strange = [own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={value}") for value in ("", "x" * 5_000)]
    assert "set-cookie" not in signed_in.delete("/session").headers
    assert [caller.delete("/session").status_code for caller in (own_page, *strange)] == [200, 200, 200]
    assert signed_in.get("/tasks").status_code == 200

"""The browser's cookie: a ticket fetches it, a sign-out ends it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.cookies import Morsel, SimpleCookie
from types import SimpleNamespace
from uuid import UUID

import httpx
import itsdangerous.timed
import pytest
from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer
from sqlalchemy import select

from core.config import signing_secret
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


def test_a_ticket_fetches_a_cookie_that_signs_in(own_page: Caller, session_id: UUID, ada: Actor) -> None:
    answer = own_page.post("/session", json={"ticket": sessions.ticket(session_id)})
    assert answer.status_code == 200 and set(answer.json()) == {"message"}
    signed_in = own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={set_cookie(answer).value}")
    assert signed_in.post("/tasks", json={"prompt": "Count"}).json()["task"]["user_id"] == str(ada.id)


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    own_page: Caller, session_id: UUID, scheme: str, secure: bool
) -> None:
    there = replace(own_page, origin=ORIGIN.replace("http", scheme), headers={"Sec-Fetch-Site": "same-origin"})
    cookie = set_cookie(there.post("/session", json={"ticket": sessions.ticket(session_id)}))
    assert cookie["httponly"] is True
    assert cookie["samesite"].lower() == "strict"
    assert (cookie["path"], cookie["max-age"], cookie["domain"]) == ("/", str(14 * 24 * 3600), "")
    assert bool(cookie["secure"]) is secure
    assert cookie.key == (sessions.HOST_COOKIE if secure else sessions.PLAIN_COOKIE)
    assert sessions.read_cookie(cookie.value) == session_id


CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15"


@pytest.mark.parametrize(
    ("origin", "agent", "public", "secure"),
    [
        *(
            (f"http://{host}", agent, None, True)
            for host in ("localhost:8501", "127.0.0.1")
            for agent in (CHROME, FIREFOX)
        ),
        *((f"http://{host}", CHROME, None, True) for host in ("deck.localhost", "[::1]:8501", "127.8.8.8")),
        *((f"http://{host}", SAFARI, None, False) for host in ("localhost:8501", "127.0.0.1", "[::1]")),
        *((f"http://{host}", CHROME, None, False) for host in ("192.0.2.7:8501", "deck.local", "localhost.lan")),
        *((f"https://{host}", SAFARI, None, True) for host in ("localhost", "192.0.2.7", "deck.local")),
        ("https://tasks.example.org", SAFARI, "https://tasks.example.org", True),
        ("http://tasks.example.org", CHROME, "http://tasks.example.org", False),
    ],
)
def test_the_cookie_is_bound_to_this_host_wherever_the_browser_keeps_such_a_one(
    own_page: Caller,
    session_id: UUID,
    world: World,
    origin: str,
    agent: str,
    public: str | None,
    secure: bool,
) -> None:
    world.settle(TASKDECK_PUBLIC_URL=public)
    there = replace(own_page, origin=origin, headers={"Origin": origin, "User-Agent": agent})
    cookie = set_cookie(there.post("/session", json={"ticket": sessions.ticket(session_id)}))
    assert (cookie.key, bool(cookie["secure"])) == (
        (sessions.HOST_COOKIE, True) if secure else (sessions.PLAIN_COOKIE, False)
    )
    assert (cookie["path"], cookie["domain"], cookie["httponly"]) == ("/", "", True)


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "tasks.example.org"])
def test_a_plain_connection_from_a_proxy_with_tls_gets_the_secure_cookie(
    own_page: Caller, session_id: UUID, world: World, host: str
) -> None:
    world.settle(TASKDECK_PUBLIC_URL="https://tasks.example.org")
    there = own_page.having(Host=host, Origin="https://tasks.example.org", User_Agent=SAFARI)
    cookie = set_cookie(there.post("/session", json={"ticket": sessions.ticket(session_id)}))
    assert (cookie.key, bool(cookie["secure"])) == (sessions.HOST_COOKIE, True)


def test_with_tls_only_the_cookie_that_is_bound_to_this_host_counts(anybody: Caller, cookie: str, world: World) -> None:
    own, tossed = f"{sessions.HOST_COOKIE}={cookie}", f"{sessions.PLAIN_COOKIE}={cookie}"
    assert anybody.having(Cookie=f"{sessions.PLAIN_COOKIE}=x; {own}").get("/tasks").status_code == 200
    assert anybody.having(Cookie=f"{sessions.HOST_COOKIE}=x; {tossed}").get("/tasks").status_code == 401
    world.settle(TASKDECK_PUBLIC_URL="https://tasks.example.org")
    assert anybody.having(Cookie=own).get("/tasks").status_code == 200
    assert anybody.having(Cookie=tossed).get("/tasks").status_code == 401


def test_a_new_sign_in_ends_the_session_whose_cookie_it_replaces(
    own_page: Caller, session_id: UUID, cookie: str, bob: Actor
) -> None:
    replaced, another = sessions.read_cookie(cookie), sessions.start(bob)
    assert replaced
    signed_in = own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}")
    assert refused(signed_in.post("/session", json={"ticket": "garbage"}))
    assert sessions.person(replaced), "a ticket that is refused ends nothing"
    assert signed_in.post("/session", json={"ticket": sessions.ticket(session_id)}).status_code == 200
    assert sessions.person(replaced) is None
    assert sessions.person(session_id) and sessions.person(another)
    assert signed_in.get("/tasks").status_code == 401


def test_a_key_that_was_replaced_verifies_until_it_is_taken_away(own_page: Caller, ada: Actor, world: World) -> None:
    old, new = "0123456789abcdefghijklmnopqrstuv", "zyxwvutsrqponmlkjihgfedcba987654"

    def turn(secret: str, old_secret: str | None) -> None:
        world.settle(TASKDECK_SECRET=secret, TASKDECK_OLD_SECRET=old_secret)
        signing_secret.cache_clear()

    def answers(cookie: str) -> int:
        return own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}").get("/tasks").status_code

    turn(old, None)
    before = sessions.redeem(sessions.ticket(sessions.start(ada)))
    assert answers(before) == 200
    turn(new, old)
    after = sessions.redeem(sessions.ticket(sessions.start(ada)))
    assert (answers(before), answers(after)) == (200, 200)
    turn(new, None)
    assert (answers(before), answers(after)) == (401, 200), "the new key signs"
    turn(old, None)
    assert answers(after) == 401


def test_a_ticket_works_once(own_page: Caller, session_id: UUID) -> None:
    ticket = {"ticket": sessions.ticket(session_id)}
    assert own_page.post("/session", json=ticket).status_code == 200
    assert refused(own_page.post("/session", json=ticket))
    assert refused(own_page.post("/session", json={"ticket": sessions.ticket(session_id)}))


def test_of_eight_who_send_a_ticket_at_once_one_wins(own_page: Caller, session_id: UUID) -> None:
    ticket = {"ticket": sessions.ticket(session_id)}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: own_page.post("/session", json=ticket), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert sum("set-cookie" in answer.headers for answer in answers) == 1


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (61, 400), (3600, 400), (-5, 400)])
def test_a_ticket_is_good_for_a_minute(
    own_page: Caller, session_id: UUID, monkeypatch: pytest.MonkeyPatch, seconds: int, status: int
) -> None:
    ticket = sessions.ticket(session_id)
    now = itsdangerous.timed.time.time()
    monkeypatch.setattr(itsdangerous.timed, "time", SimpleNamespace(time=lambda: now + seconds))
    assert own_page.post("/session", json={"ticket": ticket}).status_code == status
    assert redeemed() == (status == 200)


def test_what_is_no_ticket_of_ours_fetches_nothing(own_page: Caller, session_id: UUID, cookie: str) -> None:
    already = redeemed()
    good = sessions.ticket(session_id)
    name, stamp, signature = good.split(".")
    later = sessions.ticket(session_id).split(".")[1][:-1] + "z"
    secret = signing_secret()
    for ticket in (
        *("", ".", "..", "random", "x" * 10_000, "ключ", "\0", session_id.hex, str(session_id)),
        *(name, f"{name}.{stamp}", f"{name}.{signature}", f"{name}.{later}.{signature}", good[:-2], good + "x"),
        *(good.upper(), cookie, URLSafeSerializer(secret, salt="taskdeck.ticket").dumps(session_id.hex)),
        URLSafeTimedSerializer("another key of at least 32 bytes", salt="taskdeck.ticket").dumps(session_id.hex),
        URLSafeTimedSerializer(secret, salt="taskdeck.setup").dumps(session_id.hex),
        URLSafeTimedSerializer(secret, salt="taskdeck.ticket").dumps(UUID(int=0).hex),
    ):
        assert refused(own_page.post("/session", json={"ticket": ticket})), ticket
    assert redeemed() == already


def test_a_ticket_of_a_session_that_was_ended_fetches_nothing(own_page: Caller, session_id: UUID) -> None:
    ticket = sessions.ticket(session_id)
    sessions.end(session_id)
    assert refused(own_page.post("/session", json={"ticket": ticket}))


@pytest.mark.parametrize(
    "headers",
    [
        *({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}),
        *({"Sec-Fetch-Site": "same-site", "Origin": ORIGIN}, {"Sec-Fetch-Site": "none"}, {"Origin": f"{ORIGIN}:8502"}),
    ],
    ids=str,
)
def test_another_site_can_neither_sign_somebody_in_nor_out(
    anybody: Caller, own_page: Caller, session_id: UUID, cookie: str, headers: dict[str, str]
) -> None:
    ticket = {"ticket": sessions.ticket(session_id)}
    with_cookie = anybody.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}")
    assert refused(anybody.post("/session", json=ticket, headers=headers), 403)
    assert refused(with_cookie.delete("/session", headers=headers), 403)
    assert with_cookie.get("/tasks").status_code == 200
    assert own_page.post("/session", json=ticket).status_code == 200, "the ticket is not used up"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((body, "application/json") for body in ("", "null", "[]", "{}", '{"ticket": 5}', '{"ticket": null}', "{")),
        *((body, "application/json") for body in (r'{"ticket": "\ud800"}', '{"ticket": ["a"]}', "[" * 100_000)),
        *(("TICKET", kind) for kind in ("text/plain", "application/x-www-form-urlencoded")),
    ],
    ids=lambda text: text[:30],
)
def test_a_body_without_a_ticket_in_json_is_refused(own_page: Caller, session_id: UUID, body: str, kind: str) -> None:
    sent = body.replace("TICKET", f'{{"ticket": "{sessions.ticket(session_id)}"}}')
    assert refused(own_page.post("/session", content=sent, headers={"Content-Type": kind}))
    assert redeemed() == 0


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


def test_a_sign_out_in_another_tab_leaves_a_session_that_goes_on(own_page: Caller, cookie: str) -> None:
    signed_in = own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}")
    assert "set-cookie" not in signed_in.delete("/session").headers
    assert signed_in.get("/tasks").status_code == 200


@pytest.mark.parametrize("value", [None, "", "garbage", "x" * 5_000])
def test_a_sign_out_without_a_session_changes_nobodys(own_page: Caller, cookie: str, value: str | None) -> None:
    caller = own_page if value is None else own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={value}")
    assert caller.delete("/session").status_code == 200
    assert own_page.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}").get("/tasks").status_code == 200

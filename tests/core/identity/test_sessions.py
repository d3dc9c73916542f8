import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from itsdangerous import TimestampSigner

from core import config
from core.database import engine
from core.database.models import AuthSession, User
from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import sessions
from tests.core.identity.trail import SECOND, at_once, change, cookie_of, fails, rows_of, told
from tests.support.databases import unguarded
from tests.support.world import World


@pytest.mark.attack(4, 60)
def test_a_sign_in_lasts_fourteen_days_to_the_second(ada: Actor) -> None:
    session_id = sessions.start(ada)
    expires = rows_of(AuthSession)[0].expires_at
    assert abs(expires - engine.now() - timedelta(days=14)) < timedelta(seconds=30)
    assert sessions.person(session_id) == ada
    assert sessions.person(session_id, now=expires - timedelta(microseconds=1)) == ada
    assert sessions.person(session_id, now=expires) is None
    change(AuthSession, expires_at=engine.now())
    assert (sessions.person(session_id), sessions.opened(ada)) == (None, [])


@pytest.mark.attack(9)
@pytest.mark.parametrize("as_owner", [False, True])
def test_an_ended_session_is_over_and_no_other_of_theirs_or_anothers(as_owner: bool, ada: Actor, bob: Actor) -> None:
    first, second, theirs = sessions.start(ada), sessions.start(ada), sessions.start(bob)
    copied, owner = cookie_of(first), ada if as_owner else None
    assert sessions.by_cookie(copied) == (first, ada)
    sessions.end(theirs, owner=ada)
    assert sessions.person(theirs) == bob
    sessions.end(first, owner=owner)
    sessions.end(first, owner=owner)
    assert (sessions.person(first), sessions.by_cookie(copied), sessions.person(second)) == (None, None, ada)
    assert sessions.person(uuid4()) is None
    sessions.end(uuid4())
    assert told("session.ended") == [("session.ended", "ada", "ada", "")]


def test_the_open_sessions_of_a_person_are_listed_the_one_seen_last_first(ada: Actor, bob: Actor) -> None:
    old, first, second, ended, late = (sessions.start(ada, browser=name) for name in ("old", "one", "two", "x", "y"))
    sessions.start(bob)
    sessions.end(ended)
    change(AuthSession, AuthSession.id == late, expires_at=engine.now())
    change(AuthSession, AuthSession.id == old, last_seen_at=None, browser=None)  # as an older release wrote it
    sessions.note_use(first)
    assert [(each.id, each.browser) for each in sessions.opened(ada)] == [(first, "one"), (second, "two"), (old, "")]
    change(User, session_epoch=1)
    assert sessions.opened(ada) == []


def test_a_browsers_name_is_made_fit_to_store_and_a_use_is_noted_if_that_can_be(ada: Actor, world: World) -> None:
    for name in ("x" * 5_000, "a\0b\x1b[2J\ud800c\nd"):
        session_id = sessions.start(ada, browser=name)
    before = sessions.opened(ada)
    assert {each.browser for each in before} == {"x" * sessions.BROWSER_CHARACTERS, "a\ufffdb\ufffdc\nd"}
    with world.nowhere():
        sessions.note_use(session_id)
    assert sessions.opened(ada) == before


@pytest.mark.attack(10)
def test_a_sign_out_everywhere_ends_every_session_of_this_person_alone(ada: Actor, bob: Actor) -> None:
    mine, theirs = [sessions.start(ada) for _ in range(3)], sessions.start(bob)
    sessions.end_all(ada)
    sessions.end(mine[0])
    assert told("session.ended") == [], "of one that was over before"
    assert [sessions.person(each) for each in (*mine, theirs)] == [None, None, None, bob]
    assert sessions.person(sessions.start(ada)) == ada
    assert told("sessions.ended") == [("sessions.ended", "ada", "ada", "")]


def test_a_site_with_tls_takes_no_cookie_that_a_neighbour_could_have_set(world: World) -> None:
    host, plain = {sessions.HOST_COOKIE: "a"}, {sessions.PLAIN_COOKIE: "b"}
    assert [sessions.cookie_in(each) for each in ({}, host, plain, host | plain)] == ["", "a", "b", "a"]
    world.settle(TASKDECK_PUBLIC_URL="https://tasks.example.org")
    assert [sessions.cookie_in(each) for each in ({}, host, plain, host | plain)] == ["", "a", "", "a"]


def test_a_new_sign_in_clears_everybodys_sessions_that_are_over(ada: Actor, bob: Actor) -> None:
    _, over, going_on = sessions.start(ada), sessions.start(bob), sessions.start(bob)
    change(AuthSession, AuthSession.id != going_on, expires_at=engine.now())
    new = sessions.start(ada)
    assert {row.id for row in rows_of(AuthSession)} == {going_on, new} != {over, new}


@pytest.mark.attack(11, 12, 13)
@pytest.mark.parametrize(
    ("values", "begins"),
    [({"is_active": False}, False), ({"session_epoch": 1}, True), ({"role": "analyst"}, True), ({}, False)],
    ids=["disabled", "another epoch", "another role", "deleted"],
)
def test_what_becomes_of_an_account_counts_at_once(values: dict[str, Any], begins: bool, ada: Actor) -> None:
    session_id = sessions.start(ada)
    if values:
        change(User, **values)
    else:
        with unguarded() as session:
            session.delete(session.get_one(User, ada.id))
    found = sessions.person(session_id)
    assert (found and found.role) == values.get("role")
    if begins:
        assert sessions.person(sessions.start(ada))
    else:
        fails(InvalidInput, "cannot sign in just now", sessions.start, ada)
        assert len(told("session.started")) == 1


@pytest.mark.attack(34)
def test_a_ticket_fetches_the_cookie_once_also_for_eight_at_once(ada: Actor, bob: Actor) -> None:
    session_id, other = sessions.start(ada), sessions.start(bob)
    ticket = sessions.ticket(session_id)
    came = at_once(8, lambda _: sessions.redeem(ticket))
    (cookie,) = (each for each in came if isinstance(each, str))
    assert (sessions.read_cookie(cookie), sessions.by_cookie(cookie)) == (session_id, (session_id, ada))
    assert session_id.hex != cookie and sum(isinstance(each, InvalidInput) for each in came) == 7
    for again in (ticket, sessions.ticket(session_id)):
        fails(InvalidInput, "sign in again", sessions.redeem, again)
    assert sessions.read_cookie(sessions.redeem(sessions.ticket(other))) == other


@pytest.mark.attack(34)
def test_a_ticket_is_good_for_a_minute(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = int(time.time())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: moment)
    early, late = (sessions.ticket(sessions.start(ada)) for _ in range(2))
    moment += 60
    assert sessions.by_cookie(sessions.redeem(early))
    moment += 1
    fails(InvalidInput, "sign in again", sessions.redeem, late)


@pytest.mark.attack(5, 6, 7, 8, 34)
def test_what_is_no_sessions_id_or_no_cookie_or_ticket_of_ours_is_nobodys(ada: Actor, bob: Actor) -> None:
    first, second, ended = (sessions.start(ada) for _ in range(3))
    sessions.end(ended)
    assert sessions.read_cookie(sessions.ticket(first)) is None
    for nothing in (cookie_of(second), sessions.ticket(ended)):
        fails(InvalidInput, None, sessions.redeem, nothing)
    for text in (bob.id.hex, str(bob.id), "x", "", None, 7, {"username": "bob", "exp_date": 2e9}, [first.hex]):
        assert sessions.by_cookie(sessions._cookies().dumps(text)) is None, text
        fails(InvalidInput, None, sessions.redeem, sessions._tickets().dumps(text))
    for text in ("", "x", "..", "a.b", "a.b.c", "é", "\udc80", "\0", "x" * 10_000, "IjAwMDAi.x", f"{UUID(int=7)}"):
        assert sessions.read_cookie(text) is None, text
        fails(InvalidInput, None, sessions.redeem, text)


@pytest.mark.attack(2, 6)
def test_a_changed_letter_or_anothers_id_under_the_old_signature_voids_a_cookie(ada: Actor, bob: Actor) -> None:
    hers, his = cookie_of(sessions.start(ada)), cookie_of(sessions.start(bob))
    changed = hers[:5] + ("A" if hers[5] != "A" else "B") + hers[6:]
    for forged in (changed, f"{his.partition('.')[0]}.{hers.partition('.')[2]}"):
        assert (sessions.read_cookie(forged), sessions.by_cookie(forged)) == (None, None)


@pytest.mark.attack(2, 58)
def test_after_a_change_of_the_key_the_old_one_verifies_until_it_is_taken_away(ada: Actor, world: World) -> None:
    first, second = "the first key, of 32 bytes and 8", "the next key, of 32 bytes or more"

    def keys(secret: str, old: str | None = None) -> None:
        world.settle(TASKDECK_SECRET=secret, TASKDECK_OLD_SECRET=old)
        config.signing_secret.cache_clear()

    keys(first)
    session_id = sessions.start(ada)
    cookie, late = cookie_of(session_id), sessions.ticket(sessions.start(ada))
    keys(first)  # a restart
    assert sessions.by_cookie(cookie) == (session_id, ada)
    keys(second, first)
    assert sessions.by_cookie(cookie) == (session_id, ada)
    newer = sessions.redeem(late)
    assert sessions.by_cookie(newer)
    keys(second)
    assert sessions.by_cookie(cookie) is None
    assert sessions.by_cookie(newer), "the new key signs"
    keys(first)
    assert sessions.by_cookie(newer) is None


@pytest.mark.parametrize("who", ["the same person", "somebody else", "a forger", "nobody"])
def test_a_sign_out_token_ends_only_the_persons_own_session(who: str, ada: Actor, bob: Actor) -> None:
    session_id = sessions.start(ada)
    cookie = cookie_of(session_id)
    given = {"the same person": sessions.sign_out_token(ada), "somebody else": sessions.sign_out_token(bob)}
    mine = who == "the same person"
    assert sessions.end_by_token(cookie, given.get(who, {"a forger": "\ud800"}.get(who))) is mine
    assert (sessions.person(session_id) is None) is mine
    assert sessions.end_by_token("garbage", None)
    session_id = sessions.start(ada)
    cookie = cookie_of(session_id)
    change(AuthSession, created_at=engine.now() + 5 * SECOND)
    assert not sessions.end_by_token(cookie, given["the same person"]), "it began after the token"
    assert sessions.person(session_id) == ada


@pytest.mark.attack(16)
def test_the_cookie_that_a_ticket_replaces_ends_with_its_redemption_and_not_before(ada: Actor, bob: Actor) -> None:
    first, second = sessions.start(ada), sessions.start(bob)
    cookie = cookie_of(first)
    fails(InvalidInput, None, sessions.redeem, "forged", replaces=cookie)
    assert sessions.person(first) == ada
    sessions.redeem(sessions.ticket(second), replaces=cookie)
    assert (sessions.person(first), sessions.person(second)) == (None, bob)
    assert told("session.ended") == [("session.ended", "ada", "ada", "somebody signed in in the same browser")]
    for nothing in ("", "garbage", cookie):
        assert sessions.by_cookie(sessions.redeem(sessions.ticket(sessions.start(bob)), replaces=nothing))
    assert len(told("session.ended")) == 1, "what is over is not told again"

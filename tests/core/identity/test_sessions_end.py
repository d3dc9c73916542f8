"""How a session ends: by a farewell, by the cookie that replaces its own."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from core.database import engine
from core.database.models import AuthSession
from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import sessions
from tests.core.identity.trail import told
from tests.support.databases import unguarded


def cookie_of(session_id: UUID) -> str:
    return sessions.redeem(sessions.ticket(session_id))


@pytest.mark.parametrize("who", ["the same person", "somebody else", "a forger", "nobody"])
def test_a_farewell_ends_only_the_persons_own_session(who: str, ada: Actor, bob: Actor) -> None:
    session_id = sessions.start(ada)
    cookie = cookie_of(session_id)
    said = {
        "the same person": sessions.sign_out_token(ada),
        "somebody else": sessions.sign_out_token(bob),
        "a forger": "\ud800",
        "nobody": None,
    }[who]
    mine = who == "the same person"
    assert sessions.end_by_token(cookie, said) is mine
    assert (sessions.person(session_id) is None) is mine
    assert sessions.end_by_token("garbage", None)


def test_a_farewell_ends_no_session_that_began_after_it(ada: Actor) -> None:
    said = sessions.sign_out_token(ada)
    session_id = sessions.start(ada)
    cookie = cookie_of(session_id)
    with unguarded() as session:
        later = engine.now() + timedelta(seconds=5)
        session.execute(update(AuthSession).values(created_at=later))
    assert not sessions.end_by_token(cookie, said)
    assert sessions.person(session_id) == ada


@pytest.mark.attack(16)
def test_the_cookie_that_a_ticket_replaces_ends_with_its_redemption_and_not_before(ada: Actor, bob: Actor) -> None:
    first, second = sessions.start(ada), sessions.start(bob)
    cookie = cookie_of(first)
    with pytest.raises(InvalidInput):
        sessions.redeem("forged", replaces=cookie)
    assert sessions.person(first) == ada
    sessions.redeem(sessions.ticket(second), replaces=cookie)
    assert (sessions.person(first), sessions.person(second)) == (None, bob)
    assert told("session.ended") == [("session.ended", "ada", "ada", "somebody signed in in the same browser")]
    for nothing in ("", "garbage", cookie):
        assert sessions.by_cookie(sessions.redeem(sessions.ticket(sessions.start(bob)), replaces=nothing))
    assert len(told("session.ended")) == 1, "what is over is not told again"


def test_the_trail_has_no_sign_out_of_a_session_that_was_over_before(ada: Actor) -> None:
    session_id = sessions.start(ada)
    sessions.end_all(ada)
    sessions.end(session_id)
    assert told("session.ended") == []

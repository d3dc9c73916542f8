from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from core import config, db
from core.auth import people, sessions
from core.errors import InvalidInput
from core.models import AuthSession, User
from core.ownership import Actor
from tests.databases import unguarded

GARBAGE = ["", "x", "a.b", "a.b.c", "é", "\udc80", "x" * 10_000, "IjAwMDAi.x", f"{UUID(int=7)}"]


def change(**values: object) -> None:
    with unguarded() as session:
        session.execute(update(User).values(**values))


def test_a_sign_in_lasts_fourteen_days_to_the_second(ada: Actor) -> None:
    session_id = sessions.start(ada)
    with unguarded() as session:
        expires = session.scalars(select(AuthSession.expires_at)).one()
    assert abs(expires - db.now() - timedelta(days=14)) < timedelta(seconds=30)
    assert sessions.person(session_id) == ada
    assert sessions.person(session_id, now=expires - timedelta(microseconds=1)) == ada
    assert sessions.person(session_id, now=expires) is None


def test_an_ended_session_is_over_and_the_persons_other_one_is_not(ada: Actor) -> None:
    first, second = sessions.start(ada), sessions.start(ada)
    sessions.end(first)
    sessions.end(first)
    assert (sessions.person(first), sessions.person(second)) == (None, ada)
    assert sessions.person(uuid4()) is None


def test_a_new_sign_in_clears_ones_own_sessions_that_are_over(ada: Actor, bob: Actor) -> None:
    _, theirs = sessions.start(ada), sessions.start(bob)
    with unguarded() as session:
        session.execute(update(AuthSession).values(expires_at=db.now()))
    new = sessions.start(ada)
    with unguarded() as session:
        assert set(session.scalars(select(AuthSession.id))) == {theirs, new}


@pytest.mark.parametrize("values", [{"is_active": False}, {"session_epoch": 1}])
def test_a_disabled_account_or_a_new_epoch_ends_every_session(values: dict[str, object], ada: Actor) -> None:
    session_id = sessions.start(ada)
    change(**values)
    assert sessions.person(session_id) is None


def test_a_change_of_role_counts_at_once(ada: Actor) -> None:
    session_id = sessions.start(ada)
    change(role="analyst")
    person = sessions.person(session_id)
    assert person
    assert person.role == "analyst"


def test_a_ticket_fetches_the_cookie_once(ada: Actor, bob: Actor) -> None:
    session_id, other = sessions.start(ada), sessions.start(bob)
    ticket = sessions.ticket(session_id)
    cookie = sessions.redeem(ticket)
    assert sessions.read_cookie(cookie) == session_id
    assert session_id.hex != cookie
    for again in (ticket, sessions.ticket(session_id)):
        with pytest.raises(InvalidInput, match="sign in again"):
            sessions.redeem(again)
    assert sessions.read_cookie(sessions.redeem(sessions.ticket(other))) == other


def test_a_ticket_of_an_ended_session_or_an_old_one_fetches_nothing(
    ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, fresh = sessions.start(ada), sessions.start(ada)
    sessions.end(ended)
    with pytest.raises(InvalidInput):
        sessions.redeem(sessions.ticket(ended))
    monkeypatch.setattr(sessions, "TICKET_SECONDS", -1)
    with pytest.raises(InvalidInput):
        sessions.redeem(sessions.ticket(fresh))


def test_a_cookie_is_no_ticket_and_a_ticket_is_no_cookie(ada: Actor) -> None:
    first, second = sessions.start(ada), sessions.start(ada)
    assert sessions.read_cookie(sessions.ticket(first)) is None
    with pytest.raises(InvalidInput):
        sessions.redeem(sessions.redeem(sessions.ticket(second)))


@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_a_forged_cookie_or_ticket_is_nobodys(text: str, ada: Actor) -> None:
    assert sessions.read_cookie(text) is None
    with pytest.raises(InvalidInput):
        sessions.redeem(text)


def test_a_changed_letter_or_another_secret_voids_a_cookie(ada: Actor, data: object) -> None:
    cookie = sessions.redeem(sessions.ticket(sessions.start(ada)))
    swapped = cookie[:5] + ("A" if cookie[5] != "A" else "B") + cookie[6:]
    assert sessions.read_cookie(swapped) is None
    (config.settings().data / "secret").write_text("another secret, of thirty-two bytes or more")
    config.signing_secret.cache_clear()
    assert sessions.read_cookie(cookie) is None


def test_a_deleted_persons_session_is_gone(ada: Actor) -> None:
    session_id = sessions.start(ada)
    with unguarded() as session:
        session.delete(session.get_one(User, ada.id))
    assert sessions.person(session_id) is None
    assert not people.exist()


@pytest.mark.parametrize("who", ["the same person", "somebody else", "a forger", "nobody"])
def test_a_farewell_ends_only_the_persons_own_session(who: str, ada: Actor, bob: Actor) -> None:
    session_id = sessions.start(ada)
    cookie = sessions.redeem(sessions.ticket(session_id))
    said = {
        "the same person": sessions.farewell(ada),
        "somebody else": sessions.farewell(bob),
        "a forger": "\ud800",
        "nobody": None,
    }[who]
    mine = who == "the same person"
    assert sessions.leave(cookie, said) is mine
    assert (sessions.person(session_id) is None) is mine
    assert sessions.leave("garbage", None)

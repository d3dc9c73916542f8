"""One-time links: the first administrator's, an invitation, a lost password."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from core.database import engine
from core.database.models import Role
from core.database.ownership import Actor
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from core.identity import links, people, sessions, setup, signin, tokens
from core.tasks import removal
from tests.conftest import PASSWORD
from tests.core.identity.trail import NEW, SECOND, at_once, fails, link, sign_in, stored, token_of, told, verify

DEAD = "used up or too old"


def is_dead(token: str, now: datetime | None = None) -> bool:
    fails(InvalidInput, DEAD, links.set_password, token, NEW, now=now)
    return links.look(token, now=now) is None


@pytest.fixture
def cleo() -> Actor:
    """She is invited, and has no password yet."""
    return people.invite("cleo", "cleo@example.org", "Cleo", by=None)


def test_an_invitation_lets_its_person_choose_a_first_password(cleo: Actor, admin: Actor) -> None:
    address, lifetime = links.make(cleo.id, by=admin)
    assert address.startswith("http://localhost:8501/password?token=")
    assert lifetime == "7 days"
    token = address.partition("token=")[2]
    assert links.look(token) == links.Offer(cleo, is_invitation=True)
    assert verify("cleo", NEW) is None
    assert links.set_password(token, NEW) == cleo == verify("cleo", NEW)
    assert told("person.link", "password.set") == [
        ("person.link", "grace", "cleo", ""),
        ("password.set", "cleo", "cleo", "invitation"),
    ]


def test_a_reset_replaces_the_password_and_ends_sessions_and_tokens(ada: Actor, bob: Actor, data: Path) -> None:
    mine, theirs = sessions.start(ada), sessions.start(bob)
    token, kept = tokens.create(ada, "laptop"), tokens.create(bob, "laptop")
    first, reset, his = link(ada), link(ada), link(bob)
    assert links.look(reset) == links.Offer(ada, is_invitation=False)
    for weak in ("short", "ada@example.org", "password123"):  # which leaves the link open
        fails(InvalidInput, r"at least|must not be|guessed first", links.set_password, reset, weak)
    assert reset.encode() not in stored(data)
    assert links.set_password(reset, NEW) == ada
    assert reset.encode() not in stored(data) and reset not in repr(told()), "a link is kept nowhere"
    assert is_dead(first) and is_dead(reset) and links.look(his)
    assert (verify("ada", PASSWORD), verify("ada", NEW)) == (None, ada)
    assert (sessions.person(mine), sessions.person(theirs)) == (None, bob)
    assert tokens.person(token) is None and tokens.of(ada) == []
    assert tokens.person(kept)
    assert told("password.set") == [("password.set", "ada", "ada", "reset, tokens revoked: 1")]


@pytest.mark.parametrize(("invited", "lifetime"), [(True, timedelta(days=7)), (False, timedelta(hours=1))])
def test_a_link_dies_with_its_time(invited: bool, lifetime: timedelta, ada: Actor, cleo: Actor) -> None:
    token, made = link(cleo if invited else ada), engine.now()
    assert links.look(token, now=made + lifetime - 2 * SECOND)
    assert is_dead(token, made + lifetime + 2 * SECOND)


VOIDING: dict[str, Callable[[Actor], object]] = {
    "changed password": lambda ada: signin.change_password(ada, PASSWORD, "a third horse battery"),
    "sign-out everywhere": sessions.end_all,
    "disabled": lambda ada: people.set_active(ada.id, False, by=None),
    "another role": lambda ada: people.set_role(ada.id, Role.ADMIN, by=None),
    "deleted": lambda ada: removal.remove_person(ada.id, by=None),
}


@pytest.mark.attack(12)
@pytest.mark.parametrize("what", VOIDING)
def test_whatever_ends_a_persons_sessions_voids_their_links(what: str, ada: Actor) -> None:
    token = link(ada)
    VOIDING[what](ada)
    assert is_dead(token)
    if people.account("ada", by=None):
        people.set_active(ada.id, True, by=None)
        assert is_dead(token)
        assert links.look(link(ada))


def test_a_forged_link_or_another_signed_text_is_nobodys_and_makes_nobody(ada: Actor) -> None:
    ticket = sessions.ticket(sessions.start(ada))
    first_admin = setup._links().dumps("first admin")
    for other in (ticket, sessions.redeem(ticket), sessions.sign_out_token(ada), first_admin):
        assert is_dead(other)
    for other in (ticket, link(ada)):
        assert not setup.is_open(other) and sessions.read_cookie(other) is None
    removal.remove_person(ada.id, by=None)
    for forged in ("", "x", "a.b.c", "\ud800", "é.é.é", "x" * 10_000, "\0"):
        assert is_dead(forged) and not setup.is_open(forged), forged
        fails(InvalidInput, "no longer valid", setup.create_admin, forged, "eve", "eve@example.org", "Eve", PASSWORD)
    assert not people.exist()


def test_of_eight_that_use_a_link_at_once_one_sets_the_password(ada: Actor) -> None:
    token = link(ada)
    came = at_once(8, lambda turn: links.set_password(token, f"{NEW} {turn}"))
    winners = [turn for turn, each in enumerate(came) if each == ada]
    assert len(winners) == 1, came
    assert {type(each) for each in came} == {Actor, InvalidInput}
    assert (verify("ada", f"{NEW} {winners[0]}"), len(told("password.set"))) == (ada, 1)


def test_who_is_disabled_while_the_password_is_made_keeps_the_old(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    token = link(ada)
    real = links.passwords.hashed

    def hashed(password: str) -> str:
        people.set_active(ada.id, False, by=None)
        return real(password)

    monkeypatch.setattr(links.passwords, "hashed", hashed)
    fails(InvalidInput, DEAD, links.set_password, token, NEW)
    people.set_active(ada.id, True, by=None)
    assert (verify("ada", PASSWORD), told("password.set")) == (ada, [])


def test_only_those_who_manage_make_links_and_for_active_accounts(ada: Actor, bob: Actor, admin: Actor) -> None:
    fails(Forbidden, None, links.make, ada.id, by=bob)
    fails(NotFound, "no such account", links.make, uuid4(), by=admin)
    people.set_active(ada.id, False, by=None)
    fails(Conflict, "disabled", links.make, ada.id, by=admin)
    assert told("person.link") == []


@pytest.mark.attack(44)
def test_whoever_forgot_the_password_can_sign_in_with_the_new_one_at_once(ada: Actor) -> None:
    for _ in range(6):
        sign_in("ada", "which one was it")
    assert sign_in("ada", PASSWORD) is None
    links.set_password(link(ada), NEW)
    assert sign_in("ada", NEW) == ada


def test_the_setup_link_creates_the_first_admin_and_dies_with_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    address = setup.link()
    assert address and address.startswith("http://localhost:8501/setup?token=")
    given = token_of(address)
    fails(InvalidInput, "at least 10 characters", setup.create_admin, given, "ada", "ada@example.org", "Ada", "short")
    assert setup.is_open(given), "a mistake in the form leaves it open"
    with monkeypatch.context() as patch:
        patch.setattr(setup, "LIFETIME_SECONDS", -1)
        assert not setup.is_open(given)
    admin = setup.create_admin(given, "ada", "ada@example.org", "Ada", PASSWORD)
    assert (admin.role, verify("ada", PASSWORD)) == (Role.ADMIN, admin)
    assert (setup.is_open(given), setup.link()) == (False, None)
    fails(InvalidInput, "no longer valid", setup.create_admin, given, "eve", "eve@example.org", "Eve", PASSWORD)

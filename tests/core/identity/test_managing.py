"""Who manages people: administrators as they are now, and operators; and one of them is always left."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from core.database.models import Role, User
from core.database.ownership import Actor
from core.errors import Conflict, Forbidden, NotFound
from core.identity import audit, links, people, sessions, tokens
from core.tasks.removal import remove_person
from tests.conftest import PASSWORD
from tests.core.database.conforming import become
from tests.core.identity.trail import at_once, events, fails, told, verify
from tests.support.databases import unguarded

Act = Callable[[Actor, Actor], Any]

#: What an administrator (the second) may do with another person (the first), and nobody else.
ACTS: dict[str, Act] = {
    "add": lambda who, by: people.add("new", "new@example.org", "New", PASSWORD, by=by),
    "invite": lambda who, by: people.invite("new", "new@example.org", "New", by=by),
    "set_role": lambda who, by: people.set_role(who.id, Role.ADMIN, by=by),
    "disable": lambda who, by: people.set_active(who.id, False, by=by),
    "link": lambda who, by: links.make(who.id, by=by),
    "remove": lambda who, by: remove_person(who.id, by=by),
    "accounts": lambda who, by: people.accounts(by=by),
    "audit": lambda who, by: audit.page(by),
}


def snapshot() -> list[str]:
    with unguarded() as session:
        return sorted(map(repr, session.execute(select(User.__table__))))


@pytest.fixture
def other() -> Actor:
    """A second administrator."""
    return people.add("hopper", "hopper@example.org", "Hopper", PASSWORD, Role.ADMIN)


@pytest.mark.attack(13)
@pytest.mark.parametrize("way", ACTS)
def test_only_an_administrator_of_now_may_do_it(way: str, ada: Actor, bob: Actor, admin: Actor, other: Actor) -> None:
    become(other, Role.MEMBER)
    refused = [bob, other, Actor(uuid4(), "eve", "Eve", "eve@example.org", Role.ADMIN)]
    before, trail = snapshot(), told()
    for by in refused:
        fails(Forbidden, "Only administrators", ACTS[way], ada, by)
    become(other, Role.ADMIN, is_active=False)
    fails(Forbidden, None, ACTS[way], ada, other)
    become(other, Role.MEMBER)
    assert (snapshot(), told()) == (before, trail)
    ACTS[way](ada, admin)
    acts = {"accounts": 0, "audit": 0, "remove": 2}.get(way, 1)
    assert [event.actor for event in events()[len(trail) :]] == ["grace"] * acts


@pytest.mark.attack(13)
def test_another_role_signs_a_person_out_and_counts_from_the_next_sign_in(ada: Actor, bob: Actor, admin: Actor) -> None:
    mine, theirs, token = sessions.start(ada), sessions.start(bob), tokens.create(ada, "laptop")
    people.set_role(ada.id, Role.MEMBER, by=admin)  # nothing changes
    assert sessions.person(mine) == ada
    people.set_role(ada.id, Role.ANALYST, by=admin)
    assert (sessions.person(mine), sessions.person(theirs)) == (None, bob)
    found = sessions.person(sessions.start(ada))
    assert found and found.role is Role.ANALYST
    known = tokens.person(token)
    assert known and known.actor.role is Role.ANALYST
    assert told("person.role") == [("person.role", "grace", "ada", "member -> analyst")]
    people.add("new", "new@example.org", "New", PASSWORD, Role.ANALYST, by=admin)
    added = told("person.added")
    assert (added[0], added[-1]) == (("person.added", "", "ada", "member"), ("person.added", "grace", "new", "analyst"))


@pytest.mark.attack(11)
def test_who_is_disabled_is_out_at_once_and_back_only_by_a_new_sign_in(ada: Actor, bob: Actor, admin: Actor) -> None:
    mine, theirs, token = sessions.start(ada), sessions.start(bob), tokens.create(ada, "laptop")
    cookie = sessions.redeem(sessions.ticket(mine))
    people.set_active(ada.id, False, by=admin)
    people.set_active(ada.id, False, by=admin)  # nothing more
    assert (sessions.by_cookie(cookie), tokens.person(token), verify("ada", PASSWORD)) == (None, None, None)
    assert sessions.person(theirs) == bob
    people.set_active(ada.id, True, by=admin)
    assert sessions.by_cookie(cookie) is None
    assert verify("ada", PASSWORD) == ada
    assert told("person.disabled", "person.enabled") == [
        ("person.disabled", "grace", "ada", ""),
        ("person.enabled", "grace", "ada", ""),
    ]


LAST: dict[str, Act] = {
    "set_role": lambda who, by: people.set_role(who.id, Role.ANALYST, by=by),
    "disable": lambda who, by: people.set_active(who.id, False, by=by),
    "remove": lambda who, by: remove_person(who.id, by=by),
}


@pytest.mark.parametrize("way", LAST)
def test_the_last_administrator_stays_one_for_themselves_and_for_operators(way: str, admin: Actor, bob: Actor) -> None:
    session_id = sessions.start(admin)
    people.invite("cleo", "cleo@example.org", "Cleo", Role.ADMIN, by=admin)  # who cannot sign in yet
    out = people.add("out", "out@example.org", "Out", PASSWORD, Role.ADMIN)
    people.set_active(out.id, False, by=None)
    before, trail = snapshot(), told()
    for by in (admin, None):
        with pytest.raises(Conflict, match=r"no active administrator|their own account"):
            LAST[way](admin, by)  # type: ignore[arg-type]
    assert (snapshot(), told()) == (before, trail), "what was written down is rolled back with the act"
    assert sessions.person(session_id) == admin


@pytest.mark.parametrize("way", LAST)
def test_who_is_gone_is_not_found_and_an_operator_needs_no_administrator(way: str, ada: Actor, bob: Actor) -> None:
    gone = replace(bob, id=uuid4())
    with pytest.raises(NotFound, match="no such account"):
        LAST[way](gone, None)  # type: ignore[arg-type]
    LAST[way](ada, None)  # type: ignore[arg-type]
    assert people.account("bob", by=None)


@pytest.mark.parametrize("way", ["set_role", "disable"])
def test_of_administrators_who_are_put_out_at_once_one_stays(way: str, admin: Actor, other: Actor) -> None:
    pair = (admin, other)
    for _ in range(4):
        came = at_once(2, lambda turn: LAST[way](pair[1 - turn], pair[turn]))
        assert sorted(type(each) for each in came if each) == [Forbidden], came
        left = [one.actor for one in people.accounts(by=None) if one.is_active and one.actor.role is Role.ADMIN]
        assert len(left) == 1
        for each in pair:
            become(each, Role.ADMIN)
    more = [people.add(f"a{turn}", f"a{turn}@example.org", "A", PASSWORD, Role.ADMIN) for turn in range(2)]
    every = [*pair, *more]
    came = at_once(4, lambda turn: people.set_active(every[turn].id, False, by=None))
    assert sorted(isinstance(each, Conflict) for each in came) == [False] * 3 + [True], came

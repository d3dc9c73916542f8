import pytest
from sqlalchemy import update

from core.database.models import Channel, User
from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import audit, passwords, people, sessions, signin, throttle, tokens
from tests.conftest import PASSWORD
from tests.core.identity.trail import QUARTER, at_once, checks, events, sign_in, told, verify
from tests.core.living import Wall
from tests.support.databases import unguarded

WRONG = "not the password"
NEW = "another horse battery"
INJECTION = "' or 1=1 --"


def change(actor: Actor, **values: object) -> None:
    with unguarded() as session:
        session.execute(update(User).where(User.id == actor.id).values(**values))


def fail(username: str, times: int = 5) -> None:
    for _ in range(times):
        assert sign_in(username, WRONG) is None


def test_the_right_password_begins_a_session_of_this_person(ada: Actor, bob: Actor) -> None:
    audit.set_origin(Channel.UI, "203.0.113.7")
    begun = signin.start(" ADA ", PASSWORD, browser="Firefox")
    assert begun
    assert (begun[0], sessions.person(begun[1]), sessions.opened(bob)) == (ada, ada, [])
    (mine,) = sessions.opened(ada)
    assert (mine.id, mine.browser, mine.address) == (begun[1], "Firefox", "203.0.113.7")
    assert told()[-1] == ("session.started", "ada", "ada", "password")
    assert signin.start("ada", WRONG) is None
    assert sign_in("bob", PASSWORD) == bob


@pytest.mark.attack(53)
@pytest.mark.parametrize("typed", [INJECTION, "ada' --", "ada\0", "\ud800", "%", "_", "x" * 10_000, "*", ""])
def test_whatever_is_typed_is_a_plain_failure(typed: str, ada: Actor) -> None:
    assert sign_in(typed, PASSWORD) is None
    assert sign_in("ada", typed) is None
    assert sign_in(typed, typed) is None
    assert sign_in("ada", PASSWORD) == ada


@pytest.mark.attack(44)
@pytest.mark.parametrize("name", ["bob", "nobody", "disabled"])
def test_after_five_failures_not_even_the_right_password_opens_for_a_quarter_of_an_hour(
    name: str, ada: Actor, bob: Actor, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    disabled = people.add("disabled", "d@example.org", "D", PASSWORD)
    people.set_active(disabled.id, False, by=None)
    costs = checks(monkeypatch)
    fail(name.upper())
    assert [kind for kind, *_ in told("session.refused", "session.locked")] == ["session.refused"] * 4 + [
        "session.locked"
    ]
    for _ in range(3):
        assert sign_in(name, PASSWORD) is None
    assert len(costs) == 5, "a locked name is not looked at"
    assert len(events("session.refused", "session.locked")) == 5, "nor told again"
    assert sign_in("ada", PASSWORD) == ada, "another name goes on"
    wall.offset = QUARTER
    assert sign_in(name, PASSWORD) == (bob if name == "bob" else None)
    assert len(costs) == 7


def test_a_success_after_four_failures_begins_to_count_anew(ada: Actor) -> None:
    for _ in range(3):
        fail("ada", 4)
        assert sign_in("ada", PASSWORD) == ada


@pytest.mark.attack(45)
def test_of_thirty_guesses_at_once_at_most_five_are_looked_at(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = checks(monkeypatch)
    assert at_once(30, lambda turn: sign_in("ada", f"the guess {turn}")) == [None] * 30
    assert len(costs) == 5
    assert [kind for kind, *_ in told("session.refused", "session.locked")].count("session.locked") == 1


@pytest.mark.attack(45)
def test_the_right_one_among_thirty_guesses_at_once_opens_only_if_it_is_one_of_the_five(
    ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = checks(monkeypatch)
    came = at_once(30, lambda turn: sign_in("ada", PASSWORD if turn == 29 else f"the guess {turn}"))
    assert set(came) <= {None, ada}
    assert len(costs) <= 10, "a success forgets the failures before it, once"


@pytest.mark.attack(46)
def test_fifty_names_from_one_address_lock_the_address_and_no_other(
    ada: Actor, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit.set_origin(Channel.UI, "203.0.113.7")
    for turn in range(50):
        assert sign_in(f"name{turn}", WRONG) is None
    assert told()[-1] == ("session.locked", "", "", "unknown name, this address")
    costs = checks(monkeypatch)
    assert sign_in("ada", PASSWORD) is None
    assert costs == []
    audit.set_origin(Channel.UI, "203.0.113.8")
    assert sign_in("ada", PASSWORD) == ada
    audit.set_origin(Channel.UI, "203.0.113.7")
    wall.offset = QUARTER
    assert sign_in("ada", PASSWORD) == ada


@pytest.mark.attack(46)
def test_all_addresses_of_one_ipv6_network_count_as_one(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESS_TRIES", 3)
    for turn in range(3):
        audit.set_origin(Channel.UI, f"2001:db8:1:2:{turn}::7")
        assert sign_in(f"name{turn}", WRONG) is None
    audit.set_origin(Channel.UI, "2001:db8:1:2:ffff::1")
    assert sign_in("ada", PASSWORD) is None
    for free in ("2001:db8:1:3::1", "203.0.113.7", None, "not an address"):
        audit.set_origin(Channel.UI, free)
        assert sign_in("ada", PASSWORD) == ada


@pytest.mark.attack(46)
def test_addresses_of_ipv4_that_are_written_as_ones_of_ipv6_count_apart(
    ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "ADDRESS_TRIES", 2)
    for turn, address in enumerate(("::ffff:203.0.113.9", "203.0.113.9")):
        audit.set_origin(Channel.UI, address)
        assert sign_in(f"name{turn}", WRONG) is None
    assert sign_in("ada", PASSWORD) is None
    audit.set_origin(Channel.UI, "::ffff:198.51.100.7")
    assert sign_in("ada", PASSWORD) == ada


def test_whoever_signs_in_often_locks_no_address(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESS_TRIES", 3)
    for _ in range(5):
        assert sign_in("ada", PASSWORD) == ada


@pytest.mark.attack(49)
def test_whoever_locks_a_name_ends_neither_its_persons_sessions_nor_their_tokens(ada: Actor, ada_token: str) -> None:
    session_id = sessions.start(ada)
    fail("ada", 6)
    assert sign_in("ada", PASSWORD) is None
    assert sessions.person(session_id) == ada
    assert tokens.person(ada_token)
    signin.change_password(ada, PASSWORD, NEW)  # its own count


def test_a_changed_password_is_the_only_one_that_opens_and_ends_every_session_but_no_token(
    ada: Actor, bob: Actor, ada_token: str
) -> None:
    mine, theirs = sessions.start(ada), sessions.start(bob)
    signin.change_password(ada, PASSWORD, NEW)
    assert (verify("ada", PASSWORD), verify("ada", NEW)) == (None, ada)
    assert (sessions.person(mine), sessions.person(theirs)) == (None, bob)
    assert verify("bob", PASSWORD) == bob
    assert tokens.person(ada_token)
    assert told("password.changed") == [("password.changed", "ada", "ada", "")]


@pytest.mark.parametrize(
    ("current", "new", "words"),
    [
        (WRONG, NEW, "Your current password is not right"),
        (PASSWORD, "short", "at least 10 characters"),
        (PASSWORD, PASSWORD, "is the current one"),
        (PASSWORD, "ada@example.org", "must not be your username"),
    ],
)
def test_a_change_that_cannot_be_made_leaves_everything_as_it_was(
    current: str, new: str, words: str, ada: Actor
) -> None:
    session_id = sessions.start(ada)
    with pytest.raises(InvalidInput, match=words):
        signin.change_password(ada, current, new)
    assert (verify("ada", PASSWORD), sessions.person(session_id)) == (ada, ada)
    assert events("password.changed") == []


@pytest.mark.attack(48)
def test_guesses_of_the_current_password_are_locked_after_five_for_this_person_alone(
    ada: Actor, bob: Actor, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = checks(monkeypatch)
    for _ in range(5):
        with pytest.raises(InvalidInput, match="Your current password is not right"):
            signin.change_password(ada, WRONG, NEW)
    with pytest.raises(InvalidInput, match="Your current password is not right"):
        signin.change_password(ada, PASSWORD, NEW)
    assert len(costs) == 5
    assert told("session.refused", "session.locked")[-1] == ("session.locked", "", "ada", "current password")
    signin.change_password(bob, PASSWORD, NEW)
    assert sign_in("ada", PASSWORD) == ada, "the sign-in has its own count"
    wall.offset = QUARTER
    signin.change_password(ada, PASSWORD, NEW)


def test_a_weak_new_password_costs_no_try(ada: Actor) -> None:
    for _ in range(6):
        with pytest.raises(InvalidInput, match="at least 10"):
            signin.change_password(ada, PASSWORD, "short")
    signin.change_password(ada, PASSWORD, NEW)


@pytest.mark.attack(47)
def test_every_way_to_fail_looks_at_one_password_of_the_same_cost_or_waits_as_long(
    ada: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.set_active(bob.id, False, by=None)
    people.invite("cleo", "cleo@example.org", "Cleo", by=None)
    costs = checks(monkeypatch)
    waited: list[float] = []
    monkeypatch.setattr(passwords.time, "sleep", waited.append)
    for username, password in (
        ("ada", WRONG),
        ("ada", ""),
        ("ada", "x" * 100),
        ("ada", "\ud800"),
        ("nobody", WRONG),
        ("", ""),
        ("bob", PASSWORD),
        ("bob", WRONG),
        ("cleo", "!"),
    ):
        costs.clear()
        assert sign_in(username, password) is None
        assert (costs, waited) == ([b"04"], [])
    fail("ada", 1)
    costs.clear()
    assert sign_in("ada", PASSWORD) is None
    assert (costs, waited) == ([], [passwords._usual_seconds])

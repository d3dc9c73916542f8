"""Sign-in by password and the change of one's own, also at the same moment as something else."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from core.database.models import Channel
from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import audit, links, passwords, people, sessions, signin, tokens
from tests.conftest import PASSWORD
from tests.core.identity.trail import NEW, QUARTER, at_once, checks, events, fails, link, sign_in, told, verify
from tests.core.living import Wall
from tests.support.waiting import eventually

WRONG = "not the password"


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
    assert signin.start("ada", WRONG) is sign_in("somebody else", WRONG) is None
    assert told()[-2:] == [("session.refused", "", "ada", ""), ("session.refused", "", "", "unknown name")]
    assert {(event.way, event.address) for event in events()[-3:]} == {(Channel.UI, "203.0.113.7")}
    assert sign_in("bob", PASSWORD) == bob


@pytest.mark.attack(53)
@pytest.mark.parametrize("typed", ["' or 1=1 --", "ada' --", "ada\0", "\ud800", "%", "_", "x" * 10_000, "*", ""])
def test_whatever_is_typed_is_a_plain_failure(typed: str, ada: Actor) -> None:
    assert sign_in(typed, PASSWORD) is None
    assert sign_in("ada", typed) is None
    assert sign_in(typed, typed) is None
    assert sign_in("ada", PASSWORD) == ada


@pytest.mark.attack(44)
@pytest.mark.parametrize("name", ["bob", "nobody", "disabled"])
def test_after_five_failures_not_even_the_right_password_opens_for_a_quarter_of_an_hour(
    name: str, ada: Actor, bob: Actor, wall: Wall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disabled = people.add("disabled", "d@example.org", "D", PASSWORD)
    people.set_active(disabled.id, False, by=None)
    costs = checks(monkeypatch)
    fail(name.upper())
    kinds = [kind for kind, *_ in told("session.refused", "session.locked")]
    assert kinds == ["session.refused"] * 4 + ["session.locked"]
    for _ in range(3):
        assert sign_in(name, PASSWORD) is None
    assert len(costs) == 5, "a locked name is not looked at"
    assert len(events("session.refused", "session.locked")) == 5, "nor told again"
    lines = [record.getMessage() for record in caplog.records if record.name == "core.identity.signin"]
    assert [line.endswith("was refused; it is locked for 15 minutes") for line in lines[:5]] == [False] * 4 + [True]
    assert lines[5:] == ["a sign-in from this machine was refused: locked"] * 3
    assert not any(re.search(rf"\b{name}\b", line) for line in lines)
    assert sign_in("ada", PASSWORD) == ada, "another name goes on"
    wall.offset = QUARTER
    assert sign_in(name, PASSWORD) == (bob if name == "bob" else None)
    assert len(costs) == 7


@pytest.mark.attack(45)
@pytest.mark.parametrize("last", ["the last guess", PASSWORD])
def test_of_thirty_guesses_at_once_ten_are_looked_at(last: str, ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = checks(monkeypatch)
    came = at_once(30, lambda turn: sign_in("ada", last if turn == 29 else f"the guess {turn}"))
    assert set(came) <= {None, ada} and len(costs) <= 10
    if last != PASSWORD:
        assert (set(came), len(costs)) == ({None}, 5)
        assert [kind for kind, *_ in told("session.refused", "session.locked")].count("session.locked") == 1


@pytest.mark.attack(46)
def test_fifty_names_from_one_address_lock_it_alone(ada: Actor, wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.attack(49)
def test_whoever_locks_a_name_ends_neither_its_persons_sessions_nor_their_tokens(ada: Actor, ada_token: str) -> None:
    session_id = sessions.start(ada)
    fail("ada", 4)
    assert sign_in("ada", PASSWORD) == ada, "who begins to count anew"
    fail("ada", 6)
    assert sign_in("ada", PASSWORD) is None
    assert sessions.person(session_id) == ada
    assert tokens.person(ada_token)
    signin.change_password(ada, PASSWORD, NEW)  # its own count


def test_a_changed_password_alone_opens_and_ends_sessions_but_no_token(ada: Actor, bob: Actor, ada_token: str) -> None:
    mine, theirs = sessions.start(ada), sessions.start(bob)
    signin.change_password(ada, PASSWORD, NEW)
    assert (verify("ada", PASSWORD), verify("ada", NEW)) == (None, ada)
    assert (sessions.person(mine), sessions.person(theirs)) == (None, bob)
    assert verify("bob", PASSWORD) == bob
    assert tokens.person(ada_token)
    assert told("password.changed") == [("password.changed", "ada", "ada", "")]


@pytest.mark.parametrize(("current", "new", "words"), [
    (WRONG, NEW, "Your current password is not right"), (PASSWORD, "short", "at least 10 characters"),
    (PASSWORD, PASSWORD, "is the current one"), (PASSWORD, "ada@example.org", "must not be your username"),
])  # fmt: skip
def test_a_change_that_cannot_be_made_leaves_all_as_it_was(current: str, new: str, words: str, ada: Actor) -> None:
    session_id = sessions.start(ada)
    for _ in range(1 if current == WRONG else 6):  # what is wrong with the new one costs no try
        fails(InvalidInput, words, signin.change_password, ada, current, new)
    assert (verify("ada", PASSWORD), sessions.person(session_id)) == (ada, ada)
    assert events("password.changed") == []
    signin.change_password(ada, PASSWORD, NEW)


@pytest.mark.attack(48)
def test_guesses_of_the_current_one_lock_it(
    ada: Actor, bob: Actor, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = checks(monkeypatch)
    for _ in range(5):
        fails(InvalidInput, "Your current password is not right", signin.change_password, ada, WRONG, NEW)
    fails(InvalidInput, "Your current password is not right", signin.change_password, ada, PASSWORD, NEW)
    assert len(costs) == 5
    assert told("session.refused", "session.locked")[-1] == ("session.locked", "", "ada", "current password")
    signin.change_password(bob, PASSWORD, NEW)
    assert sign_in("ada", PASSWORD) == ada, "the sign-in has its own count"
    wall.offset = QUARTER
    signin.change_password(ada, PASSWORD, NEW)


@pytest.mark.attack(47)
def test_every_way_to_fail_costs_one_look_or_its_time(ada: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    people.set_active(bob.id, False, by=None)
    people.invite("cleo", "cleo@example.org", "Cleo", by=None)
    costs = checks(monkeypatch)
    waited: list[float] = []
    monkeypatch.setattr(passwords.time, "sleep", waited.append)
    for username, password in (
        *(("ada", WRONG), ("ada", ""), ("ada", "x" * 100), ("ada", "\ud800"), ("nobody", WRONG), ("", "")),
        *(("bob", PASSWORD), ("bob", WRONG), ("cleo", "!")),
    ):
        costs.clear()
        assert sign_in(username, password) is None
        assert (costs, waited) == ([b"04"], [])
    fail("ada", 1)
    costs.clear()
    assert sign_in("ada", PASSWORD) is None
    assert (costs, waited) == ([], [passwords._usual_seconds])


Act = Callable[[Actor, str], object]

#: What may happen between the look at a password and what follows from it.
MEANWHILE: dict[str, Act] = {
    "changed": lambda ada, reset: signin.change_password(ada, PASSWORD, NEW),
    "disabled": lambda ada, reset: people.set_active(ada.id, False, by=None),
    "reset": lambda ada, reset: links.set_password(reset, NEW),
}


@pytest.mark.attack(10, 11)
@pytest.mark.parametrize("what", MEANWHILE)
def test_what_happens_during_the_look_counts(what: str, ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    real = passwords.matches

    def matches(*arguments: str) -> bool:
        found = real(*arguments)
        monkeypatch.setattr(passwords, "matches", real)
        MEANWHILE[what](ada, link(ada))
        return found

    monkeypatch.setattr(passwords, "matches", matches)
    if what == "reset":
        fails(InvalidInput, "changed in the meantime", signin.change_password, ada, PASSWORD, "a third horse battery")
        assert [kind for kind, *_ in told("password.changed", "password.set")] == ["password.set"]
    else:
        assert signin.start("ada", PASSWORD) is None
    people.set_active(ada.id, True, by=None)
    assert (sessions.opened(ada), sign_in("ada", PASSWORD if what == "disabled" else NEW)) == ([], ada)


def test_of_eight_changes_with_the_same_password_at_once_one_is_made(ada: Actor) -> None:
    came = at_once(8, lambda turn: signin.change_password(ada, PASSWORD, f"{NEW} {turn}"))
    made = [turn for turn, each in enumerate(came) if each is None]
    assert len(made) == 1
    assert all(isinstance(each, InvalidInput) for each in came if each is not None)
    assert (verify("ada", f"{NEW} {made[0]}"), len(told("password.changed"))) == (ada, 1)


@pytest.mark.attack(10)
def test_whoever_signs_in_again_and_again_while_the_password_is_changed_is_out_afterwards(ada: Actor) -> None:
    begun: list[Any] = []

    def act(turn: int) -> None:
        if turn:
            while session := signin.start("ada", PASSWORD):
                begun.append(session[1])
        else:
            eventually(lambda: len(begun) > 5)
            signin.change_password(ada, PASSWORD, NEW)

    assert (at_once(4, act), {sessions.person(session_id) for session_id in begun}) == ([None] * 4, {None})

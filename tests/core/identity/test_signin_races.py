"""What happens while a password is being looked at; and how long that takes."""

import statistics
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import links, passwords, people, sessions, signin
from tests.conftest import PASSWORD
from tests.core.identity.trail import at_once, sign_in, told, verify
from tests.support.waiting import eventually

NEW = "another horse battery"
OTHER = "a third horse battery"


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Let something happen once between the look at a password and what follows from it."""

    def arrange(act: Callable[[], Any]) -> None:
        real = passwords.matches

        def matches(*arguments: str) -> bool:
            found = real(*arguments)
            monkeypatch.setattr(passwords, "matches", real)
            act()
            return found

        monkeypatch.setattr(passwords, "matches", matches)

    return arrange


@pytest.mark.attack(10)
def test_a_password_that_is_changed_while_it_is_looked_at_begins_no_session(
    ada: Actor, meanwhile: Callable[..., None]
) -> None:
    meanwhile(lambda: signin.change_password(ada, PASSWORD, NEW))
    assert signin.start("ada", PASSWORD) is None
    assert sessions.opened(ada) == []
    begun = signin.start("ada", NEW)
    assert begun and sessions.person(begun[1]) == ada


@pytest.mark.attack(11)
def test_an_account_that_is_disabled_while_its_password_is_looked_at_begins_no_session(
    ada: Actor, meanwhile: Callable[..., None]
) -> None:
    meanwhile(lambda: people.set_active(ada.id, False, by=None))
    assert signin.start("ada", PASSWORD) is None
    people.set_active(ada.id, True, by=None)
    assert sessions.opened(ada) == []


def test_a_reset_that_comes_between_is_not_overwritten_by_a_change_with_the_old_password(
    ada: Actor, meanwhile: Callable[..., None]
) -> None:
    token = parse_qs(urlsplit(links.make(ada.id, by=None)[0]).query)["token"][0]
    meanwhile(lambda: links.set_password(token, NEW))
    with pytest.raises(InvalidInput, match="changed in the meantime"):
        signin.change_password(ada, PASSWORD, OTHER)
    assert (verify("ada", NEW), verify("ada", OTHER)) == (ada, None)
    assert [kind for kind, *_ in told("password.changed", "password.set")] == ["password.set"]


def test_of_eight_changes_with_the_same_password_at_once_one_is_made(ada: Actor) -> None:
    came = at_once(8, lambda turn: signin.change_password(ada, PASSWORD, f"{NEW} {turn}"))
    made = [turn for turn, each in enumerate(came) if each is None]
    assert len(made) == 1
    assert all(isinstance(each, InvalidInput) for each in came if each is not None)
    assert verify("ada", f"{NEW} {made[0]}") == ada
    assert len(told("password.changed")) == 1


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

    assert at_once(4, act) == [None] * 4
    assert {sessions.person(session_id) for session_id in begun} == {None}


@pytest.mark.attack(47)
def test_every_way_to_fail_takes_as_long(ada: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """In time of the processor, which other programs do not lengthen; to wait takes none, and is read off."""
    monkeypatch.setattr(passwords, "ROUNDS", 9)  # about 30 ms
    for person in (ada, bob):
        people.add(f"{person.username}2", f"2{person.email}", "A", PASSWORD)
    disabled = people.find("bob2")
    assert disabled
    people.set_active(disabled.id, False, by=None)
    monkeypatch.setattr("core.identity.throttle.NAME_TRIES", 1_000)
    took: dict[str, list[float]] = {"ada2": [], "bob2": [], "nobody": [], "locked": []}
    monkeypatch.setattr(passwords.time, "sleep", took["locked"].append)
    sign_in("nobody", NEW)
    for _ in range(11):
        for username in ("ada2", "bob2", "nobody"):
            start = time.thread_time()
            assert sign_in(username, NEW) is None
            took[username].append(time.thread_time() - start)
        passwords.constant_time_delay()
    medians = {name: statistics.median(found) for name, found in took.items()}
    locked = medians.pop("locked")
    assert max(medians.values()) < 1.15 * min(medians.values()), medians
    assert locked > 0.015

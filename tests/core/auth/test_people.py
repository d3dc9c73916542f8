from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from core.auth import people
from core.errors import InvalidInput
from core.models import Role, User
from core.ownership import Actor
from tests.databases import unguarded

PASSWORD = "correct horse battery"


def stored() -> list[User]:
    with unguarded() as session:
        return list(session.scalars(select(User)))


def disable(actor: Actor) -> None:
    with unguarded() as session:
        session.execute(update(User).where(User.id == actor.id).values(is_active=False))


def test_an_account_is_stored_folded_and_without_its_password() -> None:
    actor = people.add("  ＡDA.L ", "Ada@Example.ORG", " Ada Lovelace ", PASSWORD, Role.ANALYST)
    (user,) = stored()
    assert (user.username, user.email, user.name) == ("ada.l", "ada@example.org", "Ada Lovelace")
    assert (user.id, user.role, user.is_active) == (actor.id, Role.ANALYST, True)
    assert user.password_hash.startswith("$2b$04$")
    assert people.add("bob", "bob@example.org", "Bob", PASSWORD).role is Role.MEMBER


@pytest.mark.parametrize("username", ["", " ", "a b", ".ada", "-ada", "ada/..", "a" * 51, "ädä", "a\nb", "<b>", "a\0"])
def test_a_malformed_username_is_refused(username: str) -> None:
    with pytest.raises(InvalidInput, match="username has 1 to 50"):
        people.add(username, "a@example.org", "A", PASSWORD)
    assert stored() == []


@pytest.mark.parametrize(
    "email", ["", "ada", "@example.org", "ada@", "ada@example", "a b@example.org", "<a@b.org>", "a@b@c.org", "a@b.c"]
)
def test_a_malformed_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidInput, match="not an e-mail address"):
        people.add("ada", email, "A", PASSWORD)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "\u202eada", "a\0"])
def test_an_unusable_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="A name has 1 to 100"):
        people.add("ada", "ada@example.org", name, PASSWORD)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("123456789", "at least 10 characters"),
        ("", "at least 10"),
        ("x" * 73, "at most 72 bytes"),
        ("ä" * 37, "at most 72 bytes"),
        (" padded password", "neither starts nor ends"),
        ("Ada.Lovelace", "must not be your username"),
        ("ADA@example.org", "must not be your username or e-mail"),
        ("half a \ud800 character", "cannot be stored"),
    ],
)
def test_a_weak_password_is_refused_without_repeating_it(password: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        people.add("ada.lovelace", "ada@example.org", "Ada", password)
    assert not password or password not in caught.value.message
    assert stored() == []


@pytest.mark.parametrize("password", ["x" * 10, "x" * 72, "ä" * 36, "with\0nul and more"])
def test_a_password_counts_to_its_last_character(password: str) -> None:
    people.add("ada", "ada@example.org", "Ada", password)
    assert people.verify("ada", password)
    assert people.verify("ada", password[:-1] + "y") is None
    assert people.verify("ada", password[:-1]) is None


@pytest.mark.parametrize(("username", "email"), [("ADA", "other@example.org"), ("other", "ADA@example.org")])
def test_a_taken_username_or_address_is_refused(username: str, email: str, ada: Actor) -> None:
    with pytest.raises(InvalidInput, match="already in use"):
        people.add(username, email, "Other", PASSWORD)
    assert len(stored()) == 1


def test_the_same_account_made_eight_times_at_once_is_made_once() -> None:
    def add(_: int) -> bool:
        try:
            return bool(people.add("ada", "ada@example.org", "Ada", PASSWORD))
        except InvalidInput:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(add, range(8))) == [False] * 7 + [True]


def test_there_is_one_first_account_and_it_is_an_admin() -> None:
    def add(number: int) -> Actor | None:
        try:
            return people.add_first(f"user{number}", f"user{number}@example.org", "First", PASSWORD)
        except InvalidInput as error:
            assert "already set up" in error.message
            return None

    assert not people.exist()
    with ThreadPoolExecutor(4) as pool:
        made = [actor for actor in pool.map(add, range(4)) if actor]
    assert [actor.role for actor in made] == [Role.ADMIN]
    assert people.exist()


def test_verify_knows_the_right_password_of_an_active_account_alone(ada: Actor, bob: Actor) -> None:
    assert people.verify(" ADA", PASSWORD) == ada
    disable(bob)
    for username, password in (
        ("ada", PASSWORD.upper()),
        ("ada", ""),
        ("ada", PASSWORD + "\udc80"),
        ("ada", PASSWORD + "x" * 100),
        ("ada@example.org", PASSWORD),
        ("bob", PASSWORD),
        ("nobody", PASSWORD),
        ("nobody", "nobody"),
        ("", ""),
    ):
        assert people.verify(username, password) is None


def test_a_row_without_a_usable_hash_opens_for_no_password(ada: Actor) -> None:
    with unguarded() as session:
        session.execute(update(User).values(password_hash="!"))
    assert people.verify("ada", "!") is None


def test_find_and_everyone_tell_active_from_disabled(ada: Actor, bob: Actor) -> None:
    disable(bob)
    assert (people.find("Ada "), people.find("bob"), people.find("nobody")) == (ada, None, None)
    assert people.everyone() == [(ada, True), (bob, False)]

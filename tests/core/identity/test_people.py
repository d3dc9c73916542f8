import pytest

from core.database import engine
from core.database.models import Role, User
from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import people, sessions
from tests.conftest import PASSWORD
from tests.core.identity.trail import at_once, change, fails, rows_of, told, verify


def test_an_account_is_stored_folded_and_without_its_password() -> None:
    actor = people.add("  ＡDA.L ", "Ada@Example.ORG", " Ada Lovelace ", PASSWORD, Role.ANALYST)
    (user,) = rows_of(User)
    assert (user.username, user.email, user.name) == ("ada.l", "ada@example.org", "Ada Lovelace")
    assert (user.id, user.role, user.is_active) == (actor.id, Role.ANALYST, True)
    assert user.password_hash.startswith("$2b$04$")
    assert people.add("bob", "bob@example.org", "Bob", PASSWORD).role is Role.MEMBER


@pytest.mark.attack(55)
@pytest.mark.parametrize(("field", "words", "values"), [
    ("username", "username has 1 to 50",
     ["", " ", "a b", ".ada", "-ada", "ada/..", "a" * 51, "ädä", "a\nb", "<b>", "a\0"]),
    ("email", "not an e-mail address",
     ["", "ada", "@example.org", "ada@", "ada@example", "a b@example.org", "<a@b.org>", "a@b@c.org", "a@b.c",
      "a\n@example.org", "a@example.org\nBcc: b@example.org", "a\0@b.org", "a\x01@b.org", "a\u202e@b.org",
      "a\ud800@b.org", "x" * 65 + "@b.org", "a@" + "x" * 300 + ".org", "a" * 10_000]),
    ("email", "if that is the same mailbox", ["Straße@example.org", "ａda@example.org", "ada@ｅxample.org"]),
    ("name", "A name has 1 to 100", ["", "  ", "x" * 101, "x" * 10_000, "a\nb", "\u202eada", "a\0", "\ud800"]),
    ("password", r"at least 10|must not be", ["short", "ada@example.org"]),
])  # fmt: skip
def test_a_malformed_name_or_address_or_a_weak_password_makes_none(field: str, words: str, values: list[str]) -> None:
    good = {"username": "ada", "email": "ada@example.org", "name": "Ada", "password": PASSWORD}
    for value in values:
        fails(InvalidInput, words, people.add, **good | {field: value})
    assert rows_of(User) == []
    people.add(**good | {"email": "müller@example.org"})


@pytest.mark.attack(54)
@pytest.mark.parametrize(("username", "email"), [("ADA", "other@example.org"), ("other", "ADA@example.org")])
def test_a_taken_username_or_address_is_refused(username: str, email: str, ada: Actor) -> None:
    fails(InvalidInput, "already in use", people.add, username, email, "Other", PASSWORD)
    assert len(rows_of(User)) == 1


@pytest.mark.attack(54)
@pytest.mark.parametrize("same", ["both", "username", "address"])
def test_the_same_account_made_eight_times_at_once_is_made_once(same: str) -> None:
    def add(turn: int) -> Actor:
        username = f"ada{turn}" if same == "address" else "aDa" if turn % 2 else "ada"
        email = f"ada{turn}@example.org" if same == "username" else "Ada@example.org" if turn % 2 else "ada@example.org"
        return people.add(username, email, "Ada", PASSWORD)

    came = at_once(8, add)
    refused = [str(each) for each in came if isinstance(each, InvalidInput)]
    assert refused == ["That username or e-mail address is already in use."] * 7, came
    assert len(rows_of(User)) == len(told("person.added")) == 1


def test_there_is_one_first_account_and_it_is_an_admin() -> None:
    def add(number: int) -> Actor | None:
        try:
            return people.add_first(f"user{number}", f"user{number}@example.org", "First", PASSWORD)
        except InvalidInput as error:
            assert "already set up" in error.message
            return None

    assert not people.exist()
    made = [actor for actor in at_once(4, add) if actor]
    assert [actor.role for actor in made] == [Role.ADMIN]
    assert people.exist()
    assert told() == [("person.added", made[0].username, made[0].username, "by the setup link")]


def test_verify_knows_the_right_password_of_an_active_account_alone(ada: Actor, bob: Actor) -> None:
    assert verify(" ADA", PASSWORD) == ada
    change(User, User.id == bob.id, is_active=False)
    for password in (PASSWORD.upper(), "", PASSWORD + "\udc80", PASSWORD + "x" * 100):
        assert verify("ada", password) is None
    for username in ("ada@example.org", "bob", "nobody", ""):
        assert verify(username, PASSWORD) is verify(username, username) is None


@pytest.mark.attack(50)
def test_a_name_is_the_same_account_however_it_is_typed_and_no_other_script_is(ada: Actor) -> None:
    for typed in (" ADA ", "ａｄａ", "Ada\n", "\u2003aDa\u3000", "𝐚𝐝𝐚"):
        assert verify(typed, PASSWORD) == ada
        fails(InvalidInput, "already in use", people.add, typed, "other@example.org", "Other", PASSWORD)
    for typed in ("аda", "αda", "ad\u0430", "ada\u200b", "a\u0301da", "ada\0", "ada\udc80"):
        assert verify(typed, PASSWORD) is None
        fails(InvalidInput, "username has 1 to 50", people.add, typed, "other@example.org", "Other", PASSWORD)


@pytest.mark.attack(53, 55)
@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "**Ada** [x](javascript:y)", "' or 1=1 --", "%s {x}"])
def test_a_name_with_signs_is_kept_as_it_was_typed(name: str, ada: Actor) -> None:
    assert people.add("eve", "eve@example.org", name, PASSWORD).name == name
    assert [one.actor.name for one in people.accounts(by=None)] == ["Ada", name]


def test_accounts_tell_who_is_active_disabled_invited_and_seen(ada: Actor, bob: Actor, admin: Actor) -> None:
    change(User, User.id == bob.id, is_active=False)
    cleo = people.invite("cleo", "cleo@example.org", "Cleo", Role.ANALYST, by=admin)
    assert [people.find(name) for name in ("Ada ", "bob", "cleo", "nobody", "ad\0a")] == [ada, None, cleo, None, None]
    sessions.start(ada)
    seen = engine.now()
    sessions.end(sessions.start(ada))
    found = people.accounts(by=admin)
    assert [one.actor for one in found] == [ada, bob, cleo, admin]
    assert [one.is_active for one in found] == [True, False, True, True]
    assert [one.is_invited for one in found] == [False, False, True, False]
    assert [one.last_seen_at is not None and one.last_seen_at >= seen for one in found] == [True] + [False] * 3
    assert [people.account(one.actor.username, by=None) for one in found][1:] == found[1:]
    assert told("person.invited") == [("person.invited", "grace", "cleo", "analyst")]

import time

import bcrypt
import pytest
from sqlalchemy.exc import IntegrityError

from core.database.models import User
from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import passwords, people
from tests.conftest import PASSWORD
from tests.core.identity.trail import at_once, change, checks, fails, rows_of, verify

#: What is no hash of bcrypt's: nothing, other kinds, plain text, and hashes of which something is missing or changed.
UNUSABLE = [
    *("", "!", PASSWORD, "x" * 60, "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b27nA"),
    *("5f4dcc3b5aa765d61d8327deb882cf99", "$2b$04$short", "$2x$04$" + "." * 53, "$2b$99$" + "." * 53),
    *("$2b$03$" + "." * 53, "$2b$04$" + "é" * 53, "$2b$04$" + "z" * 53),
]


def keep(kept: str) -> None:
    change(User, password_hash=kept)


def kept() -> str:
    return str(rows_of(User)[0].password_hash)


@pytest.mark.attack(51)
@pytest.mark.parametrize(
    ("words", "given"),
    {
        "at least 10 characters": ["123456789", ""],
        "at most 72 bytes": ["x" * 73, "é" * 40, "xyz" * 2**19],
        "neither starts nor ends": [" padded password", "padded password\u2003", " " * 20],
        "must not be your username or e-mail": ["Ada.Lovelace", "ADA@example.org"],
        "cannot be stored": ["half a \ud800 character", "with\0nul and more"],
        "guessed first": ["password123", "PassWord1234", "xyxyxyxyxyxyxy"],
    }.items(),
)
def test_a_weak_password_is_refused_without_repeating_it(words: str, given: list[str]) -> None:
    for password in given:
        with pytest.raises(InvalidInput, match=words) as caught:
            passwords.check(password, "ada.lovelace", "ada@example.org")
        assert not password or password not in caught.value.message


def test_every_common_password_would_otherwise_be_good_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    common = passwords._COMMON.split()
    assert len(common) == len(set(common)) > 40
    monkeypatch.setattr(passwords, "_COMMON", "")
    for password in common:
        assert password == password.casefold()
        passwords.check(password, "ada", "ada@example.org")


@pytest.mark.attack(52)
@pytest.mark.parametrize("password", ["0123456xyz", "x" * 70 + "yz", "ä" * 34 + "öß"])
def test_a_password_counts_to_its_last_character_and_nothing_may_follow(password: str) -> None:
    people.add("ada", "ada@example.org", "Ada", password)
    assert verify("ada", password)
    for other in (password[:-1] + "Y", password[:-1], password + "x", password + "\0", password + "x" * 100):
        assert verify("ada", other) is None


@pytest.mark.attack(56)
@pytest.mark.parametrize("unusable", UNUSABLE, ids=range(len(UNUSABLE)))
def test_what_is_no_hash_opens_for_none_and_stays(unusable: str, ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(unusable)
    costs = checks(monkeypatch)
    given = [PASSWORD, unusable, "", "!", "nobody", "\ud800"]
    assert [verify("ada", password) for password in given] == [None] * len(given)
    assert (costs, kept()) == ([b"04"] * len(given), unusable)
    fails(IntegrityError, None, change, User, password_hash=None)


def test_hashes_of_other_programs_with_the_same_method_are_good(ada: Actor) -> None:
    made = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    for version in ("$2a$", "$2b$", "$2y$"):
        keep(version + made[4:])
        assert verify("ada", PASSWORD) == ada


def test_a_hash_of_a_lower_cost_is_made_anew_by_the_right_password(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept()
    assert before.startswith("$2b$04$")
    monkeypatch.setattr(passwords, "ROUNDS", 5)
    assert verify("ada", "a wrong password") is None
    assert (kept(), verify("ada", PASSWORD)) == (before, ada)
    after = kept()
    assert after.startswith("$2b$05$")
    assert (verify("ada", PASSWORD), kept()) == (ada, after)
    keep(before)
    real = passwords.hashed
    monkeypatch.setattr(passwords, "hashed", lambda password: (keep("!"), real(password))[1])
    verify("ada", PASSWORD)
    assert kept() == "!", "a password that was changed meanwhile is not overwritten"


def test_at_most_two_passwords_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    seen: list[int] = []

    def check(*_: bytes) -> bool:
        inside.append(1)
        seen.append(len(inside))
        time.sleep(0.01)
        seen.append(len(inside))
        inside.pop()
        return False

    monkeypatch.setattr(passwords.bcrypt, "checkpw", check)
    assert (at_once(8, lambda _: passwords.matches("x", "!")), max(seen)) == ([False] * 8, 2)


def test_to_look_away_takes_as_long_as_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(passwords.time, "sleep", waited.append)
    monkeypatch.setattr(passwords, "_usual_seconds", 0.0)
    costs = checks(monkeypatch)
    passwords.constant_time_delay()  # nothing was looked at since the start: it does the work itself
    assert (costs, waited) == ([b"04"], [])
    passwords.constant_time_delay()
    assert (costs, waited) == ([b"04"], [passwords._usual_seconds])

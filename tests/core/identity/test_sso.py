from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database import engine
from core.database.models import AuthSession, User
from core.database.ownership import Actor
from core.errors import InvalidInput
from core.identity import people, sessions, sso, throttle
from tests.core.identity.trail import at_once, fails, rows_of, stored, told

NOW = engine.now()
MINUTE = timedelta(minutes=1)


def claims(email: object = "ada@example.org", **more: object) -> dict[str, Any]:
    """What an ID token says, issued just now."""
    return {
        "iss": "https://id.example.org", "sub": "1", "iat": int(engine.now().timestamp()), "email": email,
        "email_verified": True,
    } | more  # fmt: skip


def refused(said: dict[str, Any], words: str, **more: Any) -> bool:
    fails(InvalidInput, words, sso.start, said, **more)
    return rows_of(AuthSession) == []


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@Example.Org", " ada@example.org "])
def test_a_verified_address_begins_a_session_of_the_account_that_has_it(email: str, ada: Actor, bob: Actor) -> None:
    actor, session_id = sso.start(claims(email), browser="Firefox")
    assert actor == ada == sessions.person(session_id)
    assert [each.browser for each in sessions.opened(ada)] == ["Firefox"]
    assert told()[-1] == ("session.started", "ada", "ada", "single sign-on by https://id.example.org")
    assert sessions.opened(bob) == []
    jo = people.add("jo", "jö@example.org", "Jö", "correct horse battery")
    assert sso.start(claims("jö@example.org"))[0] == jo


@pytest.mark.attack(61)
@pytest.mark.parametrize("changed", [
    *({"email_verified": verified} for verified in (False, None, "true", 1)),
    *({"email": email} for email in ("eve@example.org", "", None, ["ada@example.org"], "ada", "\ud800")),
    *({"email": email} for email in ("ada@example.org\0", "' or 1=1 --", "%@example.org")),
    *({"email": alike} for alike in ("ａda@example.org", "ada@exampl\u212f.org", "ada@example\u3002org")),
    {"email": "ada@ｅxample.org"},
], ids=str)  # fmt: skip
def test_an_unverified_unknown_or_look_alike_address_begins_no_session(changed: dict[str, object], ada: Actor) -> None:
    assert refused(claims() | changed, "No active account")
    assert told("session.refused") == [("session.refused", "", "", "single sign-on: unknown or unverified address")]
    without = {name: value for name, value in claims().items() if name not in changed}
    assert refused(without, "No active account")


@pytest.mark.attack(61)
def test_an_account_that_is_disabled_by_then_gets_no_session(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    real = people.actor

    def actor(user: User) -> Actor:
        monkeypatch.setattr(people, "actor", real)
        people.set_active(ada.id, False, by=None)
        people.set_active(ada.id, True, by=None)
        return real(user)

    monkeypatch.setattr(people, "actor", actor)
    assert refused(claims(), "cannot sign in just now")
    people.set_active(ada.id, False, by=None)
    assert refused(claims(), "No active account")


@pytest.mark.attack(61)
def test_an_id_token_is_good_for_ten_minutes_and_without_a_time_of_issue_for_nothing(ada: Actor) -> None:
    for issued in (None, "now", "1", 1.5, "", [], 0, -1, 10**30, True, float("nan"), float("inf")):
        assert refused(claims(iat=issued), "too old or was used before"), issued
    now = engine.now().replace(microsecond=0)
    for age in (11, -11):
        assert refused(claims(iat=int((now - age * MINUTE).timestamp())), "too old", now=now), age
    for age in (10, 0, -10):
        assert sso.start(claims(iat=int((now - age * MINUTE).timestamp())), now=now)[0] == ada, age


@pytest.mark.attack(61)
def test_an_id_token_begins_one_session_for_ever_and_is_kept_as_a_digest(ada: Actor, bob: Actor, data: Path) -> None:
    said = claims(nonce="a-nonce-nobody-may-read", at_hash="a-hash-of-a-token")
    came = at_once(8, lambda _: sso.start(said))
    assert sorted(isinstance(each, InvalidInput) for each in came) == [False] + [True] * 7, came
    ((_, session_id),) = (each for each in came if isinstance(each, tuple))
    assert (len(sessions.opened(ada)), len(told("session.started"))) == (1, 1)
    assert not [word for word in (b"nobody-may-read", b"a-hash-of") if word in stored(data)]
    for _ in range(2):
        fails(InvalidInput, "used before", sso.start, dict(reversed(said.items())))
        sessions.end(session_id)
    assert (sso.start(claims(nonce="another"))[0], sso.start(claims("bob@example.org"))[0]) == (ada, bob)


@pytest.mark.attack(61)
def test_a_stranger_whom_the_provider_knows_cannot_flood_the_trail(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESS_TRIES", 3)
    for turn in range(6):
        assert refused(claims("eve@example.org", sub=str(turn)), "No active account")
    assert (len(told("session.refused")), sso.start(claims())[0]) == (3, ada)

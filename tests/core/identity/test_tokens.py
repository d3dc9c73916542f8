from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database import engine
from core.database.models import ApiToken, TokenScope, User
from core.database.ownership import Actor, acting_as_nobody
from core.errors import InvalidInput, NotFound, NotSignedIn
from core.identity import tokens
from tests.core.identity.trail import at_once, change, fails, rows_of, stored, told
from tests.support.databases import unguarded
from tests.support.world import World


def only() -> ApiToken:
    (row,) = rows_of(ApiToken)
    return row  # type: ignore[no-any-return]


def test_a_token_is_given_once_kept_as_a_digest_and_says_who_asks_and_what_they_may_do(ada: Actor, bob: Actor) -> None:
    token = tokens.create(ada, " laptop ", TokenScope.READ)
    kept = only()
    assert token.startswith("tsk_")
    assert len(token) >= 47
    assert (kept.name, kept.prefix, kept.scope) == ("laptop", token[:12], TokenScope.READ)
    assert token[12:] not in repr(vars(kept))
    assert abs(kept.expires_at - engine.now() - timedelta(days=90)) < timedelta(seconds=30)
    for given, actor, scope in ((token, ada, TokenScope.READ), (tokens.create(bob, "b"), bob, TokenScope.WRITE)):
        known = tokens.person(given)
        assert known and (known.actor, known.scope) == (actor, scope)


@pytest.mark.attack(36)
def test_nothing_that_only_resembles_a_token_is_one(ada_token: str) -> None:
    last = "A" if ada_token[-1] != "A" else "B"
    kept = only()
    for other in (
        *("", "tsk_", "x", "\udc80", "tsk_" + "A" * 43, "é" * 100, "tsk_" + "x" * 10_000, "tsk_' OR 1=1--", "tsk_%"),
        *("tsk_\0", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.", "None"),
        *(ada_token[:-1], ada_token[:-1] + last, ada_token + "x", ada_token + "=", " " + ada_token, ada_token.upper()),
        *(ada_token.removeprefix("tsk_"), kept.prefix, kept.token_hash, "tsk_" + kept.token_hash),
    ):
        assert tokens.person(other) is None, other
    assert tokens.person(ada_token)


@pytest.mark.attack(37)
@pytest.mark.parametrize(
    ("model", "values"),
    [(ApiToken, {"expires_at": engine.now()}), (ApiToken, {"revoked_at": engine.now()}), (User, {"is_active": False})],
)
def test_an_expired_or_revoked_token_is_nobodys(model: type[Any], values: dict[str, object], ada_token: str) -> None:
    expires = only().expires_at
    assert tokens.person(ada_token, now=expires - timedelta(microseconds=1))
    assert tokens.person(ada_token, now=expires) is None
    change(model, **values)
    assert tokens.person(ada_token) is None


def test_the_last_use_is_due_once_a_minute_and_noted_unless_the_database_is_away(ada_token: str, world: World) -> None:
    def is_due(**later: int) -> bool:
        known = tokens.person(ada_token, now=engine.now() + timedelta(**later))
        assert known
        return known.use_is_due

    token_id = only().id
    with world.nowhere():
        tokens.note_use(token_id)
    assert is_due()
    assert only().last_used_at is None, "to ask writes nothing"
    tokens.note_use(token_id)
    assert abs(only().last_used_at - engine.now()) < timedelta(seconds=30)  # type: ignore[operator]
    assert (is_due(), is_due(minutes=2)) == (False, True)


@pytest.mark.attack(41)
def test_a_person_revokes_their_own_tokens_and_nobody_elses(ada: Actor, bob: Actor, ada_token: str) -> None:
    token_id = only().id
    for number in (token_id + 1, 0, -1, 2**63, 10**30):
        fails(NotFound, "no such token", tokens.revoke, ada, number)
    fails(NotFound, "no such token", tokens.revoke, bob, token_id)
    assert tokens.person(ada_token)
    tokens.revoke(ada, token_id)
    assert (tokens.person(ada_token), tokens.of(ada)) == (None, [])
    fails(NotFound, None, tokens.revoke, ada, token_id)
    assert told("token.created", "token.revoked") == [
        ("token.created", "ada", "test", f"{ada_token[:12]}…, write, 90 d"),
        ("token.revoked", "ada", "test", f"{ada_token[:12]}…"),
    ]


def test_the_tokens_that_work_are_listed_the_newest_first(ada: Actor, bob: Actor) -> None:
    for name in ("old", "gone", "new"):
        tokens.create(ada, name)
    tokens.create(bob, "his")
    old, gone, _ = reversed(tokens.of(ada))
    tokens.revoke(ada, gone.id)
    assert [each.name for each in tokens.of(ada)] == ["new", "old"]
    change(ApiToken, ApiToken.id == old.id, expires_at=engine.now())
    assert [each.name for each in tokens.of(ada)] == ["new"]
    with acting_as_nobody() as session:
        assert tokens.revoke_all(session, ada.id) == 1
    assert (tokens.of(ada), [each.name for each in tokens.of(bob)]) == ([], ["his"])


def test_a_token_has_a_name_of_a_line_and_is_good_for_a_day_to_a_year(ada: Actor) -> None:
    for label in ("", "  ", "x" * 101, "a\nb", "\u202ex"):
        fails(InvalidInput, "A token's name has 1 to 100", tokens.create, ada, label)
    for days in (0, -1, 366, 10**9):
        fails(InvalidInput, "1 to 365 days", tokens.create, ada, "x", days=days)
    for good in (1, 365):
        tokens.create(ada, "x", days=good)
    assert [round((each.expires_at - engine.now()) / timedelta(days=1)) for each in tokens.of(ada)] == [365, 1]


def test_there_are_at_most_twenty_tokens_that_work_also_when_many_are_made_at_once(ada: Actor, bob: Actor) -> None:
    for turn in range(15):
        tokens.create(ada, f"token {turn}")
    came = at_once(8, lambda turn: tokens.create(ada, f"at once {turn}"))
    assert sum(isinstance(each, InvalidInput) for each in came) == 3, came
    fails(InvalidInput, "20 tokens", tokens.create, ada, "one more")
    assert len(tokens.of(ada)) == len(told("token.created")) == 20
    tokens.create(bob, "his first")
    tokens.revoke(ada, tokens.of(ada)[0].id)
    tokens.create(ada, "one more")


@pytest.mark.attack(37)
@pytest.mark.parametrize("how", ["disabled", "deleted"])
def test_who_is_disabled_or_gone_makes_no_token(how: str, ada: Actor) -> None:
    change(User, is_active=False)
    if how == "deleted":
        with unguarded() as session:
            session.delete(session.get_one(User, ada.id))
    fails(NotSignedIn, None, tokens.create, ada, "x")
    assert rows_of(ApiToken) == []


@pytest.mark.attack(43)
def test_a_tokens_text_is_nowhere_but_in_the_answer(
    ada: Actor, data: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    token = tokens.create(ada, "laptop")
    known = tokens.person(token)
    assert known
    tokens.note_use(known.id)
    shown = [*tokens.of(ada), known]
    tokens.revoke(ada, known.id)
    secret = token[tokens.SHOWN_CHARACTERS :]
    assert secret.encode() not in stored(data)
    assert token[: tokens.SHOWN_CHARACTERS].encode() in stored(data), "the test looks at the right place"
    assert secret not in repr([vars(each) for each in shown]) + repr(told()) + caplog.text + "".join(capfd.readouterr())

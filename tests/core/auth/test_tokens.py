from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core import db
from core.auth import tokens
from core.errors import InvalidInput
from core.models import ApiToken, TokenScope, User
from core.ownership import Actor
from tests.databases import unguarded


def row() -> ApiToken:
    with unguarded() as session:
        return session.scalars(select(ApiToken)).one()


def change(model: type[Any], **values: object) -> None:
    with unguarded() as session:
        session.execute(update(model).values(**values))


def test_a_token_is_given_once_and_kept_as_a_digest(ada: Actor) -> None:
    token = tokens.create(ada, " laptop ", TokenScope.READ)
    kept = row()
    assert token.startswith("tsk_")
    assert len(token) >= 47
    assert (kept.name, kept.prefix, kept.scope) == ("laptop", token[:12], TokenScope.READ)
    assert token[12:] not in repr(vars(kept))
    assert abs(kept.expires_at - db.now() - timedelta(days=90)) < timedelta(seconds=30)


def test_a_token_says_who_asks_and_what_they_may_do(ada: Actor, bob: Actor) -> None:
    given = {tokens.create(ada, "a", TokenScope.READ): ada, tokens.create(bob, "b"): bob}
    known = {token: tokens.person(token) for token in given}
    assert {token: each.actor for token, each in known.items() if each} == given
    assert [each.scope for each in known.values() if each] == [TokenScope.READ, TokenScope.WRITE]


@pytest.mark.parametrize("label", ["", "  ", "x" * 101, "a\nb", "\u202ex"])
def test_an_unusable_label_is_refused(label: str, ada: Actor) -> None:
    with pytest.raises(InvalidInput, match="A token's name has 1 to 100"):
        tokens.create(ada, label)


@pytest.mark.parametrize("forged", ["", "tsk_", "x", "\udc80", "tsk_" + "A" * 43, "é" * 100])
def test_an_unknown_token_is_nobodys(forged: str, ada_token: str) -> None:
    assert tokens.person(forged) is None
    assert tokens.person(ada_token[:-1]) is None
    assert tokens.person(ada_token + "x") is None


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (ApiToken, {"expires_at": db.now()}),
        (ApiToken, {"revoked_at": db.now()}),
        (User, {"is_active": False}),
    ],
)
def test_an_expired_revoked_or_disabled_persons_token_is_nobodys(
    model: type[Any], values: dict[str, object], ada_token: str
) -> None:
    assert tokens.person(ada_token)
    change(model, **values)
    assert tokens.person(ada_token) is None


def test_a_token_is_valid_to_the_end_of_its_time(ada_token: str) -> None:
    expires = row().expires_at
    assert tokens.person(ada_token, now=expires - timedelta(microseconds=1))
    assert tokens.person(ada_token, now=expires) is None


def test_the_last_use_is_due_once_a_minute_and_asking_writes_nothing(ada_token: str) -> None:
    def is_due(**later: int) -> bool:
        known = tokens.person(ada_token, now=db.now() + timedelta(**later))
        assert known
        return known.use_is_due

    assert is_due()
    assert row().last_used_at is None
    tokens.note_use(row().id)
    assert abs(row().last_used_at - db.now()) < timedelta(seconds=30)  # type: ignore[operator]
    assert (is_due(), is_due(minutes=2)) == (False, True)


def test_a_use_is_not_noted_while_the_database_is_away(
    ada_token: str, nowhere: Callable[[], AbstractContextManager[None]]
) -> None:
    token_id = row().id
    with nowhere():
        tokens.note_use(token_id)
    assert row().last_used_at is None

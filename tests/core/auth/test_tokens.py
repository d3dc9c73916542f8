from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core import db
from core.auth import tokens
from core.errors import InvalidInput
from core.models import ApiToken, TokenScope, User
from core.ownership import Actor, acting_as_system


def row() -> ApiToken:
    with acting_as_system(reading=True) as session:
        return session.scalars(select(ApiToken)).one()


def change(model: type[Any], **values: object) -> None:
    with acting_as_system() as session:
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
    reads, writes = tokens.create(ada, "a", TokenScope.READ), tokens.create(bob, "b")
    assert tokens.person(reads) == (ada, TokenScope.READ)
    assert tokens.person(writes) == (bob, TokenScope.WRITE)
    assert reads != writes


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


def test_the_last_use_is_written_at_most_once_a_minute(ada_token: str) -> None:
    assert row().last_used_at is None
    tokens.person(ada_token)
    first = row().last_used_at
    tokens.person(ada_token)
    assert row().last_used_at == first is not None
    change(ApiToken, last_used_at=first - timedelta(minutes=2))
    tokens.person(ada_token)
    assert row().last_used_at >= first  # type: ignore[operator]

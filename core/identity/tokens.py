"""Personal API tokens: shown once, kept as a digest."""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from core.database import engine
from core.database.models import MAX_ID, ApiToken, TokenScope
from core.database.ownership import Actor, acting_as_nobody
from core.errors import InvalidInput, NotFound, NotSignedIn
from core.identity import audit, people

PREFIX = "tsk_"
SHOWN_CHARACTERS = 12
LABEL_CHARACTERS = 100
DAYS = 90
MOST_DAYS = 365
MOST_TOKENS = 20  #: that work, for each person

#: A token's last use is written at most once in this time.
_USE_STEP = timedelta(minutes=1)


def create(actor: Actor, label: str, scope: TokenScope = TokenScope.WRITE, days: int = DAYS) -> str:
    """A new token for a person, in clear; nobody can read it again.

    Raises InvalidInput for an unusable label or number of days, and for one token too many; NotSignedIn when the
    account was disabled or deleted.
    """
    label = label.strip()
    if not label or len(label) > LABEL_CHARACTERS or not label.isprintable():
        raise InvalidInput(f"A token's name has 1 to {LABEL_CHARACTERS} printable characters.")
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput(f"A token is good for 1 to {MOST_DAYS} days.")
    token = PREFIX + secrets.token_urlsafe(32)
    now = engine.now()
    row = ApiToken(
        user_id=actor.id,
        name=label,
        prefix=token[:SHOWN_CHARACTERS],
        token_hash=_digest(token),
        scope=scope,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    with acting_as_nobody(serialized=True) as session:
        if people.by_id(session, actor.id) is None:
            raise NotSignedIn
        if session.scalars(select(func.count()).where(*_working(actor.id, now))).one() >= MOST_TOKENS:
            raise InvalidInput(f"You have {MOST_TOKENS} tokens that work: revoke one first.")
        session.add(row)
        audit.record(
            session, audit.Kind.TOKEN_CREATED, by=actor, subject=label, detail=f"{row.prefix}…, {scope}, {days} d"
        )
    return token


def of(actor: Actor) -> list[ApiToken]:
    """The person's tokens that work, the newest first."""
    with acting_as_nobody(reading=True) as session:
        return list(
            session.scalars(select(ApiToken).where(*_working(actor.id, engine.now())).order_by(ApiToken.id.desc()))
        )


def revoke(actor: Actor, token_id: int) -> None:
    """End one of the person's tokens. Raises NotFound when they have no such token that works."""
    now = engine.now()
    mine = update(ApiToken).where(ApiToken.id == token_id, *_working(actor.id, now)).returning(ApiToken)
    with acting_as_nobody() as session:
        row = session.scalar(mine.values(revoked_at=now)) if 0 < token_id <= MAX_ID else None
        if row is None:
            raise NotFound("There is no such token.")
        audit.record(session, audit.Kind.TOKEN_REVOKED, by=actor, subject=row.name, detail=f"{row.prefix}…")


def revoke_all(session: Session, user_id: UUID) -> int:
    """End every token of a person; how many worked until now."""
    now = engine.now()
    ended = update(ApiToken).where(*_working(user_id, now)).values(revoked_at=now).returning(ApiToken.id)
    return len(session.scalars(ended).all())


def _working(user_id: UUID, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None), ApiToken.expires_at > now)


@dataclass(frozen=True)
class Known:
    """A valid token: whose it is and what it may do."""

    id: int
    actor: Actor
    scope: TokenScope
    use_is_due: bool  #: whether its last use should be noted


def person(token: str, *, now: datetime | None = None) -> Known | None:
    """Whose token this is; None when it is unknown, expired or revoked. It only reads, so it waits for no writer."""
    now = now or engine.now()
    with acting_as_nobody(reading=True) as session:
        row = session.scalar(select(ApiToken).where(ApiToken.token_hash == _digest(token)))
        if row is None or row.revoked_at or row.expires_at <= now:
            return None
        user = people.by_id(session, row.user_id)
    if user is None:
        return None
    due = row.last_used_at is None or row.last_used_at < now - _USE_STEP
    return Known(row.id, people.actor(user), row.scope, due)


def note_use(token_id: int) -> None:
    """Remember that a token was used just now; when the database is busy, the next use will be remembered."""
    with suppress(*engine.Unavailable), acting_as_nobody() as session:
        session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=engine.now()))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

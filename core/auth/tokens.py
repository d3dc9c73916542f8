"""Personal API tokens: shown once, kept as a digest."""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from core import db
from core.auth import people
from core.errors import InvalidInput
from core.models import ApiToken, TokenScope
from core.ownership import Actor, acting_as_nobody

PREFIX = "tsk_"
SHOWN_CHARACTERS = 12
LIFETIME = timedelta(days=90)
LABEL_CHARACTERS = 100

#: A token's last use is written at most once in this time.
_USE_STEP = timedelta(minutes=1)


def create(actor: Actor, label: str, scope: TokenScope = TokenScope.WRITE) -> str:
    """A new token for a person, in clear; nobody can read it again. Raises InvalidInput for an unusable label."""
    label = label.strip()
    if not label or len(label) > LABEL_CHARACTERS or not label.isprintable():
        raise InvalidInput(f"A token's name has 1 to {LABEL_CHARACTERS} printable characters.")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        user_id=actor.id,
        name=label,
        prefix=token[:SHOWN_CHARACTERS],
        token_hash=_digest(token),
        scope=scope,
        expires_at=db.now() + LIFETIME,
    )
    with acting_as_nobody() as session:
        session.add(row)
    return token


@dataclass(frozen=True)
class Known:
    """A valid token: whose it is and what it may do."""

    id: int
    actor: Actor
    scope: TokenScope
    use_is_due: bool  #: whether its last use should be noted


def person(token: str, *, now: datetime | None = None) -> Known | None:
    """Whose token this is; None when it is unknown, expired or revoked. It only reads, so it waits for no writer."""
    now = now or db.now()
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
    with suppress(*db.Unavailable), acting_as_nobody() as session:
        session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=db.now()))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

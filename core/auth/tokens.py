"""Personal API tokens: shown once, kept as a digest."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import select, update

from core import db
from core.auth import people
from core.errors import InvalidInput
from core.models import ApiToken, TokenScope
from core.ownership import Actor, acting_as_system

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
    with acting_as_system() as session:
        session.add(row)
    return token


def person(token: str) -> tuple[Actor, TokenScope] | None:
    """Whose token this is and what it may do; None when it is unknown, expired or revoked."""
    now = db.now()
    with acting_as_system(reading=True) as session:
        row = session.scalar(select(ApiToken).where(ApiToken.token_hash == _digest(token)))
        if row is None or row.revoked_at or row.expires_at <= now:
            return None
        user = people.by_id(session, row.user_id)
    if user is None:
        return None
    if row.last_used_at is None or row.last_used_at < now - _USE_STEP:
        with acting_as_system() as session:
            session.execute(update(ApiToken).where(ApiToken.id == row.id).values(last_used_at=now))
    return people.actor(user), row.scope


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

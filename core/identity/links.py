"""One-time links by which a person sets a password: after an invitation, or when the old one is lost.

A link is signed and names what is kept of the password that it replaces, and the account's epoch. So whatever ends a
person's sessions voids their links too, the first use of one above all, and none needs a row of its own.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy.orm import Session

from core.config import settings, signing_keys
from core.database import engine
from core.database.models import User
from core.database.ownership import Actor, acting_as_nobody
from core.errors import Conflict, InvalidInput
from core.identity import audit, passwords, people, throttle, tokens

INVITATION = timedelta(days=7)
RESET = timedelta(hours=1)
_WORDS = {INVITATION: "7 days", RESET: "an hour"}

_DEAD = "This link is used up or too old: ask an administrator for a new one."


@dataclass(frozen=True)
class Offer:
    """What a link that works is for."""

    actor: Actor
    is_invitation: bool  #: the first password, and not another one


def make(user_id: UUID, *, by: Actor | None) -> tuple[str, str]:
    """An address that sets this person's password, and in words for how long it works.

    Whoever has the address has the account: it is shown once and kept nowhere. Raises NotFound, Forbidden unless ``by``
    is an administrator, and Conflict for a disabled account.
    """
    with people.managing(by) as session:
        user = people.get(session, user_id)
        if not user.is_active:
            raise Conflict("This account is disabled, and no link works for it: enable it first.")
        audit.record(session, audit.Kind.LINK_MADE, by=by, subject=user.username)
    token = _links().dumps([user.id.hex, _mark(user)])
    return f"{settings().home}/password?token={token}", _WORDS[_lifetime(user)]


def look(token: str, *, now: datetime | None = None) -> Offer | None:
    """What the link's token offers; None when it is forged, too old or used up."""
    with acting_as_nobody(reading=True) as session:
        user = _user(session, token, now or engine.now())
    return Offer(people.actor(user), _is_new(user)) if user else None


def set_password(token: str, password: str, *, now: datetime | None = None) -> Actor:
    """Set the password that the link's person chose. Every browser is signed out, and after a reset every token dead.

    Raises InvalidInput for a dead link and for an unusable password.
    """
    now = now or engine.now()
    with acting_as_nobody(reading=True) as session:
        user = _user(session, token, now)
    if user is None:
        raise InvalidInput(_DEAD)
    passwords.check(password, user.username, user.email)
    kept, actor, detail = passwords.hashed(password), people.actor(user), "invitation"
    with acting_as_nobody(serialized=True) as session:
        if not people.keep_password(session, user.id, kept, epoch=user.session_epoch):  # somebody else was faster
            raise InvalidInput(_DEAD)
        throttle.forget(session, throttle.key("name", user.username))  # the new password was not guessed yet
        if not _is_new(user):
            detail = f"reset, tokens revoked: {tokens.revoke_all(session, user.id)}"
        audit.record(session, audit.Kind.PASSWORD_SET, by=actor, subject=user.username, detail=detail)
    return actor


def _user(session: Session, token: str, now: datetime) -> User | None:
    """The active person of a token that works."""
    try:
        (user_id, mark), made = _links().loads(token, return_timestamp=True)
        user = people.by_id(session, UUID(user_id))
    except (BadData, ValueError):
        return None
    return user if user and mark == _mark(user) and now - made <= _lifetime(user) else None


def _mark(user: User) -> str:
    return hashlib.sha256(f"{user.id} {user.session_epoch} {user.password_hash}".encode()).hexdigest()[:32]


def _is_new(user: User) -> bool:
    return user.password_hash == passwords.NONE


def _lifetime(user: User) -> timedelta:
    return INVITATION if _is_new(user) else RESET


def _links() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_keys(), salt="taskdeck.password")

"""Browser sessions: a row for each sign-in, a signed cookie that names it, and the ticket that fetches the cookie.

Streamlit can neither set nor clear a cookie. So a sign-in gets a ticket, good once and for a minute, which the page
exchanges at the API for the cookie, HttpOnly and out of reach of scripts.
"""

from datetime import datetime, timedelta
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer
from sqlalchemy import delete, update

from core import db
from core.auth import people
from core.config import signing_secret
from core.errors import InvalidInput
from core.models import AuthSession, User
from core.ownership import Actor, acting_as_nobody

LIFETIME = timedelta(days=14)
TICKET_SECONDS = 60
COOKIE = "taskdeck_session"


def start(actor: Actor) -> UUID:
    """Begin a session of a person whose password was right; its id."""
    with acting_as_nobody() as session:
        session.execute(delete(AuthSession).where(AuthSession.user_id == actor.id, AuthSession.expires_at <= db.now()))
        user = session.get_one(User, actor.id)
        row = AuthSession(user_id=actor.id, epoch=user.session_epoch, expires_at=db.now() + LIFETIME)
        session.add(row)
        session.flush()
        return row.id


def person(session_id: UUID, *, now: datetime | None = None) -> Actor | None:
    """Whose session this is, if it is neither over nor revoked and the account still stands."""
    with acting_as_nobody(reading=True) as session:
        row = session.get(AuthSession, session_id)
        if row is None or row.revoked_at or row.expires_at <= (now or db.now()):
            return None
        user = people.by_id(session, row.user_id)
        return people.actor(user) if user and user.session_epoch == row.epoch else None


def end(session_id: UUID) -> None:
    """Revoke a session; every tab and the cookie are out with the next look."""
    with acting_as_nobody() as session:
        session.execute(
            update(AuthSession)
            .where(AuthSession.id == session_id, AuthSession.revoked_at.is_(None))
            .values(revoked_at=db.now())
        )


def ticket(session_id: UUID) -> str:
    """A text that fetches this session's cookie, once, within a minute."""
    return _tickets().dumps(session_id.hex)


def redeem(ticket: str) -> str:
    """The cookie's value for a ticket. Raises InvalidInput when it is forged, too old or already used."""
    try:
        session_id = UUID(_tickets().loads(ticket, max_age=TICKET_SECONDS))
    except (BadSignature, UnicodeEncodeError):
        raise InvalidInput("This sign-in ticket is not valid: sign in again.") from None
    with acting_as_nobody() as session:
        first = session.execute(
            update(AuthSession)
            .where(AuthSession.id == session_id, AuthSession.redeemed_at.is_(None), AuthSession.revoked_at.is_(None))
            .values(redeemed_at=db.now())
            .returning(AuthSession.id)
        ).first()
    if first is None:
        raise InvalidInput("This sign-in ticket is not valid: sign in again.")
    return _cookies().dumps(session_id.hex)


def farewell(actor: Actor) -> str:
    """A text that proves for a minute that this person signed out somewhere in this browser."""
    return _farewells().dumps(actor.id.hex)


def leave(cookie: str, farewell: str | None) -> bool:
    """End the cookie's session if it is the one's who says farewell; whether the cookie should be forgotten.

    It should not when it names a session that goes on: another person signed in in another tab.
    """
    known = by_cookie(cookie)
    if known is None:
        return True
    session_id, owner = known
    try:
        leaves = farewell is not None and _farewells().loads(farewell, max_age=TICKET_SECONDS) == owner.id.hex
    except (BadSignature, UnicodeEncodeError):
        leaves = False
    if leaves:
        end(session_id)
    return leaves


def read_cookie(value: str) -> UUID | None:
    """The session that a cookie names, or None when it is not one of ours."""
    try:
        return UUID(_cookies().loads(value))
    except (BadSignature, UnicodeEncodeError):
        return None


def by_cookie(value: str) -> tuple[UUID, Actor] | None:
    """The session that a cookie names and whose it is, if it still stands."""
    session_id = read_cookie(value)
    owner = person(session_id) if session_id else None
    return (session_id, owner) if session_id and owner else None


def _cookies() -> URLSafeSerializer:
    return URLSafeSerializer(signing_secret(), salt="taskdeck.cookie")


def _farewells() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_secret(), salt="taskdeck.farewell")


def _tickets() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_secret(), salt="taskdeck.ticket")

"""Browser sessions: a row for each sign-in, a signed cookie that names it, and the ticket that fetches the cookie.

Streamlit can neither set nor clear a cookie. So a sign-in gets a ticket, good once and for a minute, which the page
exchanges at the API for the cookie, HttpOnly and out of reach of scripts.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.config import settings, signing_keys
from core.database import engine
from core.database.models import AuthSession, User
from core.database.ownership import Actor, acting_as_nobody
from core.errors import InvalidInput
from core.identity import audit, people
from core.log_text import clean

LIFETIME = timedelta(days=14)
TICKET_SECONDS = 60

#: The cookie's name where the connection can be trusted: no other host, and no page without TLS, can set that one.
HOST_COOKIE = "__Host-taskdeck_session"
PLAIN_COOKIE = "taskdeck_session"

BROWSER_CHARACTERS = 300


@dataclass(frozen=True)
class Open:
    """A session that goes on, as its person sees it."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime | None
    browser: str
    address: str | None


def start(
    actor: Actor, how: str = "password", *, browser: str = "", proof: str | None = None, epoch: int | None = None
) -> UUID:
    """Begin a session of a person who is known by ``how``; its id.

    A ``proof`` of another provider starts one session. ``epoch`` is the account's when the person proved who they are.
    Raises InvalidInput when the proof has started one before, and when the account is gone, disabled or in another
    epoch by now.
    """
    now, origin = engine.now(), audit.current_origin()
    with acting_as_nobody() as session:
        session.execute(delete(AuthSession).where(AuthSession.expires_at <= now))
        user = people.by_id(session, actor.id)
        if user is None or (epoch is not None and epoch != user.session_epoch):
            raise InvalidInput("This account cannot sign in just now: try again, or ask an administrator.")
        row = AuthSession(
            user_id=actor.id,
            epoch=user.session_epoch,
            created_at=now,
            last_seen_at=now,
            expires_at=now + LIFETIME,
            browser=clean(browser[:BROWSER_CHARACTERS]),
            address=origin.address,
            proof=proof,
        )
        session.add(row)
        try:
            session.flush()
        except IntegrityError:
            raise InvalidInput("This sign-in was used before: sign in again.") from None
        audit.record(session, audit.Kind.SIGNED_IN, by=actor, subject=actor.username, detail=how)
        return row.id


def opened(actor: Actor) -> list[Open]:
    """The person's sessions that go on, the one seen last first."""
    wanted = (
        select(AuthSession)
        .join(User, (User.id == AuthSession.user_id) & (User.session_epoch == AuthSession.epoch))
        .where(AuthSession.user_id == actor.id, AuthSession.revoked_at.is_(None), AuthSession.expires_at > engine.now())
        .order_by(AuthSession.last_seen_at.desc().nulls_last())
    )
    with acting_as_nobody(reading=True) as session:
        return [
            Open(row.id, row.created_at, row.last_seen_at, row.browser or "", row.address)
            for row in session.scalars(wanted)
        ]


def note_use(session_id: UUID) -> None:
    """Remember that a session was used just now; when the database is busy, the next use will be remembered."""
    with suppress(*engine.Unavailable), acting_as_nobody() as session:
        session.execute(update(AuthSession).where(AuthSession.id == session_id).values(last_seen_at=engine.now()))


def cookie_in(cookies: Mapping[str, str]) -> str:
    """The session cookie among a browser's cookies, or an empty text.

    On a site with TLS the plain name counts for nothing: a neighbour without TLS could have set it.
    """
    plain = "" if settings().home.startswith("https:") else cookies.get(PLAIN_COOKIE, "")
    return cookies.get(HOST_COOKIE, plain)


def person(session_id: UUID, *, now: datetime | None = None) -> Actor | None:
    """Whose session this is, if it is neither over nor revoked and the account still stands."""
    with acting_as_nobody(reading=True) as session:
        row = session.get(AuthSession, session_id)
        if row is None or row.revoked_at or row.expires_at <= (now or engine.now()):
            return None
        user = people.by_id(session, row.user_id)
        return people.actor(user) if user and user.session_epoch == row.epoch else None


def end(session_id: UUID, *, owner: Actor | None = None) -> None:
    """Revoke a session, with ``owner`` only one of that person's; every tab and the cookie are out at the next look."""
    with acting_as_nobody() as session:
        _end(session, session_id, owner)


def _end(session: Session, session_id: UUID, owner: Actor | None = None, why: str = "") -> None:
    row = session.get(AuthSession, session_id, with_for_update=True)
    if row is None or row.revoked_at or row.expires_at <= engine.now() or (owner and row.user_id != owner.id):
        return
    row.revoked_at = engine.now()
    user = session.get_one(User, row.user_id)
    if user.session_epoch == row.epoch:
        audit.record(session, audit.Kind.SIGNED_OUT, by=people.actor(user), subject=user.username, detail=why)


def end_all(actor: Actor) -> None:
    """Revoke every session of a person, the present one too."""
    with acting_as_nobody() as session:
        session.execute(update(User).where(User.id == actor.id).values(session_epoch=User.session_epoch + 1))
        audit.record(session, audit.Kind.SIGNED_OUT_EVERYWHERE, by=actor, subject=actor.username)


def ticket(session_id: UUID) -> str:
    """A text that fetches this session's cookie, once, within a minute."""
    return _tickets().dumps(session_id.hex)


def redeem(ticket: str, replaces: str = "") -> str:
    """The cookie's value for a ticket; the session of the cookie that it ``replaces`` ends.

    Raises InvalidInput when the ticket is forged, too old or already used; then nothing ends.
    """
    try:
        session_id = UUID(str(_tickets().loads(ticket, max_age=TICKET_SECONDS)))
    except (BadData, ValueError):
        raise InvalidInput("This sign-in ticket is not valid: sign in again.") from None
    with acting_as_nobody() as session:
        first = session.execute(
            update(AuthSession)
            .where(AuthSession.id == session_id, AuthSession.redeemed_at.is_(None), AuthSession.revoked_at.is_(None))
            .values(redeemed_at=engine.now())
            .returning(AuthSession.id)
        ).first()
        if first is None:
            raise InvalidInput("This sign-in ticket is not valid: sign in again.")
        if (replaced := read_cookie(replaces)) and replaced != session_id:
            _end(session, replaced, why="somebody signed in in the same browser")
    return _cookies().dumps(session_id.hex)


def sign_out_token(actor: Actor) -> str:
    """A text that proves for a minute that this person signed out somewhere in this browser."""
    return _sign_out_tokens().dumps(actor.id.hex)


def end_by_token(cookie: str, sign_out_token: str | None) -> bool:
    """End the cookie's session if it is of the token's person; whether the cookie should be forgotten.

    It should not when it names a session that goes on: somebody signed in in another tab, or since.
    """
    known = by_cookie(cookie)
    if known is None:
        return True
    session_id, owner = known
    try:
        user, at = _sign_out_tokens().loads(sign_out_token or "", max_age=TICKET_SECONDS, return_timestamp=True)
    except (BadData, ValueError):
        return False
    latest = at + timedelta(seconds=1)  # the token was made in the second after ``at``
    if user != owner.id.hex or _began(session_id) > latest:
        return False
    end(session_id)
    return True


def _began(session_id: UUID) -> datetime:
    with acting_as_nobody(reading=True) as session:
        return session.scalar(select(AuthSession.created_at).where(AuthSession.id == session_id)) or engine.now()


def read_cookie(value: str) -> UUID | None:
    """The session that a cookie names, or None when it is not one of ours."""
    try:
        return UUID(str(_cookies().loads(value)))
    except (BadData, ValueError):
        return None


def by_cookie(value: str) -> tuple[UUID, Actor] | None:
    """The session that a cookie names and whose it is, if it still stands."""
    session_id = read_cookie(value)
    owner = person(session_id) if session_id else None
    return (session_id, owner) if session_id and owner else None


def _cookies() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="taskdeck.cookie")


def _sign_out_tokens() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_keys(), salt="taskdeck.farewell")


def _tickets() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_keys(), salt="taskdeck.ticket")

"""Sign-in by another provider (OpenID Connect), which says whose e-mail address it has verified."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from core.database import engine
from core.database.models import User
from core.database.ownership import Actor, acting_as_nobody
from core.errors import InvalidInput
from core.identity import audit, people, sessions, signin, throttle

#: A provider's word is taken for this long: Streamlit keeps it in a cookie for a month.
FRESH = timedelta(minutes=10)

_UNKNOWN = "No active account has the e-mail address of that sign-in, or it is not verified: ask an administrator."
_OLD = "That sign-in is too old or was used before: sign in again."


def start(claims: Mapping[str, Any], *, browser: str = "", now: datetime | None = None) -> tuple[Actor, UUID]:
    """Begin a session for the claims of an ID token, whose signature was checked; the person and the session's id.

    One ID token starts one session. Raises InvalidInput when the address is not verified, when no active account has
    it, and when the token is old or was used.
    """
    issued, now = claims.get("iat"), now or engine.now()
    if not isinstance(issued, int) or abs(int(now.timestamp()) - issued) > FRESH.total_seconds():
        raise InvalidInput(_OLD)
    address = _verified_address(claims)
    with acting_as_nobody(reading=True) as session:
        user = session.scalar(select(User).where(User.email == address, User.is_active)) if address else None
    if user is None:
        _record_refusal()
        raise InvalidInput(_UNKNOWN)
    actor, how = people.actor(user), f"single sign-on by {claims.get('iss')}"
    return actor, sessions.start(actor, how, browser=browser, proof=_proof(claims), epoch=user.session_epoch)


def _record_refusal() -> None:
    """Record it, but no more often than an address may fail: strangers have accounts at public providers, too."""
    if throttle.count({throttle.address(): throttle.ADDRESS_TRIES}) is not None:
        with acting_as_nobody() as session:
            audit.record(session, audit.Kind.REFUSED, by=None, detail="single sign-on: unknown or unverified address")
        signin.log_refusal(None)


def _verified_address(claims: Mapping[str, Any]) -> str | None:
    """The address as accounts have it, if the provider verified exactly that one."""
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        return None
    folded = people.fold(email)
    # Beyond ASCII different mailboxes fold to the same text, and one verifies nothing about the other.
    return folded if email.isascii() or email == folded else None


def _proof(claims: Mapping[str, Any]) -> str:
    text = json.dumps(dict(claims), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()

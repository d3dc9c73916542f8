"""Guessing is slow: failed tries are counted before they are looked at, so no number of them at once gets through."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session

from core.config import signing_keys
from core.database import engine
from core.database.models import SignInThrottle
from core.database.ownership import acting_as_nobody
from core.identity import audit

WINDOW = timedelta(minutes=15)
NAME_TRIES = 5
ADDRESS_TRIES = 50


def key(kind: str, what: str) -> str:
    """Under which name something is counted: what was typed as a name may have been a password."""
    return f"{kind}:{hmac.new(signing_keys()[-1].encode(), what.encode(errors='replace'), hashlib.sha256).hexdigest()}"


def address() -> str:
    """Under which name the present call's address is counted: whoever has one of IPv6 has 2^64 of them."""
    return key("address", _neighbourhood(audit.current_origin().address))


def count(limits: Mapping[str, int], *, now: datetime | None = None) -> list[str] | None:
    """Count one more try under each key, of as many as it may have in WINDOW, before it is looked at.

    The keys that are locked from now on, unless this try succeeds. None when one was locked before: then nothing is
    counted, and the try must not be looked at.
    """
    now = now or engine.now()
    held = (SignInThrottle.locked_until > now, ~_is_from_the_future(now))
    locked = select(SignInThrottle.key).where(SignInThrottle.key.in_(limits), *held)
    with acting_as_nobody(reading=True) as session:  # first without a writer's lock: such a try costs nobody anything
        if session.scalar(locked.limit(1)) is not None:
            return None
    with acting_as_nobody(serialized=True) as session:
        _forget_the_old(session, now)
        if session.scalar(locked.limit(1)) is not None:
            return None
        rows = {name: session.get(SignInThrottle, name) for name in limits}
        full = []
        for name, limit in limits.items():
            row = rows[name]
            if row is None:
                row = SignInThrottle(key=name, failures=0, window_start=now)
                session.add(row)
            row.failures += 1
            if row.failures >= limit:
                row.locked_until = now + WINDOW
                full.append(name)
    return full


def succeeded(name: str, *others: str) -> None:
    """Forget the failures under ``name``, and under each of the others take back the one that was counted."""
    with acting_as_nobody(serialized=True) as session:
        forget(session, name)
        for other in others:
            row = session.get(SignInThrottle, other)
            if row:
                row.failures -= 1
                row.locked_until = None


def forget(session: Session, name: str) -> None:
    """Forget the failures under ``name``, and its lock."""
    session.execute(delete(SignInThrottle).where(SignInThrottle.key == name))


def _neighbourhood(address: str | None) -> str:
    try:
        found = ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address) and not found.ipv4_mapped:
        return str(ip_network((found, 64), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)


def _forget_the_old(session: Session, now: datetime) -> None:
    """Delete what no longer counts."""
    over = SignInThrottle.window_start <= now - WINDOW
    unlocked = or_(SignInThrottle.locked_until.is_(None), SignInThrottle.locked_until <= now)
    session.execute(delete(SignInThrottle).where(or_(and_(over, unlocked), _is_from_the_future(now))))


def _is_from_the_future(now: datetime) -> ColumnElement[bool]:
    """Whether a clock wrote it that has been set back since."""
    return SignInThrottle.window_start > now + WINDOW

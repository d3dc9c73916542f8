"""The audit trail: who did what, when, and through which channel. Written in the transaction of the act itself."""

from collections.abc import Collection
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.database import engine
from core.database.models import AuditEvent, Channel
from core.database.ownership import Actor, acting_as_admin
from core.database.roles import Right

PAGE_EVENTS = 200

#: By how much the clocks of two servers may differ, and every event is still found by its time.
_SKEW = timedelta(hours=1)


class Kind(StrEnum):
    """What was done."""

    SIGNED_IN = "session.started"
    REFUSED = "session.refused"  #: a wrong password, or no account that may sign in
    LOCKED = "session.locked"  #: one failure too many; further ones until the lock's end leave no event
    SIGNED_OUT = "session.ended"
    SIGNED_OUT_EVERYWHERE = "sessions.ended"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  a word
    PASSWORD_SET = "password.set"  # noqa: S105  by a one-time link
    TOKEN_CREATED = "token.created"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    PERSON_ADDED = "person.added"
    PERSON_INVITED = "person.invited"
    LINK_MADE = "person.link"  #: a one-time link that sets a password
    ROLE_CHANGED = "person.role"
    DISABLED = "person.disabled"
    ENABLED = "person.enabled"
    PERSON_DELETED = "person.deleted"
    TASK_CANCELLED = "task.cancelled"
    TASK_DELETED = "task.deleted"


@dataclass(frozen=True)
class Origin:
    """The channel and address of the current request; the address is None where it is not known."""

    channel: Channel
    address: str | None


_origin: ContextVar[Origin] = ContextVar("current_origin", default=Origin(Channel.SYSTEM, None))  # noqa: B039  it is frozen


def set_origin(channel: Channel, address: str | None = None) -> None:
    """Set the origin of everything that follows in this context."""
    _origin.set(Origin(channel, address))


def current_origin() -> Origin:
    """What ``set_origin`` set last in this context; at first Taskdeck itself."""
    return _origin.get()


def record(session: Session, kind: Kind, *, by: Actor | None, subject: str = "", detail: str = "") -> None:
    """Write down an act in the transaction that does it. ``by`` is None for an operator and for Taskdeck itself."""
    origin = current_origin()
    session.add(
        AuditEvent(
            at=engine.now(),
            actor_id=by.id if by else None,
            actor=by.username if by else "",
            way=origin.channel,
            address=origin.address,
            kind=kind,
            subject=subject,
            detail=detail,
        )
    )


def page(
    admin: Actor,
    *,
    kinds: Collection[Kind] = (),
    actor: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int = PAGE_EVENTS,
) -> list[AuditEvent]:
    """Events, newest first: of these kinds, of this username, from this time on, older than the event ``before``.

    Raises Forbidden unless ``admin`` may read the audit trail.
    """
    wanted = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if kinds:
        wanted = wanted.where(AuditEvent.kind.in_(kinds))
    if actor is not None:
        wanted = wanted.where(AuditEvent.actor == actor)
    if since is not None:
        wanted = wanted.where(AuditEvent.at >= since, AuditEvent.id > _number_before(since))
    if before is not None:
        wanted = wanted.where(AuditEvent.id < before)
    with acting_as_admin(admin, Right.READ_AUDIT, reading=True) as session:
        return list(session.scalars(wanted))


def _number_before(since: datetime) -> ColumnElement[int]:
    """The number of an event from before this time, or 0: for a time alone SQLite would read the whole trail."""
    before = select(AuditEvent.id).where(AuditEvent.at < since - _SKEW).order_by(AuditEvent.at.desc()).limit(1)
    return func.coalesce(before.scalar_subquery(), 0)

"""The audit trail, the same on SQLite and on PostgreSQL in both set-ups: it is added to, and never changed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.database import engine
from core.database.engine import is_postgresql
from core.database.models import ApiToken, AuditEvent, AuthSession, Channel, Role, SignInThrottle, Task, User
from core.database.ownership import (
    Actor,
    OwnershipViolation,
    acting_as,
    acting_as_admin,
    acting_as_nobody,
    acting_as_system,
    reading_everyone,
)
from core.errors import Forbidden
from core.identity import audit
from core.tasks import commands
from tests.core.database.conforming import Pair, become
from tests.core.database.test_conformance_sql import web
from tests.core.identity.trail import events, told
from tests.support.databases import unguarded
from tests.support.on_postgresql import Present

REFUSED = (OwnershipViolation, DBAPIError)  #: before the statement is sent, or by the database

Begin = Callable[[Pair], AbstractContextManager[Session]]

#: Every way to a session that may write.
WAYS: dict[str, Begin] = {
    "a person": lambda pair: acting_as(pair.bob),
    "nobody": lambda pair: acting_as_nobody(),
    "nobody, serialized": lambda pair: acting_as_nobody(serialized=True),
    "an administrator": lambda pair: acting_as_admin(pair.bob),
    "the processor": lambda pair: acting_as_system(),
}
READERS: dict[str, Begin] = {
    "a person who reads": lambda pair: acting_as(pair.bob, reading=True),
    "an analyst": lambda pair: reading_everyone(pair.bob),
    "nobody who reads": lambda pair: acting_as_nobody(reading=True),
    "the processor that reads": lambda pair: acting_as_system(reading=True),
}


def event_of(actor: Actor | None) -> AuditEvent:
    return AuditEvent(
        actor_id=actor.id if actor else None, actor=actor.username if actor else "", way=Channel.UI, kind="x",
        subject="", detail="",
    )  # fmt: skip


@pytest.fixture
def trail(pair: Pair) -> Pair:
    """Ada and Bob, who is an administrator, with an event of each."""
    become(pair.bob, Role.ADMIN)
    for actor in (pair.ada, pair.bob):
        commands.cancel(actor, pair.adas if actor is pair.ada else pair.bobs)
    return pair


@pytest.mark.parametrize("way", WAYS)
def test_every_way_that_writes_may_add_what_its_person_did(way: str, trail: Pair) -> None:
    with WAYS[way](trail) as session:
        audit.record(session, audit.Kind.TASK_CANCELLED, by=trail.bob, subject="new")
    with unguarded() as session:
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert last and (last.actor_id, last.actor, last.subject) == (trail.bob.id, "bob", "new")


def test_a_person_adds_no_event_of_another_nor_nobodys_and_whoever_reads_everybody_none(trail: Pair) -> None:
    before = told()
    for other in (trail.ada, None):
        with pytest.raises(OwnershipViolation), acting_as(trail.bob) as session:
            session.add(event_of(other))
    with pytest.raises(OwnershipViolation), reading_everyone(trail.bob) as session:
        session.add(event_of(trail.bob))
    for begin in READERS.values() if is_postgresql() else ():
        with pytest.raises(REFUSED), begin(trail) as session:
            session.add(event_of(trail.bob))
    assert told() == before


READS: dict[str, Callable[[], Any]] = {
    "entities": lambda: select(AuditEvent),
    "a column": lambda: select(AuditEvent.subject),
    "a count": lambda: select(func.count()).select_from(AuditEvent),
    "beside a task": lambda: select(Task.id, AuditEvent.subject).join(AuditEvent, AuditEvent.actor_id == Task.user_id),
    "a scalar subquery": lambda: select(Task.id, select(AuditEvent.subject).limit(1).scalar_subquery()),
    "the table": lambda: select(AuditEvent.__table__),
    "text": lambda: text("SELECT * FROM audit_events"),
}


@pytest.mark.parametrize("who", ["a person", "a person who reads", "an analyst"])
def test_a_person_reads_no_event_not_even_an_administrator_as_a_person(who: str, trail: Pair) -> None:
    for read in READS.values():
        with pytest.raises(OwnershipViolation), (WAYS | READERS)[who](trail) as session:
            session.execute(read()).all()


CHANGES: dict[str, Callable[[Session, AuditEvent], object]] = {
    "an object's change": lambda session, found: setattr(session.merge(found, load=False), "subject", "x"),
    "an object's removal": lambda session, found: session.delete(session.merge(found, load=False)),
    "an update": lambda session, found: session.execute(update(AuditEvent).values(subject="x")),
    "one update": lambda session, found: session.execute(
        update(AuditEvent).where(AuditEvent.id == found.id).values(detail="x")
    ),
    "a delete": lambda session, found: session.execute(delete(AuditEvent)),
    "one delete": lambda session, found: session.execute(delete(AuditEvent).where(AuditEvent.id == found.id)),
    "an update by key": lambda session, found: session.execute(update(AuditEvent), [{"id": found.id, "actor": "x"}]),
    "text": lambda session, found: session.execute(text("DELETE FROM audit_events")),
    "the table": lambda session, found: session.execute(delete(AuditEvent.__table__)),
    "another one in its place": lambda session, found: session.execute(
        insert(AuditEvent.__table__).values(
            id=found.id, at=engine.now(), actor="x", way=Channel.UI, kind="x", subject="x", detail="x"
        )
    ),
}


@pytest.mark.parametrize("way", [*WAYS, *READERS])
def test_nobody_changes_or_removes_an_event(way: str, trail: Pair) -> None:
    bobs = events()[-1]
    before = [vars(event) | {"_sa_instance_state": 0} for event in events()]
    for change in CHANGES.values():
        with pytest.raises(REFUSED), (WAYS | READERS)[way](trail) as session:
            change(session, bobs)
            session.flush()
    assert [vars(event) | {"_sa_instance_state": 0} for event in events()] == before


def test_an_administrator_is_who_is_one_now(pair: Pair) -> None:
    for role, is_active in ((Role.MEMBER, True), (Role.ANALYST, True), (Role.ADMIN, False)):
        become(pair.bob, role, is_active)
        for begin in (acting_as_admin, partial(acting_as_admin, reading=True)):
            with pytest.raises(Forbidden, match="Only administrators"), begin(pair.bob):
                pass
    become(pair.bob, Role.ADMIN)
    with acting_as_admin(pair.bob, reading=True) as session:
        assert len(session.scalars(select(User)).all()) == 2
    with pytest.raises(OwnershipViolation), acting_as_admin(pair.bob) as session:
        session.scalars(select(Task)).all()


CHANGE = (
    "UPDATE audit_events SET subject = 'x'",
    "DELETE FROM audit_events",
    "TRUNCATE audit_events",
    "ALTER TABLE audit_events DISABLE TRIGGER ALL",
    "DROP TABLE audit_events",
    "INSERT INTO audit_events (id, at, actor, way, kind, subject, detail) OVERRIDING SYSTEM VALUE "
    "VALUES (1, now(), '', 'ui', '', '', '') ON CONFLICT (id) DO UPDATE SET subject = 'x'",
)


def test_on_postgresql_the_pages_login_may_not_change_what_is_there(trail: Pair, postgresql: Present) -> None:
    before = told()
    with web(trail.bob) as cursor:
        refused(cursor, *CHANGE)
    assert told() == before


def refused(cursor: Cursor, *statements: str) -> None:
    """This login has no right to any of these."""
    for statement in statements:
        cursor.execute("SAVEPOINT s")
        with pytest.raises(InsufficientPrivilege):
            cursor.execute(statement)
        cursor.execute("ROLLBACK TO s")


def test_the_runners_login_adds_events_deletes_people_and_no_more(trail: Pair, postgresql: Present) -> None:
    added = "INSERT INTO audit_events (at, actor, way, kind, subject, detail) VALUES (now(), '', 'system', 'x', '', '')"
    columns = ("actor", "subject", "detail", "address", "*")
    with postgresql.as_login("taskdeck_runner") as connection, connection.cursor() as cursor:
        cursor.execute(f"{added} RETURNING id")
        refused(
            cursor,
            *CHANGE,
            *(f"SELECT {column} FROM audit_events" for column in columns),  # noqa: S608
            "SELECT password_hash FROM users",
            "SELECT role FROM users",
            "UPDATE users SET is_active = true",
            "INSERT INTO users SELECT * FROM users",
            *(f"SELECT * FROM {model.__tablename__}" for model in (AuthSession, ApiToken, SignInThrottle)),  # noqa: S608
        )
        cursor.execute("DELETE FROM users WHERE username = 'ada' RETURNING username, email")
        assert cursor.fetchall() == [("ada", "ada@example.org")]


def test_on_sqlite_not_even_another_program_changes_an_event_by_mistake(trail: Pair, sqlite_file: Any) -> None:
    before = told()
    for statement in ("DELETE FROM audit_events", "UPDATE audit_events SET detail = 'x'"):
        with pytest.raises(DBAPIError, match="nothing changes or removes"), unguarded() as session:
            session.execute(text(statement))
    assert told() == before

"""The only ways to the data.

acting_as           a person, who reaches their own rows alone
reading_everyone    somebody with that right, who reads everybody's rows and writes none
acting_as_nobody    sign-in, before anybody is known: people, sessions and tokens, no row that has an owner
acting_as_admin     the same, for somebody with a right to manage people or to read the audit trail
acting_as_system    the processor, which serves everybody

On PostgreSQL each is a role with policies of its own, and the database keeps them apart. The rules here are the same
and hold on both databases: every query gets the owner's condition, every flush is checked, and whatever cannot be
filtered is refused. Each may add to the audit trail what its own person does; nothing changes or removes what is there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import ClauseElement, Executable, Table, event, select
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.sql import visitors

from core.database import engine
from core.database.models import AuditEvent, Owned, Role, User, owned_tables
from core.database.roles import Right, having
from core.errors import Forbidden


class OwnershipViolation(Exception):
    """Code tried to reach past its owner: a bug in Taskdeck, never an answer to a person."""


_IMMUTABLE = "audit events are immutable"


@dataclass(frozen=True)
class Actor:
    """The person who asks."""

    id: UUID
    username: str
    name: str
    email: str
    role: Role


class _GuardedSession(Session):
    """A session whose statements are looked at; the ways past its events are closed."""

    def _closed(self, *_: object, **__: object) -> NoReturn:
        raise OwnershipViolation("only ORM statements and objects can be limited to an owner")

    connection = bulk_save_objects = bulk_insert_mappings = bulk_update_mappings = _closed


class _OwnedSession(_GuardedSession):
    """Sees one person's rows."""


class _ReadingSession(_GuardedSession):
    """Sees everybody's rows and writes nothing."""


class _NobodysSession(_GuardedSession):
    """Sees no row that has an owner."""


@contextmanager
def acting_as(actor: Actor, *, reading: bool = False) -> Iterator[Session]:
    """One transaction as ``actor``: committed at the end, rolled back by any error.

    ``reading`` promises that nothing is written; on SQLite it then waits for no writer.
    """
    user = str(actor.id)
    bind = engine.reading(user_id=user) if reading else engine.writing(user_id=user)
    with _OwnedSession(bind, expire_on_commit=False, info={"owner": actor.id}) as session, session.begin():
        yield session


@contextmanager
def reading_everyone(actor: Actor) -> Iterator[Session]:
    """One transaction that reads everybody's tasks, logs and artifacts. Raises Forbidden without that right.

    What counts is the role that the account has now, not the one that ``actor`` had at the sign-in.
    """
    with acting_as_nobody(reading=True) as session:
        allowed = session.scalar(
            select(User.id).where(User.id == actor.id, User.is_active, User.role.in_(having(Right.READ_EVERYONE)))
        )
    if allowed is None:
        raise Forbidden("Only analysts and administrators may read everybody's tasks.")
    bind = engine.reading(user_id=str(actor.id), reads="everyone")
    with _ReadingSession(bind, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def acting_as_nobody(*, reading: bool = False, serialized: bool = False) -> Iterator[Session]:
    """One transaction for sign-in: people, sessions and tokens alone.

    ``serialized`` transactions, which read and then write, run one at a time.
    """
    bind = engine.reading() if reading else engine.writing(serialized=serialized)
    with _NobodysSession(bind, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def acting_as_admin(actor: Actor, right: Right = Right.MANAGE_PEOPLE, *, reading: bool = False) -> Iterator[Session]:
    """One transaction of somebody with this right; writing ones run one at a time. Raises Forbidden without the right.

    What counts is the role that the account has now.
    """
    with acting_as_nobody(reading=reading, serialized=not reading) as session:
        user = session.get(User, actor.id)
        if user is None or not user.is_active or not user.role.may(right):
            raise Forbidden("Only administrators may do this.")
        yield session


@contextmanager
def acting_as_system(*, reading: bool = False, wait: float | None = None) -> Iterator[Session]:
    """One transaction for the processor and what keeps house. Never for a page or a route.

    ``wait`` is for how many seconds it waits for another writer, if not for the usual time.
    """
    bind = engine.reading(engine.DatabaseRole.WORKER) if reading else engine.writing(wait, engine.DatabaseRole.WORKER)
    with Session(bind, expire_on_commit=False) as session, session.begin():
        yield session


@event.listens_for(_GuardedSession, "do_orm_execute")
def _only_what_may_be_reached(state: ORMExecuteState) -> None:
    if not (state.is_orm_statement and (state.is_select or state.is_update or state.is_delete)):
        raise OwnershipViolation("only ORM select, update and delete can be limited to an owner")
    if state.is_executemany:
        raise OwnershipViolation("a bulk write cannot be limited to an owner")
    asked, owned = _tables(state.statement), {table.name for table in owned_tables()}
    if isinstance(state.session, _NobodysSession):
        if asked & owned:
            raise OwnershipViolation("without a person there is no owned row")
        if AuditEvent.__tablename__ in asked and not state.is_select:
            raise OwnershipViolation(_IMMUTABLE)
        return
    if asked - owned:
        raise OwnershipViolation("a table without an owner is out of a person's reach")
    if isinstance(state.session, _ReadingSession):
        if not state.is_select:
            raise OwnershipViolation("whoever reads everybody's rows writes none")
        return
    owner = state.session.info["owner"]
    state.statement = state.statement.options(
        with_loader_criteria(Owned, lambda table: table.user_id == owner, include_aliases=True)
    )


def _tables(statement: Executable) -> set[str]:
    """The name of every table in a statement, however deep."""
    assert isinstance(statement, ClauseElement)  # noqa: S101  every ORM statement is one
    elements = (getattr(element, "table", element) for element in visitors.iterate(statement))
    return {element.name for element in elements if isinstance(element, Table)}


@event.listens_for(_OwnedSession, "before_attach")
def _only_own_objects(session: Session, row: object) -> None:
    # Without this, a refresh of another's object, which takes no criteria, would load it.
    if not _is_own(row, session.info["owner"]):
        raise OwnershipViolation(f"{type(row).__name__} is not the actor's")


@event.listens_for(_OwnedSession, "before_flush")
def _only_own_changes(session: Session, _: UOWTransaction, __: Any) -> None:
    for row in (*session.new, *session.dirty, *session.deleted):
        if not _is_own(row, session.info["owner"]):
            raise OwnershipViolation(f"{type(row).__name__} is not the actor's to write")


def _is_own(row: object, owner: UUID) -> bool:
    return row.actor_id == owner if isinstance(row, AuditEvent) else isinstance(row, Owned) and row.user_id == owner


@event.listens_for(_ReadingSession, "before_flush")
def _no_changes(session: Session, _: UOWTransaction, __: Any) -> None:
    if session.new or session.dirty or session.deleted:
        raise OwnershipViolation("whoever reads everybody's rows writes none")


@event.listens_for(_NobodysSession, "before_flush")
def _no_owned_changes(session: Session, _: UOWTransaction, __: Any) -> None:
    if any(isinstance(row, Owned) for row in (*session.new, *session.dirty, *session.deleted)):
        raise OwnershipViolation("without a person there is no owned row")


@event.listens_for(Session, "before_flush")
def _audit_events_are_immutable(session: Session, _: UOWTransaction, __: Any) -> None:
    if any(isinstance(row, AuditEvent) for row in (*session.dirty, *session.deleted)):
        raise OwnershipViolation(_IMMUTABLE)

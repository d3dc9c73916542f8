"""The only two ways to the data: as a person, who reaches their own rows alone, and as the system.

On SQLite the rule is kept here: every query gets the owner's condition, every flush is checked, and whatever
cannot be filtered is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria

from core import db
from core.models import Owned, Role


class OwnershipViolation(Exception):
    """Code tried to reach past its owner: a bug in Taskdeck, never an answer to a person."""


@dataclass(frozen=True)
class Actor:
    """The person who asks."""

    id: UUID
    username: str
    name: str
    email: str
    role: Role


class _OwnedSession(Session):
    """A session that sees one person's rows; the ways past its events are closed."""

    def _closed(self, *_: object, **__: object) -> NoReturn:
        raise OwnershipViolation("only ORM statements and objects can be limited to an owner")

    connection = bulk_save_objects = bulk_insert_mappings = bulk_update_mappings = _closed


@contextmanager
def acting_as(actor: Actor, *, reading: bool = False) -> Iterator[Session]:
    """One transaction as ``actor``: committed at the end, rolled back by any error.

    ``reading`` promises that nothing is written; on SQLite it then waits for no writer.
    """
    bind = db.reading() if reading else db.writing()
    with _OwnedSession(bind, expire_on_commit=False, info={"owner": actor.id}) as session, session.begin():
        yield session


@contextmanager
def acting_as_system(
    *, reading: bool = False, wait: float | None = None, pool: db.Pool = db.Pool.PEOPLE
) -> Iterator[Session]:
    """One transaction for the parts that serve everybody: sign-in and the processor. Never a page or a route.

    ``wait`` is for how many seconds it waits for another writer, if not for the usual time.
    """
    bind = db.reading(pool) if reading else db.writing(wait, pool)
    with Session(bind, expire_on_commit=False) as session, session.begin():
        yield session


@event.listens_for(_OwnedSession, "do_orm_execute")
def _only_own_rows(state: ORMExecuteState) -> None:
    if not (state.is_orm_statement and (state.is_select or state.is_update or state.is_delete)):
        raise OwnershipViolation("only ORM select, update and delete can be limited to an owner")
    if state.is_executemany or any(not issubclass(mapper.class_, Owned) for mapper in state.all_mappers):
        raise OwnershipViolation("a bulk write, or a table without an owner, is out of an actor's reach")
    owner = state.session.info["owner"]
    state.statement = state.statement.options(
        with_loader_criteria(Owned, lambda table: table.user_id == owner, include_aliases=True)
    )


@event.listens_for(_OwnedSession, "before_attach")
def _only_own_objects(session: Session, row: object) -> None:
    # Without this, a refresh of another's object, which takes no criteria, would load it.
    if not isinstance(row, Owned) or row.user_id != session.info["owner"]:
        raise OwnershipViolation(f"{type(row).__name__} is not the actor's")


@event.listens_for(_OwnedSession, "before_flush")
def _only_own_changes(session: Session, _: UOWTransaction, __: Any) -> None:
    for row in (*session.new, *session.dirty, *session.deleted):
        if not isinstance(row, Owned) or row.user_id != session.info["owner"]:
            raise OwnershipViolation(f"{type(row).__name__} is not the actor's to write")

"""Ownership on PostgreSQL: who reads everybody, who only reads, and whose connection it was before."""

from contextlib import suppress

import pytest
from psycopg2.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.exc import DBAPIError

from core.database import engine
from core.database.models import Role, Task, User
from core.database.ownership import OwnershipViolation, acting_as, acting_as_nobody, reading_everyone
from tests.core.database.conforming import Pair, become
from tests.core.database.test_conformance_sql import AS_APP, TABLES, firsts, insert_into, owners, web
from tests.support.on_postgresql import Present


@pytest.mark.parametrize("table", TABLES)
def test_the_database_itself_knows_who_may_read_everybody(table: str, pair: Pair, postgresql: Present) -> None:
    bob, both = {str(pair.bob.id)}, {str(pair.ada.id), str(pair.bob.id)}
    for role, is_active, seen in (
        (Role.MEMBER, True, bob),
        (Role.ANALYST, True, both),
        (Role.ADMIN, True, both),
        (Role.ADMIN, False, bob),
        (Role.MEMBER, True, bob),
    ):
        become(pair.bob, role, is_active)
        with web(pair.bob) as cursor:
            assert owners(cursor, table) == bob, "nobody reads everybody without asking for it"
            cursor.execute("SET app.reads = 'everyone'")
            assert owners(cursor, table) == seen
            if table == "tasks":
                cursor.execute("UPDATE tasks SET progress = 3 RETURNING user_id")
                assert firsts(cursor) == bob
                cursor.execute("DELETE FROM tasks RETURNING user_id")
                assert firsts(cursor) == bob
            with pytest.raises(InsufficientPrivilege):
                cursor.execute(insert_into(table, pair))
        with web() as cursor:
            cursor.execute(f"{AS_APP}; SET app.reads = 'everyone'")
            assert owners(cursor, table) == set(), "without a person"


def test_a_transaction_that_reads_cannot_write(pair: Pair, postgresql: Present) -> None:
    become(pair.bob, Role.ADMIN)
    for begin in (
        lambda: reading_everyone(pair.bob),
        lambda: acting_as(pair.bob, reading=True),
        lambda: acting_as_nobody(reading=True),
    ):
        with begin() as session:  # past the session's own rules
            connection = session.get_bind().connect()
            with pytest.raises(DBAPIError) as caught:
                connection.execute(text("UPDATE users SET name = 'x'"))
            assert isinstance(caught.value.orig, ReadOnlySqlTransaction)
            connection.close()


def test_one_connection_shows_no_foreign_row(pair: Pair, postgresql: Present, monkeypatch: pytest.MonkeyPatch) -> None:
    small = create_engine(engine.configured().url, pool_size=1, max_overflow=0)
    event.listen(small, "begin", lambda connection: engine._begin_postgresql(engine.DatabaseRole.WEB, connection))
    monkeypatch.setattr(engine, "configured", lambda role=engine.DatabaseRole.WEB: small)
    for turn in range(300):
        actor = (pair.ada, pair.bob)[turn % 2]
        with suppress(ZeroDivisionError, DBAPIError), acting_as(actor, reading=turn % 3 == 0) as session:
            assert {task.user_id for task in session.scalars(select(Task))} == {actor.id}
            match turn % 5:
                case 1:
                    raise ZeroDivisionError
                case 2:
                    session.scalar(select(Task.id / 0))
                case 3:
                    session.rollback()
        if turn % 7 == 0:
            with suppress(OwnershipViolation), acting_as_nobody(reading=True) as session:
                assert session.scalar(select(User.id).where(User.id == actor.id)) == actor.id
                session.scalars(select(Task)).all()
        if turn % 10 == 0:
            with small.connect() as bare:
                assert bare.exec_driver_sql("SELECT count(*) FROM tasks").scalar() == 0
    assert small.pool.checkedout() == 0  # type: ignore[attr-defined]
    small.dispose()

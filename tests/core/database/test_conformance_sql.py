# ruff: noqa: S608  the statements are the tests' own
"""Ownership against bare SQL on PostgreSQL: what the web login cannot do, whatever it sends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO

import psycopg2
import pytest
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import create_engine

from core.database import engine
from core.database.models import owned_tables
from core.database.ownership import Actor
from tests.core.database.conforming import Pair, dump
from tests.support.on_postgresql import Present

TABLES = sorted(table.name for table in owned_tables())
NOBODY = "SELECT set_config('app.user_id', '', true)"
#: Both set-ups: one login has no right before it takes a role.
AS_APP = "SET LOCAL ROLE tasks_app"


def as_person(user_id: object) -> str:
    return f"SELECT set_config('app.user_id', '{user_id}', true)"


@contextmanager
def web(person: Actor | None = None) -> Iterator[Cursor]:
    """A bare cursor of the web login's own engine, as ``person`` if given; nothing that it does is committed."""
    raw = create_engine(engine.configured().url).raw_connection()
    try:
        with raw.cursor() as cursor:
            if person:
                cursor.execute(f"{AS_APP}; {as_person(person.id)}")
            yield cursor
    finally:
        raw.invalidate()


def firsts(cursor: Cursor) -> set[str]:
    return {str(row[0]) for row in cursor.fetchall()}


def owners(cursor: Cursor, table: str) -> set[str]:
    cursor.execute(f"SELECT user_id FROM {table}")
    return firsts(cursor)


@pytest.mark.parametrize("table", TABLES)
def test_without_a_user_nothing_is_read_or_written(table: str, pair: Pair, setup: str, postgresql: Present) -> None:
    before = dump()
    with web() as cursor:
        if setup == "one login":
            with pytest.raises(InsufficientPrivilege):
                cursor.execute(f"SELECT * FROM {table}")
            cursor.connection.rollback()
            cursor.execute(AS_APP)
        assert owners(cursor, table) == set()  # the setting was never made: NULL
        cursor.execute(as_person(pair.ada.id))
        assert owners(cursor, table) == {str(pair.ada.id)}
        cursor.connection.rollback()
        cursor.execute(AS_APP)
        assert owners(cursor, table) == set()  # it was made and is gone: an empty text
        if table == "tasks":
            cursor.execute("UPDATE tasks SET progress = 9 RETURNING id")
            assert cursor.fetchall() == []
            cursor.execute("DELETE FROM tasks RETURNING id")
            assert cursor.fetchall() == []
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            cursor.execute(insert_into(table, pair))
    assert dump() == before


def insert_into(table: str, pair: Pair) -> str:
    """A row of Ada's."""
    return {
        "tasks": f"INSERT INTO tasks (user_id, prompt) VALUES ('{pair.ada.id}', 'forged')",
        "task_logs": f"INSERT INTO task_logs VALUES ({pair.adas}, 99, '{pair.ada.id}', now(), 'info', 'forged')",
        "artifacts": f"INSERT INTO artifacts VALUES ({pair.adas}, 'x', '{pair.ada.id}', 1, 'x', 'text/plain')",
    }[table]


@pytest.mark.parametrize("table", TABLES)
def test_with_a_user_only_their_rows_are_there(table: str, pair: Pair, postgresql: Present) -> None:
    bobs = {str(pair.bob.id)}
    with web(pair.bob) as cursor:
        assert owners(cursor, table) == bobs
        for query in (
            f"WITH found AS MATERIALIZED (TABLE {table}) SELECT user_id FROM found",
            f"SELECT user_id FROM {table} WHERE user_id = '{pair.ada.id}' OR true",
            f"SELECT a.user_id FROM {table} a LEFT JOIN {table} b ON true",
            f"SELECT l.user_id FROM users u, LATERAL (SELECT * FROM {table}) l",
            f"SELECT user_id FROM {table} UNION ALL TABLE {table} LIMIT 0",
            f"SELECT (array_agg(user_id))[1] FROM {table}",
        ):
            with suppress(psycopg2.ProgrammingError):  # a UNION of unlike columns
                cursor.execute(f"SAVEPOINT s; {query}")
                assert firsts(cursor) <= bobs
                continue
            cursor.execute("ROLLBACK TO s")
        cursor.execute(f"SELECT count(*) FROM {table} WHERE user_id = '{pair.ada.id}'")
        assert cursor.fetchone() == (0,)
        copied = StringIO()
        cursor.copy_expert(f"COPY {table} (user_id) TO STDOUT", copied)
        assert set(copied.getvalue().split()) == bobs
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            cursor.execute(insert_into(table, pair))
    if table != "tasks":  # a row on another's task is refused by its key
        with web(pair.bob) as cursor, pytest.raises(psycopg2.errors.ForeignKeyViolation):
            cursor.execute(insert_into(table, pair).replace(str(pair.ada.id), str(pair.bob.id)))


REFUSED = {
    "the owner's change": "UPDATE tasks SET user_id = gen_random_uuid()",
    "the id's change": "UPDATE tasks SET id = DEFAULT",
    "the prompt's change": "UPDATE tasks SET prompt = 'another'",
    "the time's change": "UPDATE tasks SET created_at = now()",
    "an entry's change": "UPDATE task_logs SET message = 'another'",
    "an artifact's change": "UPDATE artifacts SET sha256 = 'another'",
    "an entry's removal": "DELETE FROM task_logs",
    "an artifact's removal": "DELETE FROM artifacts",
    "an owner's change on a conflict": (
        "INSERT INTO tasks (id, user_id, prompt) OVERRIDING SYSTEM VALUE SELECT id, user_id, prompt FROM tasks "
        "ON CONFLICT (id) DO UPDATE SET user_id = gen_random_uuid()"
    ),
    "TRUNCATE": "TRUNCATE tasks CASCADE",
    "ALTER TABLE": "ALTER TABLE tasks ADD COLUMN more text",
    "no force": "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY",
    "no row level security": "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY",
    "no policy": "DROP POLICY owner ON tasks",
    "another policy": "CREATE POLICY mine ON tasks FOR SELECT USING (true)",
    "a wider policy": "ALTER POLICY owner ON tasks USING (true)",
    "a trigger": "CREATE TRIGGER mine BEFORE INSERT ON tasks EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "a rule": "CREATE RULE mine AS ON INSERT TO tasks DO NOTHING",
    "no triggers": "SET session_replication_role = 'replica'",
    **{
        f"{what} in {schema}": statement.format(schema=schema)
        for schema in ("public", "pg_temp")
        for what, statement in {
            "a function": "CREATE FUNCTION {schema}.x() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
            "a view": "CREATE VIEW {schema}.seen AS SELECT user_id FROM tasks",
            "a table": "CREATE TABLE {schema}.tasks (id bigint)",
        }.items()
    },
    "the owner's role": "SET ROLE taskdeck_owner",
    "the superuser's role": "SET ROLE postgres",
    "the owner's session": "SET SESSION AUTHORIZATION taskdeck_owner",
    "another's file": "COPY (SELECT 1) TO PROGRAM 'true'",
    "the schema's version": "UPDATE alembic_version SET version_num = '0001'",
    "the removal of a person with all their rows": "DELETE FROM users",
}


@pytest.mark.parametrize("way", REFUSED)
def test_the_database_refuses_the_web_login(way: str, pair: Pair, postgresql: Present) -> None:
    before = dump()
    with web(pair.bob) as cursor:
        refused = (InsufficientPrivilege, psycopg2.errors.InvalidParameterValue)
        with pytest.raises(refused, match=r"permission denied|must be|row-level security|COPY FROM not supported"):
            cursor.execute(REFUSED[way])
    assert dump() == before


def test_a_web_login_of_its_own_cannot_become_the_runner(pair: Pair, setup: str, postgresql: Present) -> None:
    with web(pair.bob) as cursor:
        if setup == "two logins":
            with pytest.raises(InsufficientPrivilege, match="permission denied to set role"):
                cursor.execute("SET ROLE tasks_worker")
        else:  # the price of one login: it may take both
            cursor.execute("SET ROLE tasks_worker")
            assert owners(cursor, "tasks") == {str(pair.ada.id), str(pair.bob.id)}


def test_a_reset_of_the_role_shows_no_more(pair: Pair, setup: str, postgresql: Present) -> None:
    for reset in ("RESET ROLE", "SET ROLE NONE", "RESET ALL", "DISCARD ALL"):
        with web(pair.bob) as cursor:
            if reset == "DISCARD ALL":
                cursor.connection.commit()
                cursor.connection.autocommit = True
            cursor.execute(reset)
            if setup == "one login" and reset != "RESET ALL":
                with pytest.raises(InsufficientPrivilege):
                    cursor.execute("SELECT * FROM tasks")
            else:
                assert owners(cursor, "tasks") <= {str(pair.bob.id)}


def test_what_one_may_do_one_cannot_give_away(pair: Pair, postgresql: Present) -> None:
    rights = "SELECT relacl::text FROM pg_class WHERE relname IN ('tasks', 'users') ORDER BY relname"
    with web() as cursor:
        cursor.execute(AS_APP)
        cursor.execute(rights)
        before = cursor.fetchall()
        cursor.execute("GRANT SELECT ON tasks TO PUBLIC; GRANT SELECT ON users TO PUBLIC")
        assert len(cursor.connection.notices) == 2, "no privileges were granted"
        cursor.execute(rights)
        assert cursor.fetchall() == before


def test_neither_row_security_off_nor_a_copy_goes_past_the_policies(pair: Pair, postgresql: Present) -> None:
    with web(pair.bob) as cursor:
        cursor.execute("SET row_security = off")
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            cursor.execute("SELECT * FROM tasks")
    with web(pair.bob) as cursor, pytest.raises(psycopg2.errors.FeatureNotSupported, match="row-level security"):
        cursor.copy_expert("COPY task_logs FROM STDIN", StringIO())


@pytest.mark.parametrize("table", TABLES)
def test_a_function_that_tells_is_not_asked_before_the_policy(table: str, pair: Pair, postgresql: Present) -> None:
    bob, ada = str(pair.bob.id), str(pair.ada.id)
    postgresql.execute(
        "CREATE FUNCTION leak(whose uuid) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
        "$$ BEGIN RAISE NOTICE 'saw %', whose; RETURN true; END $$"
    )
    with web(pair.bob) as cursor:
        cursor.execute(f"SELECT user_id FROM {table} WHERE leak(user_id)")
        assert firsts(cursor) == {bob}
        assert any(bob in notice for notice in cursor.connection.notices), "it was called"
        assert not any(ada in notice for notice in cursor.connection.notices)
        cursor.execute(as_person(ada) + f"; SELECT user_id FROM {table}")
        assert firsts(cursor) == {ada}, "the test can see what the policy shows"


def test_the_statistics_show_no_values(pair: Pair, postgresql: Present) -> None:
    postgresql.execute("ANALYZE tasks", "ANALYZE task_logs", "ANALYZE artifacts")
    with web(pair.bob) as cursor:
        cursor.execute("SELECT tablename FROM pg_stats WHERE tablename = ANY(%s)", (TABLES,))
        assert cursor.fetchall() == []

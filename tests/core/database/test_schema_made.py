"""The schema as it is made on PostgreSQL: by a plain owner, by many at once, forwards and backwards."""

import os
import subprocess
import sys
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from alembic import command

from core.database import engine, schema
from core.errors import ConfigurationError
from core.identity import people
from core.tasks import commands
from tests.conftest import PASSWORD
from tests.core.database.conforming import OWNED, lacks
from tests.core.operating import leading_to, one_sentence, operate
from tests.support.on_postgresql import Present
from tests.support.postgresql import PostgreSQL, programs, server
from tests.support.server import ROOT
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("postgresql")

RACERS = 4
PREPARE, UPGRADE = "schema.prepare()", "schema.upgrade()"


@pytest.fixture
def empty(database: object, postgresql: Present, world: World) -> Present:
    """A database without a table, which the settings now lead to."""
    world.settle(**database.empty())  # type: ignore[attr-defined]
    return Present(database)  # type: ignore[arg-type]


def objects(present: Present) -> list[tuple[object, ...]]:
    """Everything of ours that the database holds."""
    return present.ask(
        "SELECT relname::text, relkind::text, relrowsecurity, relforcerowsecurity FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace UNION ALL SELECT typname, 'type', false, false FROM pg_type "
        "WHERE typnamespace = 'public'::regnamespace UNION ALL SELECT policyname, tablename, false, false "
        "FROM pg_policies UNION ALL SELECT rolname, 'role', false, false FROM pg_roles ORDER BY 1, 2"
    )


def race(environments: list[dict[str, str]], act: str) -> None:
    """Do it to all of these at once; all must succeed."""
    command = [sys.executable, "-W", "error", "-c", f"from core.database import schema; {act}"]
    racers = [
        subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stderr=subprocess.PIPE, text=True)
        for env in environments
    ]
    errors = [racer.communicate(timeout=100)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * len(racers), "".join(errors)[-1500:]


def ask(bare: PostgreSQL, database: str, question: str) -> Any:
    """One value, as the superuser of a bare server."""
    with closing(psycopg2.connect(bare.dsn(database))) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchall()[0][0]


def test_what_db_roles_prints_works_on_an_empty_server_and_needs_no_further_right(world: World) -> None:
    printed = operate("db", "roles")
    assert (printed.returncode, printed.stderr) == (0, "")
    with server(roles=False) as bare:
        psql = subprocess.run(
            [programs() / "psql", "-X", "-v", "ON_ERROR_STOP=1", bare.dsn("postgres")],
            input=printed.stdout,
            capture_output=True,
            text=True,
        )
        assert (psql.returncode, psql.stderr) == (0, "")
        world.settle(**leading_to(bare, "taskdeck"))
        assert operate("db", "upgrade").stderr == "The database has the newest schema.\n"
        assert operate("db", "check").returncode == 0
        assert people.add("ada", "ada@example.org", "Ada", PASSWORD)
        kinds = "SELECT bool_or(rolsuper OR rolbypassrls OR rolcreaterole) FROM pg_roles WHERE rolname ~ '^task'"
        assert ask(bare, "postgres", kinds) is False
        single = [
            line.removeprefix("--") for line in printed.stdout.splitlines() if line.endswith((" taskdeck;", "worker;"))
        ]
        bare.execute(*(line for line in single if "LOGIN NOINHERIT" in line or "GRANT CONNECT" in line))
        url = bare.url("taskdeck", "taskdeck")
        world.settle(DATABASE_URL=url, WORKER_DATABASE_URL=url)
        assert operate("db", "check").returncode == 0
        engine.dispose()


def test_an_owner_who_may_not_make_roles_gets_one_sentence_and_leaves_nothing_behind(world: World) -> None:
    with server(roles=False) as bare:
        bare.execute("CREATE ROLE plain LOGIN", "CREATE DATABASE taskdeck OWNER plain")
        world.settle(**leading_to(bare, "taskdeck", **dict.fromkeys(leading_to(bare, ""), "plain")))
        for words in (("db", "upgrade"), ("users", "list")):
            one_sentence(operate(*words), "python -m core db roles")
        assert ask(bare, "taskdeck", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_a_login_that_may_not_make_tables_gets_one_sentence(empty: Present, world: World) -> None:
    world.settle(MIGRATION_DATABASE_URL=os.environ["DATABASE_URL"])
    one_sentence(operate("db", "upgrade"), "MIGRATION_DATABASE_URL")


def test_four_processes_that_prepare_an_empty_database_at_once_all_succeed(empty: Present) -> None:
    race([{}] * RACERS, PREPARE)
    schema.check()
    assert len(empty.ask("SELECT * FROM alembic_version")) == 1
    assert empty.ask("SELECT count(DISTINCT xmin::text) FROM pg_class WHERE relname ~ '^(tasks|users)$'") == [(1,)]


def test_four_databases_of_a_server_without_roles_are_prepared_at_once() -> None:
    with server(roles=False) as bare:
        bare.execute("CREATE ROLE maker LOGIN CREATEROLE")
        bare.execute(*(f"CREATE DATABASE d{number} OWNER maker" for number in range(RACERS)))
        makers = dict.fromkeys(leading_to(bare, ""), "maker")
        environments = [leading_to(bare, f"d{number}", **makers) for number in range(RACERS)]
        race(environments, UPGRADE)


def test_a_downgrade_to_the_beginning_leaves_nothing_and_can_be_upgraded_again(empty: Present) -> None:
    rights = "SELECT relname::text, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    schema.upgrade()
    at_newest = objects(empty), empty.ask(rights)
    command.downgrade(schema._alembic(), "base")
    left = [name for name, kind, *_ in objects(empty) if kind != "role"]
    assert {name for name in left if not str(name).strip("_").startswith("alembic_version")} == set()
    schema.upgrade()
    schema.check()
    assert (objects(empty), empty.ask(rights)) == at_newest
    assert [lacks(model.__tablename__) for model in OWNED] == [[]] * len(OWNED)


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_a_downgrade_leaves_the_rights_objects_and_rows_that_were_there_before(revision: str, empty: Present) -> None:
    def everything() -> tuple[object, ...]:
        rights = (
            "SELECT relname::text, a.grantee::regrole::text, a.privilege_type FROM pg_class, "
            "aclexplode(COALESCE(relacl, acldefault('r', relowner))) a "
            "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        columns = "SELECT attrelid::regclass::text, attname::text, attacl::text FROM pg_attribute WHERE attacl <> '{}'"
        return objects(empty), sorted(empty.ask(rights)), sorted(empty.ask(columns))

    command.upgrade(schema._alembic(), revision)
    before = everything()
    schema.upgrade()
    assert everything() != before
    ada = people.add("ada", "ada@example.org", "Ada", PASSWORD)
    task = commands.create(ada, prompt="stays")
    command.downgrade(schema._alembic(), revision)
    assert everything() == before
    assert all(bool(lacks(model.__tablename__)) is (revision < "0003") for model in OWNED)
    with pytest.raises(ConfigurationError):
        schema.check()
    schema.upgrade()
    assert commands.find(ada, task.id).prompt == "stays"
    assert empty.ask("SELECT count(*) FROM task_logs") == [(task.log_count,)]

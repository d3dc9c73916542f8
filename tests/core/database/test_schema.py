"""What may not be served is not served: one sentence, exit status 2, no traceback."""

from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest
from alembic import command
from sqlalchemy import text

from core.database import engine, schema
from core.database.ownership import Actor
from core.errors import ConfigurationError
from core.tasks import commands
from tests.core.operating import one_sentence, operate, serve
from tests.support.databases import Database, unguarded
from tests.support.on_postgresql import Present
from tests.support.world import World

LATER = "UPDATE alembic_version SET version_num = 'made-up'"


def refused(words: str) -> bool:
    """The database is not served as it is; the sentence that says so has these words."""
    with pytest.raises(ConfigurationError, match=words):
        schema.check()
    return True


def test_what_the_migrations_made_is_served_and_an_older_schema_not_before_it_is_prepared(
    database: Database, world: World, tmp_path: Path
) -> None:
    schema.check()
    schema.prepare()
    done = operate("db", "check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "The database can be served.\n")
    command.downgrade(schema._alembic(), "-1")
    one_sentence(operate("db", "check"), "older than this release", "python -m core db upgrade")
    schema.prepare()
    schema.check()
    world.settle(TASKDECK_DATA=str(tmp_path / "new"), **database.empty())
    one_sentence(operate("db", "check"), "older", "python -m core db upgrade")


def test_a_newer_schema_is_refused_by_commands_and_server_and_nothing_is_written() -> None:
    with unguarded() as session:
        session.execute(text(LATER))
    for words in (("db", "check"), ("db", "upgrade"), ("users", "list")):
        one_sentence(operate(*words), "newer than this release", "install the newer release")
    one_sentence(serve(), "Taskdeck cannot start", "newer")
    with unguarded() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "made-up"


def test_a_database_that_is_away_is_one_sentence_for_all(world: World, database: Database, tmp_path: Path) -> None:
    away = {name: url.replace("@", ":hunter2@") for name, url in database.nowhere(tmp_path).items()}
    done = [serve(**away)]
    assert done[0].stderr.startswith("Taskdeck cannot start")
    with world.nowhere():
        done += [operate(*words) for words in (("db", "check"), ("db", "upgrade"), ("users", "list"))]
    for each in done:
        assert each.returncode in (1, 2)
        assert each.stderr.count("\n") == 1 and "DATABASE_URL" in each.stderr, each.stderr
        assert "hunter2" not in each.stderr


#: Logins by what is wrong with them.
LOGINS = {
    "boss": "LOGIN SUPERUSER",
    "passer": "LOGIN BYPASSRLS IN ROLE tasks_app, tasks_worker",
    "everyrole": "LOGIN IN ROLE tasks_app, tasks_worker",
    "heir": "LOGIN IN ROLE tasks_app, taskdeck_runner",  # inherits tasks_worker by a detour
    "stranger": "LOGIN",
    "careful": "LOGIN NOINHERIT IN ROLE tasks_app, tasks_worker",
}


@pytest.fixture
def login(postgresql: Present) -> Callable[[str], str]:
    def make(name: str) -> str:
        """The address of this login, which is made if it is not there."""
        if name in LOGINS and not postgresql.ask("SELECT 1 FROM pg_roles WHERE rolname = %s", name):
            postgresql.execute(f"CREATE ROLE {name} {LOGINS[name]}")
        return postgresql.url(name)

    return make


@pytest.mark.parametrize(("variable", "name", "words"), [
    ("DATABASE_URL", "boss", "a superuser"), ("DATABASE_URL", "passer", "BYPASSRLS"),
    ("DATABASE_URL", "everyrole", "inherits tasks_worker"), ("DATABASE_URL", "heir", "inherits tasks_worker"),
    ("DATABASE_URL", "stranger", "tasks_app"), ("WORKER_DATABASE_URL", "boss", "a superuser"),
    ("WORKER_DATABASE_URL", "passer", "BYPASSRLS"), ("WORKER_DATABASE_URL", "stranger", "tasks_worker"),
    ("WORKER_DATABASE_URL", "taskdeck_web", "tasks_worker"),
])  # fmt: skip
def test_a_login_that_voids_the_policies_is_named(
    variable: str, name: str, words: str, login: Callable[[str], str], world: World
) -> None:
    world.settle(**{variable: login(name)})
    one_sentence(operate("db", "check"), f"{variable} ", words, "docs/operations.md")
    if name == "everyrole":
        one_sentence(serve(), "Taskdeck cannot start. DATABASE_URL")


def test_one_login_that_inherits_nothing_is_served(login: Callable[[str], str], world: World, ada: Actor) -> None:
    world.settle(DATABASE_URL=login("careful"), WORKER_DATABASE_URL=None, MIGRATION_DATABASE_URL=None)
    schema.prepare()
    assert operate("users", "list").stdout.startswith("ada\t")


def test_a_login_that_may_become_a_superuser_is_refused(postgresql: Present) -> None:
    postgresql.execute("GRANT postgres TO taskdeck_web")
    try:
        assert refused("may become one")
    finally:
        postgresql.execute("REVOKE postgres FROM taskdeck_web")


TASKS, LOGS, FILES = (f"The table {name} lacks row level security" for name in ("tasks", "task_logs", "artifacts"))
TRAIL = "may change the audit trail"
SETTING = "current_setting('app.user_id', true)"
VOIDED = {
    "DROP POLICY runner ON task_logs": LOGS, "DROP POLICY owner ON tasks": TASKS,
    "CREATE POLICY extra ON artifacts USING (true)": FILES, "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY": TASKS,
    "ALTER TABLE task_logs DISABLE ROW LEVEL SECURITY": LOGS, "DROP TABLE artifacts": FILES,
    "ALTER POLICY owner ON tasks USING (true)": TASKS, "ALTER POLICY owner ON tasks USING (user_id = user_id)": TASKS,
    f"ALTER POLICY owner ON task_logs USING (user_id::text = {SETTING} OR true)": LOGS,
    "ALTER POLICY runner ON tasks TO PUBLIC": TASKS,
    "GRANT ALL ON ALL TABLES IN SCHEMA public TO tasks_app": "rights of tasks_app",
    "GRANT TRUNCATE ON task_logs TO tasks_worker": "rights of tasks_worker",
    "REVOKE ALL ON tasks FROM tasks_app": "rights of tasks_app", "GRANT UPDATE ON audit_events TO tasks_app": TRAIL,
    "GRANT TRUNCATE ON audit_events TO PUBLIC": TRAIL,
    "GRANT CREATE ON SCHEMA public TO tasks_app": "tables of its own",
}  # fmt: skip


@pytest.mark.parametrize("statement", VOIDED)
def test_what_voids_the_policies_is_named_and_not_served(statement: str, postgresql: Present) -> None:
    schema.check()
    postgresql.execute(statement)
    assert refused(VOIDED[statement])
    if "NO FORCE" in statement:
        one_sentence(serve(), "Taskdeck cannot start. The table tasks ")


def test_a_role_that_is_gone_is_one_sentence(postgresql: Present) -> None:
    """As after a restore on another server: the tables are there and the roles are not."""
    postgresql.execute("ALTER ROLE tasks_app RENAME TO tasks_app_elsewhere")
    try:
        one_sentence(operate("db", "check"), "tasks_app")
    finally:
        postgresql.execute("ALTER ROLE tasks_app_elsewhere RENAME TO tasks_app")
    engine.dispose()


def test_the_pages_login_can_put_no_table_before_the_real_one(postgresql: Present) -> None:
    with postgresql.as_login("taskdeck_web") as connection, connection.cursor() as cursor:  # noqa: SIM117
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("CREATE TEMP TABLE tasks (id int)")


def test_logins_of_different_databases_are_refused(postgresql: Present, world: World) -> None:
    world.settle(WORKER_DATABASE_URL=postgresql.server.url("postgres", "taskdeck_runner"))
    assert refused("different databases")


def test_a_server_that_only_reads_counts_as_away(postgresql: Present, ada: Actor) -> None:
    postgresql.execute(f"ALTER DATABASE {postgresql.name} SET default_transaction_read_only = on")
    engine.dispose()
    with pytest.raises(engine.Unavailable):
        engine.ping(1)
    with pytest.raises(engine.Unavailable):
        commands.create(ada, prompt="x")

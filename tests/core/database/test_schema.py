"""What may not be served is not served: one sentence, exit status 2, no traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from core.database import engine, schema
from core.database.ownership import Actor
from core.errors import ConfigurationError
from tests.core.operating import core, one_sentence, serve
from tests.support.databases import unguarded
from tests.support.on_postgresql import Present

Settle = Callable[..., None]


def change(*statements: str) -> None:
    with unguarded() as session:
        for statement in statements:
            session.execute(text(statement))


def test_what_the_migrations_made_can_be_served() -> None:
    schema.check()
    schema.prepare()
    done = core("db", "check")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "The database can be served.\n"


def test_an_older_schema_is_not_served_as_it_is_and_prepared_by_itself() -> None:
    command.downgrade(schema._alembic(), "-1")
    with pytest.raises(ConfigurationError, match="older than this release"):
        schema.check()
    one_sentence(core("db", "check"), "older", "python -m core db upgrade")
    schema.prepare()
    schema.check()


def test_a_database_without_a_schema_is_older(database: object, settle: Settle, tmp_path: Path) -> None:
    settle(TASKDECK_DATA=str(tmp_path / "new"), **database.empty())  # type: ignore[attr-defined]
    one_sentence(core("db", "check"), "older", "python -m core db upgrade")


@pytest.mark.parametrize("way", [("db", "check"), ("db", "upgrade"), ("users", "list")])
def test_a_newer_schema_is_refused_and_nothing_is_written(way: tuple[str, ...]) -> None:
    change("UPDATE alembic_version SET version_num = 'made-up'")
    one_sentence(core(*way), "newer than this release", "install the newer release")
    with unguarded() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "made-up"


def test_the_server_does_not_start_on_a_newer_schema() -> None:
    change("UPDATE alembic_version SET version_num = 'made-up'")
    one_sentence(serve(), "Taskdeck cannot start", "newer")


@pytest.fixture
def nowhere(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment that leads to no database."""
    if not request.config.getoption("--postgresql"):
        return {"DATABASE_URL": f"sqlite:///{tmp_path}"}  # a folder
    url = f"postgresql://taskdeck:hunter2@/taskdeck?host={tmp_path}"
    return dict.fromkeys(("DATABASE_URL", "WORKER_DATABASE_URL", "MIGRATION_DATABASE_URL"), url)


def test_a_database_that_is_away_is_one_sentence_for_operators_and_server(nowhere: dict[str, str]) -> None:
    one_sentence(serve(**nowhere), "Taskdeck cannot start", "DATABASE_URL")
    for way in (("db", "check"), ("db", "upgrade"), ("users", "list")):
        done = core(*way, **nowhere)
        assert done.returncode in (1, 2)
        assert done.stderr.count("\n") == 1, done.stderr[-400:]
        assert "hunter2" not in done.stderr
        assert "DATABASE_URL" in done.stderr


#: Logins by what is wrong with them.
LOGINS = {
    "boss": "LOGIN SUPERUSER",
    "passer": "LOGIN BYPASSRLS IN ROLE tasks_app, tasks_worker",
    "everyrole": "LOGIN IN ROLE tasks_app, tasks_worker",
    "heir": "LOGIN IN ROLE tasks_app, taskdeck_runner",  # inherits tasks_worker by a detour
    "stranger": "LOGIN",
}


@pytest.fixture
def login(postgresql: Present) -> Callable[[str], str]:
    def make(name: str) -> str:
        """The address of this login, which is made if it is not there."""
        if not postgresql.ask("SELECT 1 FROM pg_roles WHERE rolname = %s", name):
            postgresql.execute(f"CREATE ROLE {name} {LOGINS[name]}")
        return postgresql.url(name)

    return make


@pytest.mark.parametrize(
    ("variable", "name", "words"),
    [
        ("DATABASE_URL", "boss", "a superuser"),
        ("DATABASE_URL", "passer", "BYPASSRLS"),
        ("DATABASE_URL", "everyrole", "inherits tasks_worker"),
        ("DATABASE_URL", "heir", "inherits tasks_worker"),
        ("DATABASE_URL", "stranger", "tasks_app"),
        ("WORKER_DATABASE_URL", "boss", "a superuser"),
        ("WORKER_DATABASE_URL", "passer", "BYPASSRLS"),
        ("WORKER_DATABASE_URL", "stranger", "tasks_worker"),
        ("WORKER_DATABASE_URL", "taskdeck_web", "tasks_worker"),
    ],
)
def test_a_login_that_would_void_the_policies_is_named(
    variable: str, name: str, words: str, login: Callable[[str], str], postgresql: Present, settle: Settle
) -> None:
    settle(**{variable: login(name) if name in LOGINS else postgresql.url(name)})
    one_sentence(core("db", "check"), f"{variable} ", words, "README")
    with pytest.raises(ConfigurationError, match=words):
        schema.check()


@pytest.mark.parametrize("name", ["boss", "everyrole", "stranger"])
def test_the_server_does_not_start_with_a_login_that_would_void_the_policies(
    name: str, login: Callable[[str], str]
) -> None:
    one_sentence(serve(DATABASE_URL=login(name)), "Taskdeck cannot start. DATABASE_URL")


def test_one_login_that_inherits_nothing_is_served(postgresql: Present, settle: Settle, ada: Actor) -> None:
    if not postgresql.ask("SELECT 1 FROM pg_roles WHERE rolname = 'careful'"):
        postgresql.execute("CREATE ROLE careful LOGIN NOINHERIT IN ROLE tasks_app, tasks_worker")
    url = postgresql.url("careful")
    settle(DATABASE_URL=url, WORKER_DATABASE_URL=None, MIGRATION_DATABASE_URL=None)
    schema.prepare()
    assert core("users", "list").stdout.startswith("ada\t")


TAMPERED = {
    "a policy is gone": ("task_logs", "DROP POLICY runner ON task_logs"),
    "the owner's policy is gone": ("tasks", "DROP POLICY owner ON tasks"),
    "there is one more policy": ("artifacts", "CREATE POLICY extra ON artifacts USING (true)"),
    "row level security is not forced": ("tasks", "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY"),
    "row level security is off": ("task_logs", "ALTER TABLE task_logs DISABLE ROW LEVEL SECURITY"),
    "a table is gone": ("artifacts", "DROP TABLE artifacts"),
    "a policy lets everybody in": ("tasks", "ALTER POLICY owner ON tasks USING (true)"),
    "a policy is for other roles": ("tasks", "ALTER POLICY runner ON tasks TO PUBLIC"),
}


@pytest.mark.parametrize("way", TAMPERED)
def test_a_table_without_exactly_its_policies_is_named(way: str, postgresql: Present) -> None:
    table, statement = TAMPERED[way]
    postgresql.execute(statement)
    with pytest.raises(ConfigurationError, match=f"The table {table} "):
        schema.check()
    one_sentence(core("db", "check"), f"The table {table} ", "row level security")


def test_the_server_does_not_start_without_a_policy(postgresql: Present) -> None:
    postgresql.execute("ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY")
    one_sentence(serve(), "Taskdeck cannot start. The table tasks ")


def test_a_role_that_is_gone_is_one_sentence(postgresql: Present) -> None:
    """As after a restore on another server: the tables are there and the roles are not."""
    grants = postgresql.ask("SELECT rolname FROM pg_roles WHERE rolname = 'tasks_app'")
    assert grants
    postgresql.execute("ALTER ROLE tasks_app RENAME TO tasks_app_elsewhere")
    try:
        one_sentence(core("db", "check"), "tasks_app")
    finally:
        postgresql.execute("ALTER ROLE tasks_app_elsewhere RENAME TO tasks_app")
    engine.dispose()

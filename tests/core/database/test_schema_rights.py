"""What would void the policies without touching their names: the start check sees it."""

from contextlib import suppress

import psycopg2
import pytest

from core.database import engine, schema
from core.database.ownership import Actor
from core.errors import ConfigurationError
from core.identity import people
from core.tasks import commands
from tests.support.on_postgresql import Present
from tests.support.world import World

VOIDED = {
    "a policy that holds for every row": (
        "ALTER POLICY owner ON tasks USING (user_id = user_id)",
        "row level security",
    ),
    "a policy with a way around": (
        "ALTER POLICY owner ON task_logs USING (user_id::text = current_setting('app.user_id', true) OR true)",
        "row level security",
    ),
    "a policy for everybody": ("ALTER POLICY runner ON tasks TO PUBLIC", "row level security"),
    "every right": ("GRANT ALL ON ALL TABLES IN SCHEMA public TO tasks_app", "rights of tasks_app"),
    "the right to empty a table": ("GRANT TRUNCATE ON task_logs TO tasks_worker", "rights of tasks_worker"),
    "no right at all": ("REVOKE ALL ON tasks FROM tasks_app", "rights of tasks_app"),
    "the right to change the trail": ("GRANT UPDATE ON audit_events TO tasks_app", "audit trail"),
    "the right to empty the trail": ("GRANT TRUNCATE ON audit_events TO PUBLIC", "audit trail"),
    "tables of its own": ("GRANT CREATE ON SCHEMA public TO tasks_app", "tables of its own"),
}


@pytest.mark.parametrize("how", VOIDED)
def test_what_voids_the_policies_is_refused(how: str, postgresql: Present) -> None:
    statement, sentence = VOIDED[how]
    schema.check()
    postgresql.execute(statement)
    with pytest.raises(ConfigurationError, match=sentence):
        schema.check()


def test_a_login_that_may_become_a_superuser_is_refused(postgresql: Present) -> None:
    postgresql.execute("GRANT postgres TO taskdeck_web")
    try:
        with pytest.raises(ConfigurationError, match="may become one"):
            schema.check()
    finally:
        postgresql.execute("REVOKE postgres FROM taskdeck_web")


def test_the_pages_login_can_put_no_table_before_the_real_one(postgresql: Present) -> None:
    with (
        postgresql.as_login("taskdeck_web") as connection,
        connection.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        cursor.execute("CREATE TEMP TABLE tasks (id int)")


def test_logins_of_different_databases_are_refused(postgresql: Present, world: World) -> None:
    world.settle(WORKER_DATABASE_URL=postgresql.server.url("postgres", "taskdeck_runner"))
    with pytest.raises(ConfigurationError, match="different databases"):
        schema.check()


def test_a_server_that_only_reads_counts_as_away(postgresql: Present, ada: Actor) -> None:
    postgresql.execute(f"ALTER DATABASE {postgresql.name} SET default_transaction_read_only = on")
    engine.dispose()
    with pytest.raises(engine.Unavailable):
        engine.ping(1)
    with pytest.raises(engine.Unavailable):
        commands.create(ada, "x")


def test_a_name_with_nul_is_nobodys(ada: Actor) -> None:
    with suppress(UnicodeError):
        assert people.find("ad\0a") is None

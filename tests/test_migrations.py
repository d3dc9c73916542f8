import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import delete, inspect, text, update
from sqlalchemy.exc import IntegrityError

from core.database import engine, schema
from core.database.models import Artifact, AuthSession, EndReason, Owned, Role, Task, TaskLog
from core.database.ownership import Actor
from core.identity import people, throttle
from core.tasks import commands, listing, logs
from tests.support import databases
from tests.support.databases import unguarded
from tests.support.world import World

ROOT = Path(__file__).parent.parent

FAILS = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "NEWEST"

def upgrade():
    op.create_table("half_done", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO half_done VALUES (1)")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE tasks DISABLE ROW LEVEL SECURITY")
        op.execute("CREATE TYPE half_done_too AS ENUM ('x')")
    raise RuntimeError("this revision fails")
"""


EARLIER = ("0001", "0002", "0003")
OLD = ("users", "auth_sessions", "api_tokens", "tasks", "task_logs", "artifacts")
#: Columns that a table of the first release got later.
ADDED = {"extension", "last_seen_at", "browser", "address", "proof"}

#: Two people and three tasks, as the first release wrote them.
ROWS = Template("""
INSERT INTO users VALUES
    ('$ada', 'a', 'a@example.org', 'A', 'hash', 'admin', true, 0, '$day', '$day'),
    ('$bob', 'b', 'b@example.org', 'B', 'hash', 'member', true, 3, '$day', '$day');
INSERT INTO auth_sessions VALUES ('$id', '$ada', 0, '$day', '$day', NULL, NULL);
INSERT INTO api_tokens $numbered VALUES (1, '$bob', 'laptop', 'tsk_', 'digest', 'write', '$day', '$day', NULL, NULL);
INSERT INTO tasks (id, user_id, status, progress, prompt, end_reason, created_at, updated_at, log_count) $numbered
VALUES
    (1, '$ada', 'completed', 100, 'It''s done \u202e', 'completed', '$day', '2026-01-09 01:02:03.456789', 0),
    (2, '$ada', 'pending', 0, 'waits', NULL, '$day', '$day', 0),
    (9, '$bob', 'error', 30, 'too slow', 'timed_out', '$day', '$day', 2);
INSERT INTO task_logs VALUES
    (9, 1, '$bob', '$day', 'info', 'the beginning'),
    (9, 2, '$bob', '$day', 'error', 'the end');
INSERT INTO artifacts VALUES (1, 'report.md', '$ada', 5, '$digest', 'text/markdown');
""")
VALUES = {"ada": "a" * 32, "bob": "b" * 32, "id": "c" * 32, "digest": "0" * 64, "day": "2026-01-01 00:00:00.000000"}

#: A number that is given, and the next one that is not: of itself on SQLite.
NUMBERED = {"sqlite": "", "postgresql": "OVERRIDING SYSTEM VALUE"}
COUNT_ON = {"sqlite": (), "postgresql": ("SELECT setval('tasks_id_seq', 9)", "SELECT setval('api_tokens_id_seq', 1)")}

TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}


def rows_of(names: tuple[str, ...]) -> dict[str, list[tuple[object, ...]]]:
    """Every row of these tables, in the columns of the first release."""
    with databases.current.unguarded().connect() as connection:
        return {
            name: sorted(
                (
                    tuple(value for key, value in row._mapping.items() if key not in ADDED)
                    for row in connection.execute(text(f"SELECT * FROM {name}"))  # noqa: S608
                ),
                key=repr,
            )
            for name in names
        }


def columns(table: str) -> list[str]:
    with databases.current.unguarded().connect() as connection:
        return [column["name"] for column in inspect(connection).get_columns(table)]


@pytest.fixture
def empty(tmp_path: Path, database: databases.Database, world: World) -> Iterator[None]:
    """The settings now lead to a database without a table."""
    environment, before = database.empty(), database.present()
    world.settle(TASKDECK_DATA=str(tmp_path / "empty"), **environment)
    yield
    engine.dispose()
    database.drop(environment)
    world.settle(**before)


def alembic(scripts: Path = schema.MIGRATIONS) -> Config:
    made = Config()
    made.set_main_option("script_location", str(scripts))
    return made


@pytest.fixture(params=EARLIER)
def old(request: pytest.FixtureRequest, empty: None) -> str:
    """The schema of an earlier release, with rows in it that the first one wrote."""
    command.upgrade(alembic(), "0001")
    with databases.current.unguarded().begin() as connection:
        kind = connection.dialect.name
        rows = ROWS.substitute(VALUES, numbered=NUMBERED[kind])
        for statement in (*rows.strip().removesuffix(";").split(";\n"), *COUNT_ON[kind]):
            connection.exec_driver_sql(statement)
    command.upgrade(alembic(), request.param)
    return request.param


def tables() -> set[str]:
    with databases.current.unguarded().connect() as connection:
        return set(inspect(connection).get_table_names())


def triggers() -> set[str]:
    with databases.current.unguarded().connect() as connection:
        return set(connection.scalars(text(TRIGGERS[connection.dialect.name])))


def test_an_upgraded_empty_database_has_exactly_what_the_models_say(empty: None) -> None:
    schema.upgrade()
    command.check(alembic())  # raises when a difference would need another revision
    assert tables() == {*engine.Base.metadata.tables, "alembic_version"}
    with databases.current.unguarded().connect() as connection, connection.begin():
        connection.execute(text("ALTER TABLE users DROP COLUMN name"))
    with pytest.raises(CommandError):  # the check sees a difference
        command.check(alembic())


def test_an_upgrade_of_the_newest_schema_changes_nothing_and_keeps_the_rows(ada: Actor) -> None:
    def rows() -> tuple[object, ...]:
        with unguarded() as session:
            return databases.current.state(), session.execute(text("SELECT username FROM users")).scalar_one()

    before = rows()
    schema.upgrade()
    assert (rows(), before[-1]) == (before, "ada")


@pytest.mark.usefixtures("sqlite_file")
def test_every_owned_table_has_the_trigger_that_keeps_its_owner() -> None:
    owned = {mapper.local_table.name for mapper in engine.Base.registry.mappers if issubclass(mapper.class_, Owned)}
    assert owned >= {"tasks", "task_logs", "artifacts"}
    lasting = {f"audit_events_no_{act}" for act in ("update", "delete")}
    assert triggers() == {f"{table}_owner_is_immutable" for table in owned} | lasting


def test_a_downgrade_to_the_beginning_leaves_no_table_and_can_be_upgraded_again(empty: None) -> None:
    schema.upgrade()
    command.downgrade(alembic(), "base")
    assert (tables(), triggers()) == ({"alembic_version"}, set())
    schema.upgrade()
    command.check(alembic())


@pytest.mark.parametrize("before", ["empty", "newest"])
def test_a_failing_revision_leaves_nothing(
    before: str, empty: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before == "newest":
        schema.upgrade()
    at_first = tables(), before == "newest" and databases.current.state()
    scripts = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    newest = str(ScriptDirectory.from_config(alembic()).get_current_head())
    (scripts / "versions" / "9999_fails.py").write_text(FAILS.replace("NEWEST", newest))
    monkeypatch.setattr(schema, "MIGRATIONS", scripts)
    with pytest.raises(RuntimeError, match="this revision fails"):
        schema.upgrade()
    assert (tables(), before == "newest" and databases.current.state()) == at_first


@pytest.mark.usefixtures("sqlite_file")
def test_a_revision_that_breaks_a_reference_is_not_committed(ada: Actor) -> None:
    with pytest.raises(RuntimeError, match="broken reference in table auth_sessions"), engine.migrating() as connection:
        connection.execute(
            text("INSERT INTO auth_sessions (id, user_id, epoch, created_at, expires_at) VALUES ('s', 'x', 0, 0, 0)")
        )
    with databases.current.unguarded().connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM auth_sessions")).scalar() == 0
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_four_processes_that_race_on_an_empty_database_all_succeed(empty: None) -> None:
    racers = [
        subprocess.Popen([sys.executable, "-m", "core", "db", "upgrade"], cwd=ROOT, text=True,
                         env=os.environ | {"PYTHONWARNINGS": "error"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]  # fmt: skip
    ends = [(racer.communicate()[1], racer.returncode) for racer in racers]
    assert ends == [("The database has the newest schema.\n", 0)] * 4
    command.check(alembic())


def test_an_upgrade_of_each_earlier_schema_keeps_every_row(old: str) -> None:
    before, guards = rows_of(OLD), triggers()
    assert [len(rows) for rows in before.values()] == [2, 1, 1, 3, 2, 1]
    assert len(guards) == (0 if engine.is_postgresql() else 3)
    schema.upgrade()
    assert rows_of(OLD) == before
    assert triggers() >= guards
    command.check(alembic())
    with databases.current.unguarded().connect() as connection:
        assert connection.scalars(text("SELECT extension FROM tasks")).all() == [0, 0, 0]
        new = connection.execute(text("SELECT last_seen_at, browser, address, proof FROM auth_sessions")).all()
        assert [tuple(row) for row in new] == [(None,) * 4]


@pytest.mark.usefixtures("sqlite_file")
@pytest.mark.parametrize("model", [Task, TaskLog, Artifact])
def test_the_triggers_still_work_on_an_upgraded_database(model: type[Owned], old: str) -> None:
    schema.upgrade()
    with pytest.raises(IntegrityError, match="the owner of a row never changes"), unguarded() as session:
        session.execute(update(model).values(user_id=UUID("d" * 32)))


def test_the_way_back_to_each_earlier_schema_keeps_every_row_and_trigger(old: str) -> None:
    def shape() -> tuple[object, ...]:
        return rows_of(OLD), triggers(), tables(), [columns(table) for table in OLD]

    before = shape()
    schema.upgrade()
    throttle.count({"name:x": 5})
    bob = UUID("b" * 32)
    with unguarded() as session:
        session.add(AuthSession(user_id=bob, epoch=3, expires_at=engine.now(), browser="Firefox", proof="x"))
    with unguarded() as session:
        session.execute(delete(AuthSession).where(AuthSession.user_id == bob))
    command.downgrade(alembic(), old)
    assert shape() == before


def test_the_product_works_on_an_upgraded_database(old: str) -> None:
    schema.upgrade()
    ada, bob = (Actor(UUID(letter * 32), letter, letter, letter, Role.MEMBER) for letter in "ab")
    assert [(task.id, task.extension) for task in listing.page(ada).tasks] == [(2, 0), (1, 0)]
    assert commands.cancel(ada, 2).end_reason is EndReason.CANCELLED
    assert [entry.message for entry in logs.after(bob, 9)] == ["the beginning", "the end"]
    assert commands.create(bob, prompt="x").id == 10  # no number is used twice, also not after an upgrade
    assert [one.actor.username for one in people.accounts(by=ada)] == ["a", "b"]

"""``python -m core db copy``: everything that SQLite holds, row for row, and a database that goes on behind it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from core.database import engine, models, schema
from core.database.models import AuditEvent, Channel, EndReason, Role, Task, TaskLog, TaskStatus, User
from core.identity import people, throttle, tokens
from core.log_text import LogType
from core.runner.claims import claim
from core.tasks import commands, listing
from tests.conftest import PASSWORD
from tests.core.database.conforming import OWNED, lacks
from tests.core.identity.trail import verify
from tests.core.operating import Done, one_sentence, operate
from tests.support import databases
from tests.support.on_postgresql import Present
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("postgresql")

ENTRIES = 10_000
#: A time with microseconds in the hour that Europe has twice, and texts that some program somewhere spoils.
MOMENT = datetime(2026, 10, 25, 0, 59, 59, 999_999, UTC)
TEXTS = [
    *("Grüße 🌍 日本語 \u202eabc", "\x1b[31mred\x1b[0m", "%s %(x)s :y ?", "'; DROP TABLE tasks; --", "\\n\\"),
    *("", " a\tb\r\n"),
]


@pytest.fixture
def sqlite(tmp_path: Path, world: World) -> Iterator[str]:
    """The address of a SQLite database with the newest schema; this test's PostgreSQL is empty and has it, too."""
    url = f"sqlite:///{tmp_path / 'old' / 'taskdeck.db'}"
    (tmp_path / "old").mkdir()
    before = {name: os.environ[name] for name in databases.LOGINS}
    world.settle(DATABASE_URL=url, WORKER_DATABASE_URL=None, MIGRATION_DATABASE_URL=None)
    schema.upgrade()
    yield url
    engine.dispose()
    world.settle(**before)


@pytest.fixture
def filled(sqlite: str) -> str:
    """Two people with sessions, tokens and tasks in every state; ids with gaps; a log of 10,000 entries."""
    ada = people.add("ada", "ada@example.org", "Ada Ŀovelace 💡", PASSWORD, Role.ADMIN)
    bob = people.add("bob", "bob@example.org", "Bob", PASSWORD)
    for actor in (ada, bob):
        tokens.create(actor, "laptop")
    throttle.count({"name:of nobody": 1, "address:x": 50}, now=MOMENT)
    with Session(engine.writing()) as session, session.begin():
        session.add(
            models.AuthSession(
                user_id=ada.id, epoch=3, created_at=MOMENT, expires_at=MOMENT + timedelta(days=1), last_seen_at=MOMENT,
                browser=TEXTS[0], address="2001:db8::1", proof="0" * 64,
            )
        )  # fmt: skip
        session.add_all(
            AuditEvent(at=MOMENT, actor_id=who, actor=words, way=way, kind="x", subject=words, detail=words)
            for way, words, who in zip(Channel, TEXTS, (ada.id, None, ada.id, None), strict=False)
        )
        session.get_one(User, bob.id).is_active = False
        done = (TaskStatus.COMPLETED, EndReason.COMPLETED)
        states = [(TaskStatus.PENDING, None), (TaskStatus.PROCESSING, None), done]
        for number, (status, reason) in enumerate([*states, *((TaskStatus.ERROR, reason) for reason in EndReason)]):
            for actor in (ada, bob):
                words = TEXTS[number % len(TEXTS)]
                task = Task(
                    user_id=actor.id, prompt=words or "x", status=status, end_reason=reason, error=words,
                    created_at=MOMENT + timedelta(microseconds=number), updated_at=MOMENT, extension=0.1 + number,
                    log_count=len(LogType), lease_until=MOMENT if status is TaskStatus.PROCESSING else None,
                )  # fmt: skip
                session.add(task)
                session.flush()
                session.add_all(
                    TaskLog(task_id=task.id, seq=seq, user_id=actor.id, timestamp=MOMENT, type=type, message=words)
                    for seq, type in enumerate(LogType, 1)
                )
                session.add(
                    models.Artifact(task_id=task.id, name=f"ä {number}.md", user_id=actor.id, size=2**40,
                                    sha256="0" * 64, media_type="text/plain")
                )  # fmt: skip
        entry = {"task_id": 1, "user_id": ada.id, "timestamp": MOMENT, "type": LogType.INFO, "message": "m"}
        session.execute(insert(TaskLog), [entry | {"seq": seq} for seq in range(10, ENTRIES + 10)])
        session.execute(text("DELETE FROM tasks WHERE id IN (3, 5)"))
    engine.dispose()
    return sqlite


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, as values of Python, by primary key."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in engine.Base.metadata.sorted_tables
        }


def copy(postgresql: Present, source: str, login: str = "taskdeck_owner") -> Done:
    return operate("db", "copy", "--from", source, "--to", postgresql.url(login))


def refused(done: Done, *words: str) -> None:
    one_sentence(done, *words, status=done.returncode)
    assert done.returncode in (1, 2)


def onto(postgresql: Present, world: World) -> None:
    """Let the settings lead to PostgreSQL."""
    world.settle(**{name: postgresql.url(login) for name, login in databases.LOGINS.items()})


def spoil(source: str, *statements: str) -> None:
    """Run statements on a SQLite database past every rule of ours."""
    with closing(sqlite3.connect(source.removeprefix("sqlite:///"))) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def is_empty(postgresql: Present) -> bool:
    return not any(rows(postgresql.url("postgres")).values())


def test_every_row_is_the_same_on_both_sides_and_nothing_is_written_over(filled: str, postgresql: Present) -> None:
    before = rows(filled)
    assert all(before.values()), "every table holds something"
    done = copy(postgresql, filled)
    assert done.returncode == 0, done.stderr[-500:]
    assert rows(postgresql.url("postgres")) == before == rows(filled)
    assert dict(line.split("\t") for line in done.stdout.splitlines()) == {
        table: str(len(found)) for table, found in before.items()
    }
    assert "TASKDECK_DATA" in done.stderr
    refused(copy(postgresql, filled), "not empty")
    assert rows(postgresql.url("postgres")) == before


def test_people_go_on_where_they_were(filled: str, postgresql: Present, world: World) -> None:
    highest = max(row[0] for row in rows(filled)["tasks"])
    spoil(filled, "PRAGMA foreign_keys = ON", f"DELETE FROM tasks WHERE id >= {highest - 1}")  # noqa: S608
    assert copy(postgresql, filled).returncode == 0
    onto(postgresql, world)
    schema.check()
    assert [lacks(model.__tablename__) for model in OWNED] == [[]] * len(OWNED)
    ada = verify("ada", PASSWORD)
    assert ada
    assert verify("bob", PASSWORD) is None
    own = {row[0] for row in rows(filled)["tasks"] if ada.id in row}
    assert {task.id for task in listing.page(ada, limit=200).tasks} == own
    assert commands.create(ada, prompt="the next one").id == highest + 1, "no id is used again"
    highest = max(row[0] for row in rows(filled)["audit_events"])
    assert tokens.create(ada, "the next one")
    assert max(row[0] for row in rows(postgresql.url("postgres"))["audit_events"]) == highest + 1
    held = claim("runner", 30)
    assert held and held.prompt == TEXTS[0]
    with pytest.raises(Exception, match="cannot insert a non-DEFAULT value"):
        postgresql.execute(f"INSERT INTO tasks (id, user_id, prompt) VALUES (999, '{ada.id}', 'x')")  # noqa: S608


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_a_database_without_rows_is_copied_too_however_the_address_is_written(
    scheme: str, sqlite: str, postgresql: Present, world: World
) -> None:
    target = f"{scheme}://" + postgresql.url("taskdeck_owner").partition("://")[2]
    done = operate("db", "copy", "--from", sqlite, "--to", target)
    assert done.returncode == 0, done.stderr[-300:]
    onto(postgresql, world)
    schema.check()
    assert commands.create(people.add("eve", "eve@example.org", "Eve", PASSWORD), prompt="first").id == 1


def test_an_older_schema_is_refused(filled: str, postgresql: Present, database: databases.OnPostgreSQL) -> None:
    made = database.empty()["MIGRATION_DATABASE_URL"]
    refused(operate("db", "copy", "--from", filled, "--to", made), "older", "db upgrade")
    command.downgrade(schema._alembic(), "0001")
    refused(copy(postgresql, filled), "older", "db upgrade")
    assert is_empty(postgresql)


ELSEWHERE = "postgresql+psycopg2://x:hunter2@/y?host=/nowhere"


@pytest.mark.parametrize(("source", "target", "words"), [
    ("postgresql://a@b/c", "sqlite:////tmp/x.db", ["sqlite:///", "postgresql"]),
    ("sqlite:////tmp/x.db", "sqlite:////tmp/y.db", ["sqlite:///", "postgresql"]),
    ("mysql://a:hunter2@b/c", "postgresql://a:hunter2@b/c", ["sqlite:///", "postgresql"]),
    ("nonsense", "hunter2", ["sqlite:///", "postgresql"]), ("", "", ["sqlite:///", "postgresql"]),
    ("sqlite:////nowhere/absent.db", ELSEWHERE, ["absent.db"]), (None, ELSEWHERE, ["database"]),
    (None, "taskdeck_web", ["owner"]),
])  # fmt: skip
def test_what_cannot_be_read_or_written_is_named_and_nothing_is_made(
    source: str | None, target: str, words: list[str], sqlite: str, postgresql: Present
) -> None:
    target = postgresql.url(target) if target == "taskdeck_web" else target
    done = operate("db", "copy", "--from", sqlite if source is None else source, "--to", target)
    refused(done, *words)
    assert "hunter2" not in done.stderr
    assert is_empty(postgresql) and not Path("/nowhere").exists()


SPOIL = {
    "a text that PostgreSQL cannot hold": "UPDATE task_logs SET message = 'a' || char(0) || 'b' WHERE seq = 9000",
    "a row without its owner": "INSERT INTO task_logs VALUES (1, 99999, '0', '2026-01-01 00:00:00', 'info', 'm')",
    "a word that is none": "UPDATE tasks SET selected_agent = NULL",
}


@pytest.mark.parametrize("way", SPOIL)
def test_a_failure_leaves_an_empty_guarded_target(way: str, filled: str, postgresql: Present, world: World) -> None:
    kept = "selected_agent TEXT DEFAULT ''claude''"
    nullable = f"UPDATE sqlite_schema SET sql = replace(sql, '{kept} NOT NULL', '{kept}') WHERE name = 'tasks'"  # noqa: S608
    spoil(filled, "PRAGMA ignore_check_constraints = ON", "PRAGMA writable_schema = ON", nullable)
    spoil(filled, SPOIL[way])
    done = copy(postgresql, filled)
    assert done.returncode != 0
    assert is_empty(postgresql)
    onto(postgresql, world)
    schema.check()
    refused(done)

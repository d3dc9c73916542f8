import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from core import db
from core.models import ApiToken, TaskStatus, TokenScope, User
from core.ownership import Actor, acting_as_system


def test_every_connection_waits_for_writers_and_checks_references() -> None:
    with db.engine().connect() as connection:
        pragmas = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("busy_timeout", "journal_mode", "foreign_keys", "synchronous")
        ]
    assert pragmas == [5_000, "wal", 1, 2]


def test_a_time_comes_back_aware_and_in_utc_whatever_zone_it_had(ada: Actor) -> None:
    moment = datetime(2026, 3, 1, 12, 30, 15, 123456, timezone(timedelta(hours=5)))
    with acting_as_system() as session:
        session.add(
            ApiToken(user_id=ada.id, name="n", prefix="p", token_hash="h", scope=TokenScope.READ, expires_at=moment)
        )
    with acting_as_system(reading=True) as session:
        stored = session.scalars(select(ApiToken.expires_at)).one()
    assert stored == moment
    assert stored.tzinfo is UTC
    assert stored.hour == 7


def test_a_reader_does_not_wait_for_a_writer_and_sees_what_is_committed(ada: Actor) -> None:
    with acting_as_system() as writer:
        writer.get_one(User, ada.id).name = "Changed"
        writer.flush()
        with acting_as_system(reading=True) as reader:
            assert reader.get_one(User, ada.id).name == "Ada"
    with acting_as_system(reading=True) as reader:
        assert reader.get_one(User, ada.id).name == "Changed"


def test_writers_that_read_first_follow_one_another_and_lose_nothing(ada: Actor) -> None:
    def count_up(_: int) -> None:
        with acting_as_system() as session:
            session.get_one(User, ada.id).session_epoch += 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(80)))
    with acting_as_system(reading=True) as session:
        assert session.get_one(User, ada.id).session_epoch == 80


def test_ping_says_when_the_database_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    db.ping(1)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}")  # a folder is no database
    db.settings.cache_clear()
    with pytest.raises(db.Unavailable):
        db.ping(1)


def test_ping_wants_to_write_and_waits_no_longer_than_it_may(lock: Callable[[float], Callable[[], None]]) -> None:
    release = lock(60)
    begun = time.monotonic()
    with pytest.raises(db.Unavailable):
        db.ping(0.2)
    assert 0.2 <= time.monotonic() - begun < 3
    release()
    db.ping(5)


def test_people_who_use_up_their_connections_leave_the_runners_theirs(ada: Actor) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(db.engine().connect())
        with acting_as_system(reading=True, pool=db.Pool.RUNNERS) as session:
            assert session.get_one(User, ada.id).name == "Ada"


def test_every_pool_is_closed() -> None:
    for pool in db.Pool:
        with db.engine(pool).connect() as connection:
            connection.execute(text("SELECT 1"))
    assert [db.engine(pool).pool.checkedin() for pool in db.Pool] == [1, 1]
    db.dispose()
    assert [db.engine(pool).pool.checkedin() for pool in db.Pool] == [0, 0]


def test_a_database_that_is_locked_for_too_long_counts_as_away(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "LOCK_WAIT", 0.1)
    with acting_as_system() as session:
        session.get_one(User, ada.id)  # now it holds the write lock
        with pytest.raises(OperationalError, match="locked") as caught, acting_as_system() as other:
            other.get_one(User, ada.id)
    assert isinstance(caught.value, db.Unavailable)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tasks (user_id, prompt, created_at, updated_at, progress) VALUES (:user, 'x', 0, 0, 101)",
        "INSERT INTO tasks (user_id, prompt, created_at, updated_at) VALUES (:user, '', 0, 0)",
        "INSERT INTO tasks (user_id, prompt, created_at, updated_at, status) VALUES (:user, 'x', 0, 0, 'done')",
        "INSERT INTO tasks (user_id, prompt, created_at, updated_at, status) VALUES (:user, 'x', 0, 0, 'completed')",
        "INSERT INTO tasks (user_id, prompt, created_at, updated_at, end_reason) VALUES (:user, 'x', 0, 0, 'failed')",
        "INSERT INTO tasks (user_id, prompt, created_at, updated_at) VALUES ('nobody', 'x', 0, 0)",
        "INSERT INTO task_logs VALUES (77, 1, :user, 0, 'info', 'on a task that is not there')",
        "UPDATE users SET role = 'emperor'",
    ],
)
def test_the_database_itself_refuses_what_no_row_may_hold(statement: str, ada: Actor) -> None:
    with pytest.raises(IntegrityError), acting_as_system() as session:
        session.execute(text(statement), {"user": ada.id.hex})


def test_the_constraint_test_above_would_accept_a_good_row(ada: Actor) -> None:
    with acting_as_system() as session:
        session.execute(
            text("INSERT INTO tasks (user_id, prompt, created_at, updated_at) VALUES (:user, 'x', :at, :at)"),
            {"user": ada.id.hex, "at": "2026-01-01 00:00:00.000000"},
        )
        assert session.execute(text("SELECT status, progress FROM tasks")).one() == (TaskStatus.PENDING, 0)

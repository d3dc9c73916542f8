from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from core.database import engine
from core.database.models import ApiToken, Task, TokenScope, User
from core.database.ownership import Actor, acting_as_nobody, acting_as_system
from core.tasks import commands
from tests.core.living import take_every_connection
from tests.support.databases import unguarded
from tests.support.world import World

Lock = Callable[[float], Callable[[], None]]


@pytest.mark.usefixtures("sqlite_file")
def test_every_connection_waits_for_writers_and_checks_references() -> None:
    with engine.configured().connect() as connection:
        pragmas = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("busy_timeout", "journal_mode", "foreign_keys", "synchronous")
        ]
    assert pragmas == [5_000, "wal", 1, 2]


def test_a_time_comes_back_aware_and_in_utc_whatever_zone_it_had(ada: Actor) -> None:
    moment = datetime(2026, 3, 1, 12, 30, 15, 123456, timezone(timedelta(hours=5)))
    with unguarded() as session:
        session.add(
            ApiToken(user_id=ada.id, name="n", prefix="p", token_hash="h", scope=TokenScope.READ, expires_at=moment)
        )
    with unguarded() as session:
        stored = session.scalars(select(ApiToken.expires_at)).one()
    assert stored == moment
    assert stored.tzinfo is UTC
    assert stored.hour == 7


def test_a_reader_does_not_wait_for_a_writer_and_sees_what_is_committed(ada: Actor) -> None:
    with unguarded() as writer:
        writer.get_one(User, ada.id).name = "Changed"
        writer.flush()
        with unguarded() as reader:
            assert reader.get_one(User, ada.id).name == "Ada"
    with unguarded() as reader:
        assert reader.get_one(User, ada.id).name == "Changed"


def test_writers_that_read_first_follow_one_another_and_lose_nothing(ada: Actor) -> None:
    def count_up(_: int) -> None:
        with acting_as_nobody() as session:
            session.get_one(User, ada.id, with_for_update=True).session_epoch += 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(80)))
    with unguarded() as session:
        assert session.get_one(User, ada.id).session_epoch == 80


def test_ping_says_when_the_database_is_away(world: World) -> None:
    engine.ping(1)
    with world.nowhere(), pytest.raises(engine.Unavailable):
        engine.ping(1)


@pytest.mark.usefixtures("sqlite_file")  # PostgreSQL has no lock that all writers need
def test_ping_wants_to_write(lock: Lock) -> None:
    release = lock(60)
    with pytest.raises(engine.Unavailable):
        engine.ping(0.2)
    release()
    engine.ping(5)


def test_people_who_use_up_their_connections_leave_the_runners_theirs(ada: Actor) -> None:
    task = commands.create(ada, prompt="x")
    with ExitStack() as stack:
        take_every_connection(stack)
        with acting_as_system(reading=True) as session:
            assert session.get_one(Task, task.id).prompt == "x"


def test_every_pool_is_closed() -> None:
    for pool in engine.DatabaseRole:
        with engine.configured(pool).connect() as connection:
            connection.execute(text("SELECT 1"))
    assert [engine.configured(pool).pool.checkedin() for pool in engine.DatabaseRole] == [1, 1]
    engine.dispose()
    assert [engine.configured(pool).pool.checkedin() for pool in engine.DatabaseRole] == [0, 0]


def test_a_database_that_is_locked_for_too_long_counts_as_away(ada: Actor, lock: Lock) -> None:
    lock(60)
    with pytest.raises(OperationalError, match="lock") as caught, acting_as_system(wait=0.1) as session:
        session.execute(update(Task).values(progress=1))
    assert isinstance(caught.value, engine.Unavailable)


GOOD = {"user_id": ":user", "prompt": "'x'", "created_at": ":t", "updated_at": ":t"}


@pytest.mark.parametrize("bad", [
    *({"progress": "101"}, {"prompt": "''"}, {"status": "'done'"}, {"status": "'completed'"}),
    *({"end_reason": "'failed'"}, {"user_id": ":nobody"}),
], ids=str)  # fmt: skip
def test_the_database_itself_refuses_what_no_task_may_hold(bad: dict[str, str], ada: Actor) -> None:
    # Written as SQLite stores them, which PostgreSQL reads, too.
    values = {"user": ada.id.hex, "nobody": "0" * 32, "t": "2026-01-01 00:00:00.000000"}

    def store(row: dict[str, str]) -> None:
        with unguarded() as session:
            statement = f"INSERT INTO tasks ({', '.join(row)}) VALUES ({', '.join(row.values())})"  # noqa: S608
            session.execute(text(statement), {name: values[name] for name in values if f":{name}" in statement})

    with pytest.raises((IntegrityError, DataError)):  # DataError: PostgreSQL, of a word that is none
        store(GOOD | bad)
    store(GOOD)


def test_the_database_itself_refuses_an_entry_without_a_task_and_a_role_that_is_none(ada: Actor) -> None:
    for statement in (
        "INSERT INTO task_logs SELECT 77, 1, id, created_at, 'info', 'on a task that is not there' FROM users",
        "UPDATE users SET role = 'emperor'",
    ):
        with pytest.raises((IntegrityError, DataError)), unguarded() as session:
            session.execute(text(statement))

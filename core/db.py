"""The database: one engine, and every difference between SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import BigInteger, Connection, DateTime, Dialect, Engine, Integer, MetaData, create_engine, event, text
from sqlalchemy.exc import OperationalError, TimeoutError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from core.config import settings

#: What a database raises when it is away, locked for too long or out of connections.
Unavailable = (OperationalError, TimeoutError)

#: Row ids: bigint, but SQLite numbers only INTEGER keys by itself.
RowId = BigInteger().with_variant(Integer, "sqlite")

#: How long a writer waits for another one before it gives up, in seconds.
LOCK_WAIT = 5.0
MIGRATION_WAIT = 60.0

MIGRATIONS = Path(__file__).parent.parent / "migrations"


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC time, also in SQLite, which stores no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Base(DeclarativeBase):
    """All tables. Constraint names are fixed, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


class Pool(StrEnum):
    """Whose connections: pages and calls may use up theirs, and the runners' leases are renewed all the same."""

    PEOPLE = "people"
    RUNNERS = "runners"


def engine(pool: Pool = Pool.PEOPLE) -> Engine:
    """The engine of the configured database; one for each process, address and pool."""
    return _engine(settings().url, pool)


def reading(pool: Pool = Pool.PEOPLE) -> Engine:
    """The engine for transactions that only read: on SQLite they wait for no writer."""
    return engine(pool).execution_options(begin="BEGIN DEFERRED")


def writing(wait: float | None = None, pool: Pool = Pool.PEOPLE) -> Engine:
    """The engine for transactions that wait at most ``wait`` seconds for another writer, or LOCK_WAIT."""
    return engine(pool).execution_options(lock_wait=LOCK_WAIT if wait is None else wait)


def dispose() -> None:
    """Close every connection that is not in use."""
    for pool in Pool:
        engine(pool).dispose()


@cache
def _engine(url: str, _: Pool) -> Engine:
    made = create_engine(url, pool_size=10, max_overflow=30, hide_parameters=True)
    path = made.url.database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    event.listen(made, "connect", _prepare_sqlite)
    event.listen(made, "begin", _begin_sqlite)
    return made


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # else the driver decides when a transaction begins
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # what was accepted survives a power cut
        "foreign_keys = ON",
        f"journal_size_limit = {64 * 2**20}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once: a transaction that reads first and writes later would
    # fail with "database is locked" without any waiting.
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(options.get('lock_wait', LOCK_WAIT) * 1000)}")
    connection.exec_driver_sql(options.get("begin", "BEGIN IMMEDIATE"))


def ping(wait: float) -> None:
    """Begin to write, and write nothing. Raises one of Unavailable when that is not possible for ``wait`` seconds."""
    with writing(wait, Pool.RUNNERS).begin() as connection:
        connection.execute(text("SELECT 1"))


def upgrade() -> None:
    """Bring the database to the newest schema. Several processes may do so at once."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, "head")


@contextmanager
def migrating() -> Iterator[Connection]:
    """The one connection that migrations run on, in one transaction.

    Foreign keys are off, because SQLite changes a table by re-creating it and a cascade would then empty its
    children; they are checked before the commit instead.
    """
    with writing(MIGRATION_WAIT).connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
        try:
            with connection.begin():
                yield connection
                broken = connection.execute(text("PRAGMA foreign_key_check")).first()
                if broken:
                    raise RuntimeError(f"migration left a broken reference in table {broken[0]}")
        finally:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = ON")  # type: ignore[union-attr]

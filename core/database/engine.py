"""The database: one engine, and every difference between SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    ExceptionContext,
    Integer,
    MetaData,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeDecorator

from core.config import settings

#: What a database raises when it is away, locked for too long or out of connections.
Unavailable = (OperationalError, InterfaceError, TimeoutError)

#: Row ids: bigint, but SQLite numbers only INTEGER keys by itself.
RowId = BigInteger().with_variant(Integer, "sqlite")

#: How long a writer waits for another one before it gives up, in seconds.
LOCK_WAIT = 5.0
MIGRATION_WAIT = 60.0

#: PostgreSQL: the server is full, or a standby after a failover, and only reads (its manual, appendix A).
ONLY_READS = ("25001", "25006")

#: PostgreSQL: somebody made it a moment ago, or just now (its manual, appendix A).
ALREADY_THERE = ("42710", "23505")

#: PostgreSQL: how long a statement may take beside waiting for locks, in milliseconds.
STATEMENT_MS = 15_000

#: PostgreSQL: the advisory lock of whoever migrates; any number that nobody else uses ("task" in ASCII).
MIGRATION_LOCK = 0x7461736B
SERIALIZED_LOCK = MIGRATION_LOCK + 1

#: PostgreSQL: a server that is gone is noticed within seconds, also behind a network that only swallows
#: (libpq, "Parameter Key Words").
_POSTGRESQL = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "sqlite": {"pool_size": 10, "max_overflow": 30},
    # Two such pools are 40 connections, of the 100 that a PostgreSQL allows by default.
    "postgresql": {
        "pool_size": 5,
        "max_overflow": 15,
        "pool_timeout": 5,
        "pool_pre_ping": True,
        "connect_args": _POSTGRESQL,
    },
}


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


class DatabaseRole(StrEnum):
    """As whom Taskdeck connects. Each has a pool of its own: when pages use up theirs, runners go on."""

    WEB = "tasks_app"
    WORKER = "tasks_worker"


def configured(role: DatabaseRole = DatabaseRole.WEB) -> Engine:
    """The engine of the configured database; one for each process, address and role, with connections of its own."""
    return _engine(settings().worker_url if role is DatabaseRole.WORKER else settings().url, role)


def reading(role: DatabaseRole = DatabaseRole.WEB, **session: str) -> Engine:
    """The engine for transactions that only read: on SQLite they wait for no writer.

    ``session`` is what the transaction's policies ask for, as ``app.NAME`` on PostgreSQL.
    """
    return configured(role).execution_options(reading=True, **_session(session))


def writing(
    wait: float | None = None, role: DatabaseRole = DatabaseRole.WEB, *, serialized: bool = False, **session: str
) -> Engine:
    """The engine for transactions that wait at most ``wait`` seconds for another writer, or LOCK_WAIT.

    ``serialized`` transactions run one at a time, also on PostgreSQL.
    """
    wait = LOCK_WAIT if wait is None else wait
    return configured(role).execution_options(lock_wait=wait, serialized=serialized, **_session(session))


def dispose() -> None:
    """Close every connection that is not in use."""
    for role in DatabaseRole:
        configured(role).dispose()


def said(error: BaseException) -> str:
    """What the driver said of an error, in a line: without the statement, the row that was refused, and links."""
    first = error.args[0] if error.args else type(error).__name__
    return str(getattr(error, "orig", None) or first).partition("\n")[0]


def is_postgresql() -> bool:
    """Whether the configured database is PostgreSQL."""
    return settings().url.startswith("postgresql")


def _session(values: dict[str, str]) -> dict[str, Any]:
    return {"policy": tuple(values.items())}


@cache
def _engine(url: str, role: DatabaseRole) -> Engine:
    made = create_engine(url, hide_parameters=True, **_ARGUMENTS[make_url(url).get_backend_name()])
    if made.dialect.name == "sqlite":
        Path(made.url.database or "").parent.mkdir(parents=True, exist_ok=True)
        event.listen(made, "connect", _prepare_sqlite)
        event.listen(made, "begin", _begin_sqlite)
    else:
        event.listen(made, "begin", partial(_begin_postgresql, role))
        event.listen(made, "handle_error", _as_unavailable, retval=True)
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
    connection.exec_driver_sql("BEGIN DEFERRED" if options.get("reading") else "BEGIN IMMEDIATE")


def _begin_postgresql(role: DatabaseRole, connection: Connection) -> None:
    """Say who asks, for this transaction alone: nothing of it is left on the connection, a pooler's included."""
    options = connection.get_execution_options()
    milliseconds = max(1, int(options.get("lock_wait", LOCK_WAIT) * 1000))  # 0 would be no limit
    values = {
        "role": role.value,
        "lock_timeout": str(milliseconds),
        "statement_timeout": str(milliseconds + STATEMENT_MS),
        "transaction_read_only": "on" if options.get("reading") else "off",
        **{f"app.{name}": value for name, value in options.get("policy", ())},
    }
    calls = ", ".join(f"set_config('{name}', %s, true)" for name in values)
    connection.exec_driver_sql(f"SELECT {calls}", tuple(values.values()))
    if options.get("serialized"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SERIALIZED_LOCK})")


def _as_unavailable(context: ExceptionContext) -> BaseException | None:
    """A server that only reads is as good as away for whoever has to write."""
    if getattr(context.original_exception, "pgcode", None) not in ONLY_READS:
        return None
    return OperationalError(context.statement, None, context.original_exception, hide_parameters=True)


def ping(wait: float) -> None:
    """Begin to write, and write nothing. Raises one of Unavailable when that is not possible for ``wait`` seconds."""
    with writing(wait, DatabaseRole.WORKER).begin() as connection:
        connection.execute(text("SELECT 1"))


def owners_engine() -> Engine:
    """The engine of the tables' owner, who migrates; it keeps no connection."""
    return bare_engine(settings().migration_url) if is_postgresql() else writing(MIGRATION_WAIT)


def bare_engine(url: str | URL) -> Engine:
    """An engine for PostgreSQL as the login itself, without a role, that keeps no connection."""
    return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=_POSTGRESQL)


@contextmanager
def migrating() -> Iterator[Connection]:
    """The one connection that migrations run on, in one transaction; one process at a time."""
    if is_postgresql():
        _make_roles()
    guard = _on_postgresql if is_postgresql() else _on_sqlite
    with owners_engine().connect() as connection, guard(connection):
        yield connection


def _make_roles() -> None:
    """Make the roles that the policies name, each by itself: they are the whole server's, and a transaction that waited
    for another database's migration to make one would go on not seeing it.
    """
    with owners_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for role in DatabaseRole:
            if connection.scalar(text("SELECT to_regrole(:role)"), {"role": role.value}) is None:
                try:
                    connection.exec_driver_sql(f"CREATE ROLE {role.value} NOLOGIN")
                except DBAPIError as error:
                    if getattr(error.orig, "pgcode", None) not in ALREADY_THERE:
                        raise


@contextmanager
def _on_postgresql(connection: Connection) -> Iterator[None]:
    with connection.begin():
        # Rather fail than let everybody wait behind a change that itself waits for somebody's open transaction.
        connection.execute(
            text("SELECT set_config('lock_timeout', :wait, true), set_config('statement_timeout', '0', true)"),
            {"wait": str(int(MIGRATION_WAIT * 1000))},
        )
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        yield


@contextmanager
def _on_sqlite(connection: Connection) -> Iterator[None]:
    """Foreign keys are off, because SQLite changes a table by re-creating it and a cascade would then empty its
    children; they are checked before the commit instead.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        with connection.begin():
            yield
            broken = connection.execute(text("PRAGMA foreign_key_check")).first()
            if broken:
                raise RuntimeError(f"migration left a broken reference in table {broken[0]}")
    finally:
        driver.execute("PRAGMA foreign_keys = ON")

"""The move of everything that a SQLite database holds to PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Row, Table, create_engine, func, insert, make_url, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from core.config import database_address
from core.database import engine, schema
from core.database.models import owned_tables
from core.errors import InvalidInput

BATCH_ROWS = 1_000


def copy(source: str, target: str) -> dict[str, int]:
    """Copy every row of the SQLite database ``source`` to the empty PostgreSQL database ``target``, in one transaction.

    Both have the newest schema; ``target`` logs in as the tables' owner. Ids stay, and new ones follow behind all that
    were ever used. Returns the number of rows of each table, counted on both sides. Raises InvalidInput when that
    cannot be done; then nothing is written.
    """
    reader, writer = _engines(source, target)
    try:
        with reader.connect() as old, writer.begin() as new:
            old.exec_driver_sql("BEGIN")  # one state of it, whatever is still written
            new.execute(text("SELECT set_config('statement_timeout', '0', true)"))
            _check(old, new)
            # The owner, too, is bound by the policies, and may give no ids; both are put back before the commit.
            _alter(new, "NO FORCE ROW LEVEL SECURITY", "BY DEFAULT")
            copied = {table.name: _copy_table(table, old, new) for table in engine.Base.metadata.sorted_tables}
            for table, column in _identities():
                if last := _last_id(table, column, old):
                    new.execute(select(func.setval(func.pg_get_serial_sequence(table.name, column.name), last)))
            _alter(new, "FORCE ROW LEVEL SECURITY", "ALWAYS")
    except (SQLAlchemyError, ValueError, LookupError) as error:
        said = error.orig if isinstance(error, DBAPIError) else error
        first, _, _ = str(said).partition("\n")
        raise InvalidInput(f"Nothing was copied; the database said: {first}.") from error
    return copied


def _engines(source: str, target: str) -> tuple[Engine, Engine]:
    try:
        source, target = database_address(source), database_address(target)
    except ValueError as error:
        raise InvalidInput(f"Each address {error}.") from None
    if not (source.startswith("sqlite:") and target.startswith("postgresql")):
        raise InvalidInput("Tasks are copied from sqlite:///path/to/file.db to postgresql+psycopg2://owner@host/name.")
    path = make_url(source).database or ""
    if not Path(path).is_file():
        raise InvalidInput(f"There is no file {path} to copy from.")
    return create_engine(source, poolclass=NullPool, hide_parameters=True), engine.bare_engine(target)


def _check(old: Connection, new: Connection) -> None:
    for name, connection in (("from", old), ("to", new)):
        if advice := schema.why_not_newest(schema.version_of(connection)):
            raise InvalidInput(f"The database to copy {name} {advice}")
    if new.scalar(select(func.count()).select_from(engine.Base.metadata.tables["users"])):
        raise InvalidInput("The database to copy to is not empty: make a new one.")


def _alter(connection: Connection, security: str, generated: str) -> None:
    for table in owned_tables():
        connection.execute(text(f"ALTER TABLE {table} {security}"))
    for table, column in _identities():
        connection.execute(text(f"ALTER TABLE {table} ALTER {column.name} SET GENERATED {generated}"))


def _identities() -> list[tuple[Table, Column[Any]]]:
    tables = engine.Base.metadata.sorted_tables
    return [(table, column) for table in tables for column in table.columns if column.identity is not None]


def _last_id(table: Table, column: Column[Any], old: Connection) -> int | None:
    """The largest id that was ever used, also of rows that are gone, where SQLite remembers that."""
    remembered = old.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :table"), {"table": table.name})
    last: int | None = remembered or old.scalar(select(func.max(column)))
    return last


def _copy_table(table: Table, old: Connection, new: Connection) -> int:
    statement = insert(table)
    for batch in _batches(table, old):
        new.execute(statement, [dict(row._mapping) for row in batch])
    before, after = (connection.scalar(select(func.count()).select_from(table)) for connection in (old, new))
    if before != after:
        raise InvalidInput(f"Nothing was copied: of {table} there were {before} rows, but {after} arrived.")
    return int(after or 0)


def _batches(table: Table, old: Connection) -> Iterator[list[Row[Any]]]:
    rows = old.execution_options(yield_per=BATCH_ROWS).execute(select(table))
    yield from (list(batch) for batch in rows.partitions())

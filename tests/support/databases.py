"""A fresh database for each test, of the kind that this run is about: SQLite, or PostgreSQL with ``--postgresql``."""

import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import psycopg2
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from core.config import settings
from core.database import engine
from tests.support.postgresql import Addresses

LOGINS = {
    "DATABASE_URL": "taskdeck_web",
    "WORKER_DATABASE_URL": "taskdeck_runner",
    "MIGRATION_DATABASE_URL": "taskdeck_owner",
}

#: PostgreSQL: what changes when a schema, a right or a database's setting does, and not when rows do.
STATE = "SELECT datdba, datacl::text, datconnlimit, " + ", ".join(  # noqa: S608  the names stand below
    f"(SELECT md5(string_agg(concat_ws(' ', {key}, xmin), ',' ORDER BY {key})) FROM {catalog} WHERE {which})"  # noqa: S608
    for catalog, key, which in (
        *((name, "oid", "oid >= 16384") for name in ("pg_class", "pg_proc", "pg_type", "pg_constraint", "pg_policy")),
        *((name, "oid", "true") for name in ("pg_trigger", "pg_namespace", "pg_default_acl", "pg_event_trigger")),
        ("pg_attribute", "(attrelid, attnum)", "attrelid >= 16384"),
        ("pg_db_role_setting", "(setdatabase, setrole)", "true"),
        ("alembic_version", "version_num", "true"),
    )
)
STATE += " FROM pg_database WHERE datname = current_database()"

#: PostgreSQL: takes every row away, and lets the numbers begin again.
CLEAR = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    *(f"DELETE FROM {table}" for table in reversed(engine.Base.metadata.sorted_tables)),  # noqa: S608
    "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'",
)


class Database(Protocol):
    """One kind of database."""

    def empty(self) -> dict[str, str]:
        """The environment that leads to a new database without a table."""

    def keep(self, folder: Path) -> None:
        """Make what the environment leads to now, with its data in ``folder``, the template."""

    def fresh(self, folder: Path) -> dict[str, str]:
        """The environment that leads to a copy of the template, for the data folder ``folder``."""

    def drop(self, environment: Mapping[str, str]) -> None:
        """Forget the database that this environment, of ``empty`` or ``fresh``, leads to."""

    def present(self) -> dict[str, str]:
        """The environment that leads another process to the running test's database."""

    def nowhere(self, folder: Path) -> dict[str, str]:
        """The environment that leads to no database."""

    def unguarded(self) -> Engine:
        """An engine for the running test's database that no policy binds."""

    def state(self) -> object:
        """What changes when the running test's database gets another schema or other rights, and not with its rows."""

    def locked(self) -> AbstractContextManager[object]:
        """Another program keeps everybody from writing to the running test's database; reading goes on."""


class OnSQLite:
    """Files."""

    def empty(self) -> dict[str, str]:
        return {}

    def keep(self, folder: Path) -> None:
        self._template = folder / "taskdeck.db"

    def fresh(self, folder: Path) -> dict[str, str]:
        shutil.copy(self._template, folder / "taskdeck.db")
        return {}

    def drop(self, environment: Mapping[str, str]) -> None:
        """The file goes with the test's folder."""

    def present(self) -> dict[str, str]:
        return {}  # it is in the data folder

    def nowhere(self, folder: Path) -> dict[str, str]:
        return {"DATABASE_URL": f"sqlite:///{folder}"}  # a folder is no database

    def unguarded(self) -> Engine:
        return engine.reading()  # which waits for no writer, unless it writes

    def state(self) -> object:
        with engine.reading().connect() as connection:
            return connection.execute(text("SELECT type, name, sql FROM sqlite_master ORDER BY name")).all()

    @contextmanager
    def locked(self) -> Iterator[None]:
        file = settings().url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, isolation_level=None, timeout=5)) as outsider:
            outsider.execute("BEGIN IMMEDIATE")
            yield
            outsider.execute("ROLLBACK")


class OnPostgreSQL:
    """Databases of a server that runs for this test run alone."""

    def __init__(self, server: Addresses) -> None:
        self.server = server
        self._numbers = itertools.count()
        self._template = ""
        self._spare = ""
        self._copies: set[str] = set()

    def empty(self) -> dict[str, str]:
        return self._addresses(self._create("template0"))

    def keep(self, folder: Path) -> None:
        self._template = name_of(os.environ)
        self._state = self._look(self._template)

    def fresh(self, folder: Path) -> dict[str, str]:
        """A new copy takes a third of a second: one that was cleared gets a new name instead, which nobody knows."""
        spare, self._spare = self._spare, ""
        name = (spare and self._renamed(spare)) or self._create(self._template)
        self._copies.add(name)
        return self._addresses(name)

    def _renamed(self, spare: str) -> str | None:
        """The spare database's new name; None when a thread of the test before it is still connected to it."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        try:
            self.server.execute(f"ALTER DATABASE {spare} RENAME TO {name}")
        except psycopg2.errors.ObjectInUse:
            self.server.execute(f"DROP DATABASE {spare} WITH (FORCE)")
            return None
        return name

    def drop(self, environment: Mapping[str, str]) -> None:
        name = name_of(environment)
        if not self._spare and name in self._copies and self._clear(name):
            self._spare = name
        else:
            self.server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._copies.discard(name)

    def present(self) -> dict[str, str]:
        return {name: os.environ[name] for name in LOGINS if name in os.environ}

    def nowhere(self, folder: Path) -> dict[str, str]:
        return {name: f"postgresql+psycopg2://{login}@/nothing?host={folder}" for name, login in LOGINS.items()}

    def unguarded(self) -> Engine:
        return _engine(self.server.url(name_of(os.environ)))

    def state(self) -> object:
        return self._look(name_of(os.environ))

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(psycopg2.connect(self.server.dsn(name_of(os.environ)))) as outsider, outsider.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {', '.join(engine.Base.metadata.tables)} IN EXCLUSIVE MODE")
            yield
            outsider.rollback()

    def _create(self, template: str) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.server.execute(
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY OWNER taskdeck_owner",
            f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC",  # a template's own rights are not copied
        )
        return name

    def _addresses(self, name: str) -> dict[str, str]:
        return {variable: self.server.url(name, login) for variable, login in LOGINS.items()}

    def _clear(self, name: str) -> bool:
        """Take every row away; whether the database is then as the template is."""
        try:
            self.server.execute(*CLEAR, database=name)
            return self._look(name) == self._state
        except psycopg2.Error:  # a table is gone, say
            return False

    def _look(self, name: str) -> tuple[object, ...]:
        with closing(psycopg2.connect(self.server.dsn(name))) as connection, connection.cursor() as cursor:
            cursor.execute(STATE)
            (state,) = cursor.fetchall()
            return state


current: Database = OnSQLite()


def name_of(environment: Mapping[str, str]) -> str:
    """The database on PostgreSQL that this environment leads to."""
    return str(make_url(environment["DATABASE_URL"]).database)


@contextmanager
def unguarded() -> Iterator[Session]:
    """One transaction past every rule, for tests that arrange or look at rows."""
    with Session(current.unguarded(), expire_on_commit=False) as session, session.begin():
        yield session


@lru_cache(1)
def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool)

"""A test's own database on PostgreSQL, past every rule and as any login."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from tests.support import databases


class Present:
    """Where the running test's DATABASE_URL leads."""

    def __init__(self, found: databases.OnPostgreSQL) -> None:
        self.server = found.server
        self.name = databases.name_of(os.environ)

    def url(self, login: str) -> str:
        return self.server.url(self.name, login)

    def execute(self, *statements: str) -> None:
        """As the superuser, each statement in a transaction of its own."""
        self.server.execute(*statements, database=self.name)

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """As the superuser, whom no policy binds."""
        with self.as_login("postgres") as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    @contextmanager
    def as_login(self, login: str) -> Iterator[Connection]:
        """A bare connection of psycopg2; nothing that it does is committed."""
        connection = psycopg2.connect(self.server.dsn(self.name, login))
        try:
            yield connection
        finally:
            connection.close()

"""Runs the migrations on the product's own connection, in one transaction."""

from typing import Any

from alembic import context

from core.database import engine
from core.database.models import Task


def belongs_here(item: Any, _name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
    """Some indexes are for one database alone."""
    return item.info.get("only") in (None, connection.dialect.name)


with engine.migrating() as connection:
    context.configure(
        connection=connection,
        target_metadata=Task.metadata,
        render_as_batch=True,
        include_object=belongs_here,
        # SQLite can roll back DDL too, which Alembic does not assume: a failing revision leaves nothing behind.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()

"""Runs the migrations on the product's own connection, in one transaction."""

from alembic import context

from core import db
from core.models import Task

with db.migrating() as connection:
    context.configure(
        connection=connection,
        target_metadata=Task.metadata,
        render_as_batch=True,
        # SQLite can roll back DDL too, which Alembic does not assume: a failing revision leaves nothing behind.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()

"""a task's limit can be put off once"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("extension", sa.Double, nullable=False, server_default="0"))


def downgrade() -> None:
    # Not in Alembic's batch mode: that makes the table anew and so loses its triggers.
    op.drop_column("tasks", "extension")

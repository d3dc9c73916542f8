"""people, sessions, tokens, tasks, log entries and artifacts"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

OWNED = ("tasks", "task_logs", "artifacts")

row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
moment = sa.DateTime(timezone=True)


def enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, create_constraint=True)


def user() -> sa.Column[uuid.UUID]:
    return sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False)


def task_reference(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["task_id", "user_id"],
        ["tasks.id", "tasks.user_id"],
        name=op.f(f"fk_{table}_task_id_tasks"),
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("username", sa.Text, nullable=False, unique=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("role", enum("role_enum", "member", "analyst", "admin"), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("session_epoch", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("password_changed_at", moment, nullable=False),
    )
    op.create_table(
        "auth_sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        user(),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("redeemed_at", moment),
        sa.Column("revoked_at", moment),
    )
    op.create_index("ix_auth_sessions_user_id", "auth_sessions", ["user_id"])
    op.create_table(
        "api_tokens",
        sa.Column("id", row_id, sa.Identity(always=True), primary_key=True),
        user(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False, unique=True),
        sa.Column("scope", enum("token_scope_enum", "read", "write"), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("last_used_at", moment),
        sa.Column("revoked_at", moment),
    )
    op.create_index("ix_api_tokens_user_id", "api_tokens", ["user_id"])
    _create_tasks()
    op.create_table(
        "task_logs",
        sa.Column("task_id", row_id, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("timestamp", moment, nullable=False),
        sa.Column("type", enum("log_type_enum", "info", "command", "success", "error"), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        task_reference("task_logs"),
    )
    op.create_table(
        "artifacts",
        sa.Column("task_id", row_id, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("size", row_id, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        task_reference("artifacts"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for table in OWNED:
            op.execute(
                f"CREATE TRIGGER {table}_owner_is_immutable BEFORE UPDATE OF user_id ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the owner of a row never changes'); END"
            )


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", row_id, sa.Identity(always=True), primary_key=True),
        user(),
        sa.Column(
            "status",
            enum("task_status_enum", "pending", "processing", "completed", "error"),
            nullable=False,
            server_default="pending",
        ),
        sa.Column("progress", sa.Integer, nullable=False, server_default="0"),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("repo_url", sa.Text),
        sa.Column("selected_agent", sa.Text, nullable=False, server_default="claude"),
        sa.Column("selected_model", sa.Text),
        sa.Column("sandbox_url", sa.Text),
        sa.Column("branch_name", sa.Text),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("updated_at", moment, nullable=False, server_default=sa.func.now()),
        sa.Column(
            "end_reason", enum("end_reason_enum", "completed", "failed", "timed_out", "cancelled", "interrupted")
        ),
        sa.Column("error", sa.Text),
        sa.Column("started_at", moment),
        sa.Column("finished_at", moment),
        sa.Column("rerun_of", row_id),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("claimed_by", sa.Text),
        sa.Column("lease_until", moment),
        sa.Column("cancel_requested_at", moment),
        sa.Column("log_count", sa.Integer, nullable=False, server_default="0"),
        sa.UniqueConstraint("id", "user_id"),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        sa.CheckConstraint("length(prompt) >= 1", name="prompt"),
        sa.CheckConstraint(
            "(status IN ('completed', 'error')) = (end_reason IS NOT NULL)", name="end_reason_when_ended"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("idx_tasks_user_id", "tasks", ["user_id", "created_at", "id"])
    op.create_index("idx_tasks_status", "tasks", ["user_id", "status", "created_at", "id"])
    op.create_index("idx_tasks_created_at", "tasks", ["created_at"])
    for name, columns, status in (
        ("idx_tasks_pending", ["created_at", "id"], "pending"),
        ("idx_tasks_processing", ["lease_until"], "processing"),
    ):
        condition = sa.text(f"status = '{status}'")
        op.create_index(name, "tasks", columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for table in ("artifacts", "task_logs", "tasks", "api_tokens", "auth_sessions", "users"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for name in ("log_type_enum", "end_reason_enum", "task_status_enum", "token_scope_enum", "role_enum"):
            op.execute(f"DROP TYPE {name}")

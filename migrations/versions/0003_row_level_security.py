"""PostgreSQL itself keeps people apart: grants and forced policies. SQLite has no such thing."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

OWNED = ("tasks", "task_logs", "artifacts")
PARTIAL = ("completed", "error")
IDENTITY = ("users", "auth_sessions", "api_tokens")

#: What may be changed: not a row's owner, nor what was asked for.
CHANGED = (
    "status, progress, sandbox_url, branch_name, updated_at, end_reason, error, started_at, finished_at, attempt, "
    "claimed_by, lease_until, cancel_requested_at, extension, log_count"
)
#: What may be given to a new task: all but its id.
GIVEN = f"user_id, prompt, repo_url, selected_agent, selected_model, created_at, rerun_of, {CHANGED}"

# NULLIF: once a transaction of the connection has set it, an unset value is '' and no longer NULL.
# The sub-select is evaluated once a query and not once a row.
SELF = "(SELECT NULLIF(current_setting('app.user_id', true), '')::uuid)"

ANALYST = (
    "(SELECT current_setting('app.reads', true) = 'everyone' AND EXISTS (SELECT FROM users WHERE id = "
    "NULLIF(current_setting('app.user_id', true), '')::uuid AND is_active AND role IN ('analyst', 'admin')))"
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for role in ("tasks_app", "tasks_worker"):
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
    op.execute("GRANT SELECT ON alembic_version TO PUBLIC")  # also a login reads it that takes its roles later
    # A temporary table would stand before the real one for whoever gets the connection next.
    op.execute("DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$")
    for table in IDENTITY:
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO tasks_app")
    op.execute("GRANT DELETE ON auth_sessions TO tasks_app")
    op.execute(f"GRANT SELECT, INSERT ({GIVEN}), UPDATE ({CHANGED}), DELETE ON tasks TO tasks_app")
    op.execute(f"GRANT SELECT, UPDATE ({CHANGED}), DELETE ON tasks TO tasks_worker")
    op.execute("GRANT SELECT, INSERT ON task_logs, artifacts TO tasks_app, tasks_worker")
    op.drop_index("idx_tasks_created_at", "tasks")
    op.create_index("idx_tasks_created_at", "tasks", ["created_at"], postgresql_using="brin")
    for status in PARTIAL:
        where = sa.text(f"status = '{status}'")
        op.create_index(f"idx_tasks_{status}", "tasks", ["user_id", "created_at", "id"], postgresql_where=where)
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY owner ON {table} FOR ALL TO tasks_app "
            f"USING (user_id = {SELF}) WITH CHECK (user_id = {SELF})"
        )
        op.execute(f"CREATE POLICY analyst ON {table} FOR SELECT TO tasks_app USING ({ANALYST})")
        op.execute(f"CREATE POLICY runner ON {table} FOR ALL TO tasks_worker USING (true) WITH CHECK (true)")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for status in PARTIAL:
        op.drop_index(f"idx_tasks_{status}", "tasks")
    op.drop_index("idx_tasks_created_at", "tasks")
    op.create_index("idx_tasks_created_at", "tasks", ["created_at"])
    for table in OWNED:
        for policy in ("owner", "analyst", "runner"):
            op.execute(f"DROP POLICY {policy} ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute("REVOKE ALL ON alembic_version FROM PUBLIC")
    tables = ", ".join((*OWNED, *IDENTITY))
    op.execute(f"REVOKE ALL ON {tables} FROM tasks_app, tasks_worker")
    op.execute("REVOKE ALL ON SCHEMA public FROM tasks_app, tasks_worker")
    # The roles belong to the whole server, and other databases may use them: they stay.

"""sessions say whose browser they are; failed sign-ins are counted; the audit trail"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("auth_sessions", sa.Column("last_seen_at", moment))
    for name in ("browser", "address", "proof"):
        op.add_column("auth_sessions", sa.Column(name, sa.Text))
    op.create_index("ix_auth_sessions_proof", "auth_sessions", ["proof"], unique=True)
    op.create_table(
        "login_throttle",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("window_start", moment, nullable=False),
        sa.Column("locked_until", moment),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", row_id, sa.Identity(always=True), primary_key=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor_id", sa.Uuid),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column(
            "way", sa.Enum("ui", "api", "cli", "system", name="way_enum", create_constraint=True), nullable=False
        ),
        sa.Column("address", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_events_kind", "audit_events", ["kind", "id"])
    op.create_index("ix_audit_events_actor", "audit_events", ["actor", "id"])
    op.create_index("ix_audit_events_at", "audit_events", ["at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON login_throttle TO tasks_app")
        # Not the pages' role: with a person all of their rows go, whatever the policies say.
        op.execute("GRANT DELETE, SELECT (id, username, email, is_active) ON users TO tasks_worker")
        op.execute("GRANT SELECT, INSERT ON audit_events TO tasks_app")  # to nobody UPDATE or DELETE: it lasts
        op.execute("GRANT INSERT, SELECT (id) ON audit_events TO tasks_worker")
    else:
        for act in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER audit_events_no_{act} BEFORE {act} ON audit_events "
                "BEGIN SELECT RAISE(ABORT, 'nothing changes or removes what the audit trail says'); END"
            )


def downgrade() -> None:
    op.drop_table("audit_events")
    op.drop_table("login_throttle")
    op.drop_index("ix_auth_sessions_proof", "auth_sessions")
    for name in ("proof", "address", "browser", "last_seen_at"):
        op.drop_column("auth_sessions", name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("REVOKE DELETE, SELECT (id, username, email, is_active) ON users FROM tasks_worker")
        op.execute("DROP TYPE way_enum")

"""The tables and their words."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import (
    CheckConstraint,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.database.engine import Base, RowId, UTCDateTime, now
from core.database.roles import Role as Role
from core.database.roles import TokenScope as TokenScope
from core.log_text import LogType
from core.states import ENDED as ENDED
from core.states import EndReason as EndReason
from core.states import TaskStatus as TaskStatus

#: The largest number of a row, and so the largest that is worth a question.
MAX_ID = 2**63 - 1


class Channel(StrEnum):
    """Through what an act came."""

    UI = "ui"  #: a page in the browser
    API = "api"  #: a program, or a browser that calls the API itself
    CLI = "cli"  #: an operator at the machine's shell
    SYSTEM = "system"  #: Taskdeck of its own accord


def _enum(kind: type[StrEnum], name: str) -> Enum:
    """A native enum on PostgreSQL, text with a CHECK on SQLite."""
    return Enum(
        kind,
        name=name,
        values_callable=lambda members: [member.value for member in members],
        create_constraint=True,
    )


class Owned:
    """A row that belongs to one person forever. ``ownership`` filters on it."""

    user_id: Mapped[UUID] = mapped_column(Uuid)


def owned_tables() -> list[Table]:
    """Every table whose rows have an owner."""
    mappers = [mapper for mapper in Base.registry.mappers if issubclass(mapper.class_, Owned)]
    return [mapper.local_table for mapper in mappers if isinstance(mapper.local_table, Table)]


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    username: Mapped[str] = mapped_column(Text, unique=True)
    email: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    role: Mapped[Role] = mapped_column(_enum(Role, "role_enum"), default=Role.MEMBER)
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    session_epoch: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    password_changed_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class AuthSession(Base):
    """One sign-in of one browser."""

    __tablename__ = "auth_sessions"
    __table_args__ = (
        Index("ix_auth_sessions_user_id", "user_id"),
        Index("ix_auth_sessions_proof", "proof", unique=True),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    epoch: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    redeemed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    #: The browser as it names itself, and from where it came.
    browser: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    #: A digest of what another provider said: it starts one session and no second one.
    proof: Mapped[str | None] = mapped_column(Text)


class SignInThrottle(Base):
    """Tries that failed of late, for one name, address or account."""

    __tablename__ = "login_throttle"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int]
    window_start: Mapped[datetime] = mapped_column(UTCDateTime)
    locked_until: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AuditEvent(Base):
    """One act that somebody may have to answer for. It is written with the act and never changed."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_kind", "kind", "id"),
        Index("ix_audit_events_actor", "actor", "id"),
        Index("ix_audit_events_at", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    #: Whose act it was; the name as it was then, for it outlives the account. Empty for an operator and for Taskdeck.
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)
    actor: Mapped[str] = mapped_column(Text)
    way: Mapped[Channel] = mapped_column(_enum(Channel, "way_enum"))
    address: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)


class ApiToken(Base):
    """A personal token for programs; only its digest is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (Index("ix_api_tokens_user_id", "user_id"),)

    id: Mapped[int] = mapped_column(RowId, Identity(always=True), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[str] = mapped_column(Text, unique=True)
    scope: Mapped[TokenScope] = mapped_column(_enum(TokenScope, "token_scope_enum"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Task(Owned, Base):
    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("id", "user_id"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        CheckConstraint("length(prompt) >= 1", name="prompt"),
        CheckConstraint("(status IN ('completed', 'error')) = (end_reason IS NOT NULL)", name="end_reason_when_ended"),
        # Read backwards for newest first; both databases do so at the same price.
        Index("idx_tasks_user_id", "user_id", "created_at", "id"),
        Index("idx_tasks_status", "user_id", "status", "created_at", "id"),
        # With row level security PostgreSQL looks up no enum value in an index: its comparison is not leakproof. A
        # partial index, which the planner chooses, does the same.
        *(
            Index(
                f"idx_tasks_{status}",
                "user_id",
                "created_at",
                "id",
                postgresql_where=text(f"status = '{status}'"),
                info={"only": "postgresql"},
            )
            for status in ("completed", "error")
        ),
        # On PostgreSQL only for ranges (retention): the planner would walk a b-tree through everybody's newest tasks.
        Index("idx_tasks_created_at", "created_at", postgresql_using="brin"),
        Index(
            "idx_tasks_pending",
            "created_at",
            "id",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "idx_tasks_processing",
            "lease_until",
            sqlite_where=text("status = 'processing'"),
            postgresql_where=text("status = 'processing'"),
        ),
        {"sqlite_autoincrement": True},  # an id is never used twice
    )

    id: Mapped[int] = mapped_column(RowId, Identity(always=True), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    status: Mapped[TaskStatus] = mapped_column(
        _enum(TaskStatus, "task_status_enum"), default=TaskStatus.PENDING, server_default="pending"
    )
    progress: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    prompt: Mapped[str] = mapped_column(Text)
    repo_url: Mapped[str | None] = mapped_column(Text)
    selected_agent: Mapped[str] = mapped_column(Text, default="claude", server_default="claude")
    selected_model: Mapped[str | None] = mapped_column(Text)
    sandbox_url: Mapped[str | None] = mapped_column(Text)
    branch_name: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now, server_default=func.now())

    end_reason: Mapped[EndReason | None] = mapped_column(_enum(EndReason, "end_reason_enum"))
    error: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    rerun_of: Mapped[int | None] = mapped_column(RowId)
    attempt: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    claimed_by: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    #: By how many seconds the owner put the limit off.
    extension: Mapped[float] = mapped_column(default=0, server_default=text("0"))
    #: How many log entries there are, and so the newest one's seq.
    log_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))


class TaskLog(Owned, Base):
    """One log entry. ``seq`` counts from 1 without gaps within its task."""

    __tablename__ = "task_logs"
    __table_args__ = (
        # Both columns, so that no entry can hang on another person's task.
        ForeignKeyConstraint(["task_id", "user_id"], ["tasks.id", "tasks.user_id"], ondelete="CASCADE"),
    )

    task_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    timestamp: Mapped[datetime] = mapped_column(UTCDateTime)
    type: Mapped[LogType] = mapped_column(_enum(LogType, "log_type_enum"))
    message: Mapped[str] = mapped_column(Text)


class Artifact(Owned, Base):
    """A file that a task made, kept under the data folder."""

    __tablename__ = "artifacts"
    __table_args__ = (ForeignKeyConstraint(["task_id", "user_id"], ["tasks.id", "tasks.user_id"], ondelete="CASCADE"),)

    task_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(RowId)
    sha256: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str] = mapped_column(Text)

"""The conformance suite's people and rows, and what a database guards."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text

from core.database import engine
from core.database.models import Artifact, Owned, Role, Task, TaskLog, User
from core.database.ownership import Actor
from core.log_text import LogType
from tests.support.databases import unguarded

OWNED: list[type[Any]] = sorted(
    (mapper.class_ for mapper in engine.Base.registry.mappers if issubclass(mapper.class_, Owned)),
    key=lambda model: model.__name__,
)


def row_for(model: type[Any], owner: Actor, task_id: int) -> Any:
    """A row of each owned table, not stored; it hangs on this task. A new owned table needs a line here."""
    rows: dict[type[Any], Callable[[], Any]] = {
        Task: lambda: Task(user_id=owner.id, prompt="forged"),
        TaskLog: lambda: TaskLog(
            task_id=task_id, seq=9, user_id=owner.id, timestamp=engine.now(), type=LogType.INFO, message="forged"
        ),
        Artifact: lambda: Artifact(
            task_id=task_id, name="forged", user_id=owner.id, size=1, sha256="0" * 64, media_type="text/plain"
        ),
    }
    return rows[model]()


@dataclass(frozen=True)
class Pair:
    """Ada and Bob, each with a task that has a row in every owned table."""

    ada: Actor
    bob: Actor
    adas: int
    bobs: int


def dump() -> list[tuple[Any, ...]]:
    """Every row of every owned table, past every rule."""
    with unguarded() as session:
        return [tuple(row) for model in OWNED for row in session.execute(select(model.__table__)).all()]


def become(actor: Actor, role: Role, is_active: bool = True) -> None:
    """Give somebody another role."""
    with unguarded() as session:
        user = session.get_one(User, actor.id)
        user.role, user.is_active = role, is_active


def lacks(table: str) -> list[str]:
    """What the database does not guard of a table whose rows have owners."""
    with unguarded() as session:
        if session.get_bind().dialect.name == "sqlite":
            name = f"{table}_owner_is_immutable"
            found = session.scalar(
                text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table AND name = :name"),
                {"table": table, "name": name},
            )
            return [] if found and "BEFORE UPDATE OF user_id" in found else ["its trigger"]
        return [name for name, query in GUARDS.items() if not session.scalar(text(query), {"table": table})]


#: Each is true of a guarded table.
GUARDS = {
    "row level security": "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(:table)",
    "force": "SELECT relforcerowsecurity FROM pg_class WHERE oid = to_regclass(:table)",
    "its three policies and no other": (
        "SELECT array_agg(concat_ws(' ', policyname, cmd, roles::text) ORDER BY policyname) = "
        "ARRAY['analyst SELECT {tasks_app}', 'owner ALL {tasks_app}', 'runner ALL {tasks_worker}'] "
        "FROM pg_policies WHERE tablename = :table"
    ),
    "a policy for the owner that says so": (
        "SELECT qual ~ 'user_id = ' AND qual = with_check FROM pg_policies "
        "WHERE tablename = :table AND policyname = 'owner'"
    ),
    "an owner that nobody may change": (
        "SELECT NOT bool_or(has_column_privilege(role, to_regclass(:table)::oid, 'user_id', 'UPDATE')) "
        "FROM unnest(ARRAY['tasks_app', 'tasks_worker', 'taskdeck_web', 'taskdeck_runner']) AS role"
    ),
    "that nobody may empty it": (
        "SELECT NOT bool_or(has_table_privilege(role, to_regclass(:table)::oid, 'TRUNCATE, TRIGGER, REFERENCES')) "
        "FROM unnest(ARRAY['tasks_app', 'tasks_worker', 'taskdeck_web', 'taskdeck_runner']) AS role"
    ),
}

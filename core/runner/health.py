"""How the work as a whole stands: what waits, who works, how long their leases hold."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from core.database import engine
from core.database.models import Task
from core.database.ownership import acting_as_system
from core.states import TaskStatus
from core.tasks.listing import COUNTED


@dataclass(frozen=True)
class Runner:
    """A runner that holds tasks, and how many seconds are left of the lease that ends first."""

    name: str
    tasks: int
    lease_seconds: float


@dataclass(frozen=True)
class Load:
    """What waits and what runs, of everybody; counting what waits stops behind COUNTED."""

    pending: int
    oldest_pending_seconds: float
    runners: list[Runner]


def load(*, now: datetime | None = None) -> Load:
    """The load at this moment. Raises one of engine.Unavailable when the database does not answer."""
    now = now or engine.now()
    waits = Task.status == TaskStatus.PENDING
    with acting_as_system(reading=True) as session:
        # The orders and the last condition lead PostgreSQL's planner to the indexes, see claims.
        some = select(Task.id).where(waits).order_by(Task.created_at, Task.id).limit(COUNTED + 1).subquery()
        pending = session.scalar(select(func.count()).select_from(some)) or 0
        oldest = session.scalar(select(Task.created_at).where(waits).order_by(Task.created_at, Task.id).limit(1))
        holders = session.execute(
            select(Task.claimed_by, func.count(), func.min(Task.lease_until))
            .where(Task.status == TaskStatus.PROCESSING, Task.lease_until.is_not(None))
            .group_by(Task.claimed_by)
            .order_by(Task.claimed_by)
        ).all()
    return Load(
        pending,
        max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        [Runner(name, number, (until - now).total_seconds()) for name, number, until in holders if name and until],
    )

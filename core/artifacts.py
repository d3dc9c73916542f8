"""The files that a task made."""

from pathlib import Path

from sqlalchemy import select

from core.config import settings
from core.errors import NotFound
from core.models import Artifact
from core.ownership import Actor, acting_as
from core.tasks import owned


def of(actor: Actor, task_id: int) -> list[Artifact]:
    """A task's files by name. Raises NotFound for an absent or another person's task."""
    with acting_as(actor, reading=True) as session:
        owned(session, task_id)
        return list(session.scalars(select(Artifact).where(Artifact.task_id == task_id).order_by(Artifact.name)))


def find(actor: Actor, task_id: int, name: str) -> tuple[Artifact, Path]:
    """One file and where it lies. Raises NotFound; only names that a row holds lead to a path."""
    for artifact in of(actor, task_id):
        path = settings().artifacts / str(task_id) / artifact.name
        if artifact.name == name and path.is_file():
            return artifact, path
    raise NotFound("There is no such file.")

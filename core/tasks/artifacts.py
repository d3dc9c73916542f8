"""The files that a task made."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select
from zipstream import ZipStream

from core.config import settings
from core.database.models import Artifact
from core.database.ownership import Actor, acting_as
from core.errors import NotFound
from core.tasks.commands import owned
from core.tasks.stores import artifact_store


def of(actor: Actor, task_id: int) -> list[Artifact]:
    """A task's files by name. Raises NotFound for an absent or another person's task."""
    with acting_as(actor, reading=True) as session:
        owned(session, task_id)
        return list(session.scalars(select(Artifact).where(Artifact.task_id == task_id).order_by(Artifact.name)))


def find(actor: Actor, task_id: int, name: str) -> tuple[Artifact, Path]:
    """One file and where it lies. Raises NotFound; only names that a row holds lead to a path."""
    for artifact in of(actor, task_id):
        if artifact.name == name:
            return artifact, artifact_store(settings()).path(task_id, name)
    raise NotFound("There is no such file.")


def archive(actor: Actor, task_id: int) -> Iterator[bytes]:
    """A zip of all files under their names, piece by piece: it never lies whole in memory or on the disk.

    Raises NotFound before the first piece: for an absent or another person's task, and when there is nothing to pack
    or a file is missing.
    """
    files = of(actor, task_id)
    if not files:
        raise NotFound("This task has no files.")
    store, packed = artifact_store(settings()), ZipStream(compress_type=zipfile.ZIP_DEFLATED, compress_level=1)
    for name, path in [(file.name, store.path(task_id, file.name)) for file in files]:
        packed.add_path(path, name)
    return filter(None, packed)  # compressing often yields nothing yet

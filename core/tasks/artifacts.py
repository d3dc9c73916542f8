"""The files that a task made."""

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from core.config import settings
from core.database.models import Artifact
from core.database.ownership import Actor, acting_as
from core.errors import NotFound
from core.tasks.commands import owned

PIECE_BYTES = 2**18


def of(actor: Actor, task_id: int) -> list[Artifact]:
    """A task's files by name. Raises NotFound for an absent or another person's task."""
    with acting_as(actor, reading=True) as session:
        owned(session, task_id)
        return list(session.scalars(select(Artifact).where(Artifact.task_id == task_id).order_by(Artifact.name)))


def find(actor: Actor, task_id: int, name: str) -> tuple[Artifact, Path]:
    """One file and where it lies. Raises NotFound; only names that a row holds lead to a path."""
    for artifact in of(actor, task_id):
        if artifact.name == name:
            return artifact, _path(artifact)
    raise NotFound("There is no such file.")


def archive(actor: Actor, task_id: int) -> Iterator[bytes]:
    """A zip of all files under their names, piece by piece: it never lies whole in memory or on the disk.

    Raises NotFound before the first piece: for an absent or another person's task, and when there is nothing to pack
    or a file is missing.
    """
    files = [(artifact.name, _path(artifact)) for artifact in of(actor, task_id)]
    if not files:
        raise NotFound("This task has no files.")
    return _packed(files)


def _path(artifact: Artifact) -> Path:
    """Where a file lies. Raises NotFound when it is not there, or not beneath its task's folder."""
    folder = settings().artifacts / str(artifact.task_id)
    path = folder / artifact.name
    if not (path.is_file() and path.resolve().is_relative_to(folder.resolve())):
        raise NotFound(f"The file {artifact.name} is not in the data folder any more.")
    return path


class _Pieces:
    """What an archive has written since somebody last took it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _packed(files: list[tuple[str, Path]]) -> Iterator[bytes]:
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name, path in files:
            with path.open("rb") as reader, packed.open(_entry(name, path), "w") as writer:
                while block := reader.read(PIECE_BYTES):
                    writer.write(block)
                    yield pieces.take()
    yield pieces.take()


def _entry(name: str, path: Path) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, time.gmtime(path.stat().st_mtime)[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16  # else whoever unpacks it could not read it
    return entry

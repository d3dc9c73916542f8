"""A file as a finished task leaves it: a row, and the bytes in the task's folder."""

import hashlib

from core.config import settings
from core.database.models import Artifact
from core.database.ownership import Actor
from core.sandbox.output import media_type
from tests.support.databases import unguarded


def keep(owner: Actor, task_id: int, name: str, content: bytes = b"content") -> None:
    """Leave such a file."""
    path = settings().artifacts / str(task_id) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with unguarded() as session:
        digest = hashlib.sha256(content).hexdigest()
        row = {"name": name, "size": len(content), "sha256": digest, "media_type": media_type(name)}
        session.add(Artifact(task_id=task_id, user_id=owner.id, **row))

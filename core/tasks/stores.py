"""Where the files of tasks lie: the only code that knows. A store elsewhere is one more class with these methods."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from core.config import Settings
from core.errors import NotFound
from core.sandbox import folders, output
from core.sandbox.output import StoredArtifact


class ArtifactStore(Protocol):
    """Keeps files under the number of their task. Who may have them is asked before, see ``artifacts``."""

    def put(self, task_id: int, names: Iterable[str], source: Path) -> Iterator[StoredArtifact]:
        """Keep these files of a folder that a task's program wrote, one by one; what the task had before is gone.

        Raises AgentFailed when a file is not as it was found, OSError when there is no space.
        """

    def path(self, task_id: int, name: str) -> Path:
        """A file on this machine with what was put under the name. Raises NotFound."""

    def delete(self, key: int | str) -> None:
        """Delete all that lies under a task's number or another key; nothing there is no error."""

    def keys(self) -> list[str]:
        """Under what something lies: tasks' numbers, and whatever else found its way there."""


class LocalStore:
    """A folder on this machine, with one folder for each task."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, task_id: int, names: Iterable[str], source: Path) -> Iterator[StoredArtifact]:
        """See ArtifactStore. Each task's folder is the server's alone."""
        return output.store(names, source, self._folder / str(task_id))

    def path(self, task_id: int, name: str) -> Path:
        """See ArtifactStore. No link leads out of the task's folder."""
        folder = self._folder / str(task_id)
        path = folder / name
        if not (path.is_file() and path.resolve().is_relative_to(folder.resolve())):
            raise NotFound(f"The file {name} is not in the data folder any more.")
        return path

    def delete(self, key: int | str) -> None:
        """See ArtifactStore."""
        folders.remove(self._folder / str(key))

    def keys(self) -> list[str]:
        """See ArtifactStore."""
        return [entry.name for entry in self._folder.iterdir()] if self._folder.is_dir() else []


def artifact_store(settings: Settings) -> ArtifactStore:
    """The store that the settings lead to."""
    return LocalStore(settings.artifacts)

"""Removes what tasks left on the disk: workspaces and artifacts whose runner died, or whose task is gone."""

from collections.abc import Callable, Collection, Iterable

from sqlalchemy import ColumnElement, select

from core.config import Settings
from core.database.models import Task
from core.database.ownership import acting_as_system
from core.runner.chores.base import Chore
from core.sandbox import folders
from core.states import TaskStatus
from core.tasks.stores import artifact_store

#: A folder's name with more digits is no task's.
ID_DIGITS = 19

ASKED_AT_ONCE = 1_000


class Leftovers(Chore):
    """What lies there for nobody: workspaces of tasks that nobody runs, artifacts of tasks that are gone."""

    interval = 3600.0

    def run_once(self) -> None:
        """See Chore."""
        # The names first: a task has a row before it has a folder.
        workspaces, store = self._settings.workspaces, artifact_store(self._settings)
        names = [entry.name for entry in workspaces.iterdir()] if workspaces.is_dir() else []
        for name in _unwanted(names, running):
            folders.remove(workspaces / name)
        for key in _unwanted(store.keys(), existing):
            store.delete(key)


def remove(task_id: int, settings: Settings) -> None:
    """Remove what a task left on the disk whose runner died in its middle."""
    folders.remove(settings.workspaces / str(task_id))
    artifact_store(settings).delete(task_id)


def running(task_ids: Collection[int]) -> set[int]:
    """Those of these tasks that some runner holds, here or elsewhere."""
    return existing(task_ids, Task.status == TaskStatus.PROCESSING)


def existing(task_ids: Collection[int], *conditions: ColumnElement[bool]) -> set[int]:
    """Those of these tasks that are there, and fulfil the conditions."""
    asked, found = sorted(task_ids), set[int]()
    with acting_as_system(reading=True) as session:
        for start in range(0, len(asked), ASKED_AT_ONCE):
            some = Task.id.in_(asked[start : start + ASKED_AT_ONCE])
            found.update(session.scalars(select(Task.id).where(some, *conditions)))
    return found


def _unwanted(names: list[str], wanted: Callable[[Collection[int]], set[int]]) -> Iterable[str]:
    numbers = [int(name) for name in names if name.isdecimal() and len(name) < ID_DIGITS]
    kept = {str(task_id) for task_id in wanted(numbers)}
    return (name for name in names if name not in kept)

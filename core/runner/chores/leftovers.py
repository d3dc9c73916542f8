"""What tasks left on the disk: workspaces and artifacts whose runner died, or whose task is gone."""

from core.config import Settings
from core.runner import health
from core.sandbox import isolation

#: A folder's name with more digits is no task's.
ID_DIGITS = 19


def remove_orphans(settings: Settings) -> None:
    """Remove what lies there for nobody: workspaces of tasks that nobody runs, artifacts of tasks that are gone."""
    for folder, wanted in ((settings.workspaces, health.running), (settings.artifacts, health.existing)):
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        numbers = [int(name) for name in names if name.isdecimal() and len(name) < ID_DIGITS]
        kept = {str(task_id) for task_id in wanted(numbers)}  # after the names: a task has a row before it has a folder
        for name in names:
            if name not in kept:
                isolation.remove(folder / name)


def remove(task_id: int, settings: Settings) -> None:
    """Remove what a task left on the disk whose runner died in its middle."""
    for folder in (settings.workspaces, settings.artifacts):
        isolation.remove(folder / str(task_id))

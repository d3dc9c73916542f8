"""A task's life, lived in the test's own thread."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from core import claims, logs, processor, tasks
from core.config import Settings
from core.models import LogType, Task
from core.ownership import Actor

#: The beginning of an agent's code that speaks in events.
SAY = "import json, sys\ndef say(**event): print(json.dumps(event), flush=True)\n"


class Life:
    """Creates, claims and lives Ada's tasks, with limits small enough for a test."""

    def __init__(self, actor: Actor, data: Path) -> None:
        self.actor = actor
        self.settings = Settings(timeout=30, warning=20, tick=10, data=data)
        self.stopping = threading.Event()
        self.monotonic: Callable[[], float] = time.monotonic

    def __call__(self, agent: str, repo_url: str | None = None) -> Task:
        task = tasks.create(self.actor, "the prompt", repo_url, agent)
        self.live()
        return tasks.find(self.actor, task.id)

    def live(self) -> None:
        claim = claims.claim("runner", 30)
        assert claim
        processor.live(claim, self.settings, self.stopping, self.monotonic)

    def log(self, task: Task) -> list[str]:
        return [entry.message for entry in logs.after(self.actor, task.id)]

    def types(self, task: Task) -> list[LogType]:
        return [entry.type for entry in logs.after(self.actor, task.id)]


def left_behind(data: Path) -> list[str]:
    """What lies in the folders of tasks."""
    return [path.name for name in ("workspaces", "artifacts") for path in sorted((data / name).rglob("*"))]

"""Schedulers with real processes: cheap ones, shells and no Pythons, whose agents do as they are told."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from core.agents.base import Assignment
from core.config import Settings
from core.database.models import EndReason, Task
from core.database.ownership import Actor
from core.runner.scheduler import Scheduler
from core.sandbox.command import Command
from core.tasks import commands, logs
from tests.support.scripts import Script
from tests.support.waiting import eventually


class Shell(Script):
    """An agent that is a line of shell, which starts much faster than Python."""

    def command(self, assignment: Assignment) -> Command:
        return replace(super().command(assignment), argv=("sh", "-c", self.code))


class Schedulers:
    """Starts schedulers with some settings; what still runs at the end is interrupted."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._started: list[Scheduler] = []

    def __call__(self, **values: Any) -> Scheduler:
        clocks = {name: values.pop(name) for name in ("monotonic", "now") if name in values}
        scheduler = Scheduler(Settings(data=self._data, **values), **clocks)
        scheduler.start()
        self._started.append(scheduler)
        return scheduler

    def close(self) -> None:
        for scheduler in self._started:
            if scheduler._clock.running:
                scheduler.interrupt_all()
                scheduler.stop()


class Deck:
    """Schedulers, and Ada's and Bob's tasks for them: ``quick`` ends at once, ``order`` notes its prompt,
    ``sleeper`` notes its process and sleeps, ``waiter`` says that it began and ends when the file ``go`` is there.
    """

    def __init__(self, ada: Actor, bob: Actor, start: Schedulers, folder: Path) -> None:
        self.ada, self.bob, self.start = ada, bob, start
        self.go = folder / "go"
        self._notes = folder / "notes"
        self._owners: dict[int, Actor] = {}

    def codes(self) -> dict[str, str]:
        return {
            "quick": "echo done",
            "order": f"printf '%s\\n' \"$(cat)\" >> {self._notes}",
            "sleeper": f"echo $$ >> {self._notes}; exec sleep 600",
            "waiter": f"echo begun; while [ ! -e {self.go} ]; do sleep 0.02; done",
        }

    def create(self, agent: str, actor: Actor | None = None, prompt: str = "x") -> int:
        """The number of a new task, of Ada's if nobody is named."""
        task_id = commands.create(actor or self.ada, prompt=prompt, agent=agent).id
        self._owners[task_id] = actor or self.ada
        return task_id

    def find(self, task_id: int) -> Task:
        return commands.find(self._owners[task_id], task_id)

    def log(self, task_id: int) -> list[str]:
        return [entry.message for entry in logs.after(self._owners[task_id], task_id)]

    def wait(self, reason: EndReason, *task_ids: int, seconds: float = 10) -> None:
        """Until these tasks have ended, all of them for this reason."""
        eventually(lambda: all(self.find(task_id).end_reason for task_id in task_ids), seconds)
        assert [self.find(task_id).end_reason for task_id in task_ids] == [reason] * len(task_ids)

    def notes(self) -> list[str]:
        return self._notes.read_text().split() if self._notes.exists() else []

    def sleeping(self, number: int) -> list[int]:
        """The processes of so many sleepers, as soon as they have begun."""
        eventually(lambda: len(self.notes()) == number)
        return list(map(int, self.notes()))

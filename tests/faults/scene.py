"""What happens in a test of faults: servers or a scheduler, tasks of agents that are scripts, and what must be true."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.database import engine
from core.database.models import Task, TaskLog
from core.database.ownership import Actor
from core.log_text import LogType
from core.runner.scheduler import Scheduler
from core.states import ENDED, EndReason, TaskStatus
from core.tasks import commands, logs
from tests.support.server import Server
from tests.support.waiting import eventually
from tests.support.world import World

#: Notes that it ran, by its prompt, then says two lines and ends. {path} is where it notes it.
QUICK = """
import os, sys
with open({path!r}, "a") as file:
    file.write(f"{{sys.stdin.read()}} {{os.getpid()}}\\n")
print("one")
print("two")
"""

#: Notes that it ran and works until it is stopped, or until the file {path}.go is there.
PATIENT = QUICK + "import time\nwhile not os.path.exists({path!r} + '.go'): time.sleep(0.02)\nprint('three')"

#: Says a numbered line every 20 ms until the file {path}.go is there; then how many there were. It leaves a file.
TALKER = """
import os, sys, time
number = 0
while not os.path.exists({path!r} + ".go"):
    print("line", number, flush=True)
    number += 1
    time.sleep(0.02)
print("said", number)
open(sys.argv[1] + "/report.md", "w").write("# Done")
"""


def fault(name: str, expected: str, *values: object) -> Any:
    """The values of one of a test's faults."""
    return pytest.param(*values, marks=pytest.mark.fault(name, expected), id=name)


@dataclass(frozen=True)
class Scene:
    """Ada's tasks on this test's data. ``serve`` starts a real server, ``schedule`` a scheduler in this process."""

    ada: Actor
    data: Path
    path: Path  #: where agents note that they ran
    world: World
    serve: Callable[..., Server]
    start_scheduler: Callable[..., Scheduler]
    measured: Callable[[str], None]

    def schedule(self, now: Callable[[], datetime] = engine.now, **values: object) -> Scheduler:
        return self.start_scheduler(now=now, **values)

    def agent(self, name: str, code: str) -> str:
        """Make an agent of this code, in which {path} is where it notes that it ran; its name."""
        return self.world.script_agent(name, code.format(path=str(self.path)))

    def create(self, agent: str, prompt: str = "x", repo_url: str | None = None) -> int:
        return commands.create(self.ada, prompt=prompt, repo_url=repo_url, agent=agent).id

    def go(self) -> None:
        """Let the agents end that wait for it."""
        Path(f"{self.path}.go").touch()

    def ran(self) -> list[str]:
        """The prompts that agents noted, in the order of their starts."""
        return [line.split()[0] for line in self._notes()]

    def pids(self) -> list[int]:
        """The processes that noted it."""
        return [int(line.split()[1]) for line in self._notes()]

    def find(self, task_id: int) -> Task:
        return commands.find(self.ada, task_id)

    def status(self, task_id: int) -> TaskStatus:
        return self.find(task_id).status

    def log(self, task_id: int) -> list[TaskLog]:
        """Every entry of a task's log."""
        return logs.since(self.ada, task_id, 0, LogType)

    def said(self, task_id: int) -> list[str]:
        return [entry.message for entry in self.log(task_id)]

    def lines(self, task_id: int) -> list[int]:
        """The numbers of the lines in a task's log."""
        return [int(message.split()[1]) for message in self.said(task_id) if message.startswith("line ")]

    def ended(self, *task_ids: int) -> bool:
        return all(self.status(task_id) in ENDED for task_id in task_ids)

    def wait(self, reason: EndReason, *task_ids: int, seconds: float = 10) -> None:
        """Until these tasks have ended, each exactly once and for this reason."""
        eventually(lambda: self.ended(*task_ids), seconds)
        assert [self.ended_once(task_id).end_reason for task_id in task_ids] == [reason] * len(task_ids)

    def ended_once(self, task_id: int) -> Task:
        """The task, which has exactly one end: in its row, and as the last entry of a log without gaps."""
        task, log = self.find(task_id), self.log(task_id)
        assert task.status in ENDED
        assert [entry.seq for entry in log] == list(range(1, task.log_count + 1))
        ends = [entry.seq for entry in log if entry.message.startswith("Completed in") or entry.message == task.error]
        assert ends == [task.log_count], f"task {task_id} ends at {ends} of {task.log_count}"
        if task.error is None:
            assert (task.end_reason, task.progress, log[-1].type) == ("completed", 100, LogType.SUCCESS)
        else:
            assert task.progress < 100
            assert log[-1].type is (LogType.INFO if task.end_reason is EndReason.CANCELLED else LogType.ERROR)
        return task

    def running(self) -> list[psutil.Process]:
        """The processes of agents on this data; by their environment, which a detached one keeps too."""
        found = []
        for process in psutil.process_iter():
            try:
                home = process.environ().get("HOME", "")
                if home.startswith(f"{self.data}/") and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def lying(self, but: Iterable[int] = ()) -> list[str]:
        """Workspaces, and the artifacts of other tasks than these."""
        kept = {str(task_id) for task_id in but}
        artifacts = [path for path in self.data.glob("artifacts/*") if path.name not in kept]
        return [f"{path.parent.name}/{path.name}" for path in (*self.data.glob("workspaces/*"), *artifacts)]

    def cleared(self, *but: int, seconds: float = 5) -> None:
        """Wait until no process and no file of a task is left, but the artifacts of these."""
        eventually(lambda: not self.running() and not self.lying(but), seconds)

    def _notes(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

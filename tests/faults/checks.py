"""What must be true after every fault, and the agents that faults happen to."""

from collections.abc import Iterable
from pathlib import Path

import psutil

from core.database.models import ENDED, EndReason, Task, TaskLog
from core.database.ownership import Actor
from core.log_text import LogType
from core.tasks import commands, logs

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


def ran(path: Path) -> list[str]:
    """The prompts that agents noted, in the order of their starts."""
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def pids(path: Path) -> list[int]:
    """The processes that noted it."""
    return [int(line.split()[1]) for line in path.read_text().splitlines()] if path.exists() else []


def whole_log(actor: Actor, task_id: int) -> list[TaskLog]:
    """Every entry of a task's log."""
    found: list[TaskLog] = []
    while page := logs.after(actor, task_id, found[-1].seq if found else 0):
        found += page
    return found


def ended(actor: Actor, task_ids: Iterable[int]) -> bool:
    return all(commands.find(actor, task_id).status in ENDED for task_id in task_ids)


def ended_once(actor: Actor, task_id: int) -> Task:
    """The task, which has exactly one end: in its row, and as the last entry of a log without gaps."""
    task, log = commands.find(actor, task_id), whole_log(actor, task_id)
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


def left_running(data: Path) -> list[psutil.Process]:
    """The processes of agents that work below this folder; by their environment, which a detached one keeps too."""
    found = []
    for process in psutil.process_iter():
        try:
            home = process.environ().get("HOME", "")
            if home.startswith(f"{data}/") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def left_lying(data: Path, *but: int) -> list[str]:
    """Workspaces, and the artifacts of other tasks than these."""
    kept = {str(task_id) for task_id in but}
    workspaces = [f"workspaces/{path.name}" for path in data.glob("workspaces/*")]
    return workspaces + [f"artifacts/{path.name}" for path in data.glob("artifacts/*") if path.name not in kept]

"""Many processes take tasks from one database: each task is taken once, and none is forgotten."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from core.database.models import Task, TaskLog, TaskStatus
from core.database.ownership import Actor
from core.tasks import commands
from tests.faults.claimant import ENTRIES
from tests.support.databases import unguarded
from tests.support.server import ROOT

TASKS = 2_000
PROCESSES = 8


@pytest.mark.slow
@pytest.mark.fault(
    f"{TASKS:,} tasks, {PROCESSES} processes that claim and end them at once",
    "no task twice, none lost, each with exactly its own log",
)
def test_of_two_thousand_tasks_each_is_taken_once(ada: Actor, bob: Actor, measured: Callable[[str], None]) -> None:
    made = [commands.create((ada, bob)[number % 2], prompt=f"t{number}").id for number in range(TASKS)]
    begun, command = time.monotonic(), [sys.executable, "-m", "tests.faults.claimant"]
    pipes: dict[str, Any] = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    runners = [subprocess.Popen([*command, f"runner-{number}"], **pipes) for number in range(PROCESSES)]
    outputs, seconds = [runner.communicate(timeout=100) for runner in runners], time.monotonic() - begun
    assert [runner.returncode for runner in runners] == [0] * PROCESSES, outputs
    shares = [[int(line) for line in output.split()] for output, _ in outputs]
    taken = Counter(task_id for share in shares for task_id in share)
    assert ([task_id for task_id, times in taken.items() if times > 1], sorted(taken)) == ([], made)
    assert sum(map(bool, shares)) >= 2, "one process did it all: nothing was tested"

    by = {task_id: f"runner-{number}" for number, share in enumerate(shares) for task_id in share}
    with unguarded() as session:
        rows = session.execute(select(Task.id, Task.status, Task.attempt, Task.claimed_by, Task.log_count)).all()
        said = session.execute(
            select(TaskLog.task_id, TaskLog.seq, TaskLog.message).order_by(TaskLog.task_id, TaskLog.seq)
        )
        logs: dict[int, list[tuple[int, str]]] = {}
        for task_id, seq, message in said:
            logs.setdefault(task_id, []).append((seq, message))
        assert session.scalar(select(func.count()).select_from(TaskLog)) == TASKS * (ENTRIES + 2)
    assert {tuple(row) for row in rows} == {(each, TaskStatus.COMPLETED, 1, by[each], ENTRIES + 2) for each in made}
    for task_id, log in logs.items():
        assert [seq for seq, _ in log] == list(range(1, ENTRIES + 3))
        assert [message for _, message in log[2:]] == [f"{by[task_id]} says {number}" for number in range(ENTRIES)]
    busy, sizes = sum(int(error) for _, error in outputs), [len(share) for share in shares]
    measured(f"{TASKS / seconds:.0f} tasks/s, shares {min(sizes)} to {max(sizes)}, {busy} waits over 1 s")

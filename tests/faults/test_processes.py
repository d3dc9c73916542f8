"""Agents whose processes do not want to end: at the limit, at a cancel and at their own end nothing of them is left."""

import time
from collections.abc import Callable

import pytest

from core.database.models import EndReason, Task
from core.database.ownership import Actor
from core.tasks import commands
from tests.faults.scene import Scene, fault
from tests.support.waiting import eventually, is_alive

#: How long after its limit or a cancel a task may take to end, in seconds, on a busy machine.
SOON = 5.0

NOTE = """
import os, signal, subprocess, sys, time
def note():
    with open(NOTES, "a") as file:
        file.write(f"it {os.getpid()}\\n")
"""
DEAF = """
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
note()
while True: time.sleep(1)
"""
DETACHED = """
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
    if SILENT: os.closerange(0, 3)
    note()
    time.sleep(600)
while not os.path.exists(NOTES): time.sleep(0.01)
"""
ORPHAN = f"SILENT = True{DETACHED}time.sleep(600)"
STORM = """
for _ in range(100):
    if not os.fork():
        os.setsid()
        note()
        time.sleep(600)
time.sleep(600)
"""

CHAINS = """
note()
ending = time.time() + 60  # should nobody stop it
for _ in range(3):
    if not os.fork():
        os.setsid()
        while time.time() < ending:
            if os.fork(): os._exit(0)
        os._exit(0)
time.sleep(600)
"""


@pytest.fixture
def watched(scene: Scene) -> Callable[..., Task]:
    """Run an agent until some processes have noted themselves, let ``then`` happen; its task, after common checks."""

    def run(code: str, number: int, timeout: float, then: Callable[[int], object] = lambda _: None) -> Task:
        name = scene.world.script_agent("stubborn", f"NOTES = {str(scene.path)!r}\n{NOTE}{code}")
        scene.schedule(timeout=timeout, warning=timeout / 2)
        task_id = scene.create(name)
        eventually(lambda: len(scene.ran()) >= number, 20)
        assert len(scene.pids()) == number
        then(task_id)
        began = time.monotonic()
        eventually(lambda: scene.ended(task_id), timeout + SOON)
        took = time.monotonic() - began
        eventually(lambda: not any(map(is_alive, scene.pids())), 1)
        scene.cleared()
        task = scene.ended_once(task_id)
        assert task.started_at and task.finished_at
        lasted = (task.finished_at - task.started_at).total_seconds()
        figure = f"ended {took:.1f} s after the cancel" if task.cancel_requested_at else f"ended after {lasted:.1f} s"
        scene.measured(figure)
        assert lasted < timeout + SOON
        return task

    return run


AT_THE_LIMIT = [
    fault("a process that ignores SIGTERM, SIGINT and SIGHUP, at the limit of 2 s", "dead, timed out", DEAF),
    fault("a grandchild that detached itself (two forks, setsid), at the limit of 2 s", "dead, timed out", ORPHAN),
    fault("processes that fork and end all the time, at the limit of 2 s", "all dead, timed out", CHAINS),
]


@pytest.mark.parametrize("code", AT_THE_LIMIT)
def test_what_does_not_want_to_end_is_dead_at_the_limit(code: str, watched: Callable[..., Task]) -> None:
    task = watched(code, 1, 2)
    assert (task.end_reason, task.error) == (EndReason.TIMED_OUT, "The task was stopped at its limit of 2 s.")


@pytest.mark.parametrize(("code", "number"), [
    fault("a process that ignores SIGTERM, SIGINT and SIGHUP, at a cancel", "dead, cancelled", DEAF, 1),
    fault("100 detached children, at a cancel", "all dead, cancelled", STORM, 100),
])  # fmt: skip
def test_what_does_not_want_to_end_is_dead_after_a_cancel(
    code: str, number: int, watched: Callable[..., Task], ada: Actor
) -> None:
    task = watched(code, number, 60, lambda task_id: commands.cancel(ada, task_id))
    assert task.end_reason is EndReason.CANCELLED


@pytest.mark.fault(
    "a detached grandchild that holds the pipe after the command itself has ended",
    "the task is completed at once, the grandchild is dead",
)
def test_a_grandchild_that_holds_the_pipe_does_not_hold_the_task(watched: Callable[..., Task], scene: Scene) -> None:
    task = watched(f"SILENT = False{DETACHED}print('the last word')", 1, 60)
    assert task.end_reason is EndReason.COMPLETED
    assert "the last word" in scene.said(task.id)

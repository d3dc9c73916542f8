"""Agents whose processes do not want to end: at the limit, at a cancel and at their own end nothing of them is left."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.database.models import EndReason, Task
from core.database.ownership import Actor
from core.runner.scheduler import Scheduler
from core.tasks import commands
from tests.faults.checks import ended, ended_once, left_lying, left_running, pids, ran, whole_log
from tests.support.waiting import eventually, is_alive
from tests.support.world import World

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
def watched(
    schedule: Callable[..., Scheduler],
    world: World,
    ada: Actor,
    data: Path,
    tmp_path: Path,
    measured: Callable[[str], None],
) -> Callable[..., Task]:
    """Run an agent until some processes have noted themselves, let ``then`` happen; its task, after common checks."""

    def run(code: str, number: int, timeout: float, then: Callable[[int], object] = lambda _: None) -> Task:
        path = tmp_path / "noted"
        name = world.script_agent("stubborn", f"NOTES = {str(path)!r}\n{code}")
        schedule(timeout=timeout, warning=timeout / 2)
        task_id = commands.create(ada, prompt="x", agent=name).id
        eventually(lambda: len(ran(path)) >= number, 20)
        assert len(pids(path)) == number
        then(task_id)
        began = time.monotonic()
        eventually(lambda: ended(ada, [task_id]), timeout + SOON)
        took = time.monotonic() - began
        eventually(lambda: not any(is_alive(pid) for pid in pids(path)), 1)
        eventually(lambda: not left_running(data), 1)
        eventually(lambda: left_lying(data) == [], 1)
        task = ended_once(ada, task_id)
        assert task.started_at and task.finished_at
        lasted = (task.finished_at - task.started_at).total_seconds()
        figure = f"ended {took:.1f} s after the cancel" if task.cancel_requested_at else f"ended after {lasted:.1f} s"
        measured(figure)
        assert lasted < timeout + SOON
        return task

    return run


@pytest.mark.fault("a process that ignores SIGTERM, SIGINT and SIGHUP, at the limit of 2 s", "dead, timed out")
def test_a_process_that_ignores_signals_is_dead_at_the_limit(watched: Callable[..., Task]) -> None:
    task = watched(NOTE + DEAF, 1, 2)
    assert task.end_reason is EndReason.TIMED_OUT
    assert "its limit of 2 s" in str(task.error)


@pytest.mark.fault("a process that ignores SIGTERM, SIGINT and SIGHUP, at a cancel", "dead, cancelled")
def test_a_process_that_ignores_signals_is_dead_after_a_cancel(watched: Callable[..., Task], ada: Actor) -> None:
    task = watched(NOTE + DEAF, 1, 60, lambda task_id: commands.cancel(ada, task_id))
    assert task.end_reason is EndReason.CANCELLED


@pytest.mark.fault("a grandchild that detached itself (two forks, setsid), at the limit of 2 s", "dead, timed out")
def test_a_detached_grandchild_is_dead_at_the_limit(watched: Callable[..., Task]) -> None:
    code = NOTE + "SILENT = True" + DETACHED + "time.sleep(600)"
    assert watched(code, 1, 2).end_reason is EndReason.TIMED_OUT


@pytest.mark.fault(
    "a detached grandchild that holds the pipe after the command itself has ended",
    "the task is completed at once, the grandchild is dead",
)
def test_a_grandchild_that_holds_the_pipe_does_not_hold_the_task(watched: Callable[..., Task], ada: Actor) -> None:
    task = watched(NOTE + "SILENT = False" + DETACHED + "print('the last word')", 1, 60)
    assert task.end_reason is EndReason.COMPLETED
    assert "the last word" in [entry.message for entry in whole_log(ada, task.id)]


@pytest.mark.fault("100 detached children, at a cancel", "all dead, cancelled")
def test_a_hundred_children_are_dead_after_a_cancel(watched: Callable[..., Task], ada: Actor) -> None:
    task = watched(NOTE + STORM, 100, 60, lambda task_id: commands.cancel(ada, task_id))
    assert task.end_reason is EndReason.CANCELLED


@pytest.mark.fault("processes that fork and end all the time, at the limit of 2 s", "all dead, timed out")
def test_processes_that_are_never_the_same_are_dead_at_the_limit(watched: Callable[..., Task]) -> None:
    assert watched(NOTE + CHAINS, 1, 2).end_reason is EndReason.TIMED_OUT

"""Another program holds the database's write lock: work, clock and log go on, and nothing is lost."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core import claims, logs, processor, tasks
from core.config import Settings
from core.models import EndReason, TaskStatus
from core.ownership import Actor
from core.scheduler import Scheduler


@pytest.fixture
def lock(data: Path) -> Iterator[Callable[[float], None]]:
    """Hold the lock for some seconds, in the background."""
    threads = []

    def hold(seconds: float) -> None:
        held = threading.Event()

        def keep() -> None:
            connection = sqlite3.connect(data / "taskdeck.db", isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            held.set()
            released.wait(seconds)
            connection.execute("ROLLBACK")
            connection.close()

        threads.append(threading.Thread(target=keep))
        threads[-1].start()
        assert held.wait(5)

    released = threading.Event()
    yield hold
    released.set()
    for thread in threads:
        thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)


def claimed(actor: Actor, agent: str) -> claims.Claim:
    tasks.create(actor, "the prompt", None, agent)
    claim = claims.claim("runner", 30)
    assert claim
    return claim


def test_a_lock_in_the_middle_and_over_the_end_loses_no_line(
    ada: Actor, data: Path, lock: Callable[[float], None], script_agent: Callable[[str, str], str]
) -> None:
    name = script_agent("talker", "for n in range(500): print('line', n)")
    claim = claimed(ada, name)
    lock(2.0)
    processor.live(claim, Settings(data=data), threading.Event())
    task = tasks.find(ada, claim.task_id)
    assert (task.status, task.progress) == (TaskStatus.COMPLETED, 100)
    said = [entry.message for entry in logs.after(ada, task.id)]
    assert [line for line in said if line.startswith("line")] == [f"line {n}" for n in range(500)]


def test_the_limit_is_kept_while_nothing_can_be_written(
    ada: Actor,
    data: Path,
    lock: Callable[[float], None],
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
    tmp_path: Path,
) -> None:
    file = tmp_path / "pid"
    name = script_agent(
        "sleeper", f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    claim = claimed(ada, name)
    settings = Settings(data=data, timeout=1.5, warning=0.5, tick=10)
    life = threading.Thread(target=processor.live, args=(claim, settings, threading.Event()))
    begun = time.monotonic()
    life.start()
    eventually(lambda: file.exists() and file.read_text())
    lock(4.0)
    eventually(lambda: not psutil.pid_exists(int(file.read_text())))
    assert time.monotonic() - begun < 3.5
    life.join()
    task = tasks.find(ada, claim.task_id)
    assert task.end_reason is EndReason.TIMED_OUT
    assert any("left: the task will be stopped" in entry.message for entry in logs.after(ada, task.id))


def test_a_lease_that_ran_out_under_a_lock_is_renewed_before_it_is_judged(
    ada: Actor,
    data: Path,
    lock: Callable[[float], None],
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
) -> None:
    name = script_agent("patient", "import time; time.sleep(3)")
    scheduler = Scheduler(Settings(data=data, lease=1))
    scheduler.start()
    task = tasks.create(ada, "x", None, name)
    eventually(lambda: tasks.find(ada, task.id).status is TaskStatus.PROCESSING)
    lock(2.0)
    eventually(lambda: tasks.find(ada, task.id).end_reason is not None)
    scheduler.stop()
    assert tasks.find(ada, task.id).end_reason is EndReason.COMPLETED


def test_a_stop_while_nothing_can_be_written_loses_no_finished_work(
    ada: Actor, data: Path, lock: Callable[[float], None], script_agent: Callable[[str, str], str]
) -> None:
    name = script_agent("quick", "import sys; open(sys.argv[1] + '/report.md', 'w').write('# Done')")
    claim = claimed(ada, name)
    stopping = threading.Event()
    life = threading.Thread(target=processor.live, args=(claim, Settings(data=data), stopping))
    collected = data / "artifacts" / str(claim.task_id) / "report.md"
    lock(2.0)
    life.start()
    while not collected.exists():
        assert life.is_alive()
        time.sleep(0.005)
    time.sleep(0.3)  # the finish is tried and fails from now on
    stopping.set()
    life.join()
    assert tasks.find(ada, claim.task_id).end_reason is EndReason.COMPLETED
    assert collected.read_text() == "# Done"
    assert logs.after(ada, claim.task_id)[-1].message.startswith("Completed in")


def test_a_task_that_was_not_begun_waits_again_also_after_a_lock(
    ada: Actor, data: Path, lock: Callable[[float], None]
) -> None:
    claim = claimed(ada, "claude")
    stopping = threading.Event()
    stopping.set()
    lock(1.5)
    processor.live(claim, Settings(data=data), stopping)
    assert tasks.find(ada, claim.task_id).status is TaskStatus.PENDING


def test_a_task_that_could_not_be_claimed_under_a_lock_starts_soon_after_it(
    ada: Actor,
    data: Path,
    lock: Callable[[float], None],
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
) -> None:
    task = tasks.create(ada, "x", None, script_agent("quick", "print('done')"))
    lock(1.0)
    scheduler = Scheduler(Settings(data=data, lease=30))
    scheduler.start()
    eventually(lambda: tasks.find(ada, task.id).status is TaskStatus.COMPLETED, 8)
    scheduler.stop()

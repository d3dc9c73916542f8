"""Another program holds the database's write lock: work, clock and log go on, and nothing is lost."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.config import Settings
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.errors import OutOfContact
from core.log_text import LogType
from core.runner import claims, processor, task_logger
from core.runner.scheduler import Scheduler
from core.tasks import commands, logs
from tests.core.living import claimed, read_pid
from tests.support.waiting import eventually, is_alive
from tests.support.world import World

Lock = Callable[..., Callable[[], None]]
Live = Callable[..., threading.Thread]
Start = Callable[..., Scheduler]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)


@pytest.fixture
def live(data: Path) -> Iterator[Live]:
    """Begin the life of a claimed task in a thread, with some settings; it is over at the end of the test."""
    begun: list[threading.Thread] = []

    def begin(claim: claims.Claim, stopping: threading.Event | None = None, **settings: Any) -> threading.Thread:
        given = (claim, Settings(data=data, **settings), stopping or threading.Event())
        begun.append(threading.Thread(target=processor.run_task, args=given))
        begun[-1].start()
        return begun[-1]

    yield begin
    for life in begun:
        life.join(10)
        assert not life.is_alive()


def sleeper(world: World, code: str) -> tuple[str, Path]:
    """An agent that writes its number down and runs this code; its name and the file."""
    file = world.folder / "pid"
    return world.script_agent("sleeper", f"import os; open({str(file)!r}, 'w').write(str(os.getpid()))\n{code}"), file


def lines(actor: Actor, task_id: int) -> list[str]:
    """What the task's process printed."""
    return [entry.message for entry in logs.since(actor, task_id, 0, LogType) if entry.message.startswith("line ")]


@pytest.mark.parametrize("code", ["import time; time.sleep(600)", "while True: print('x' * 990)"])
def test_the_limit_is_kept_under_a_lock(code: str, ada: Actor, live: Live, lock: Lock, world: World) -> None:
    world.monkeypatch.setattr(task_logger, "FULL", 50_000)
    name, file = sleeper(world, code)
    claim = claimed(ada, name)
    life = live(claim, timeout=1.5, warning=0.5, tick=10)
    eventually(lambda: read_pid(file))
    release = lock()
    eventually(lambda: not is_alive(read_pid(file)))
    assert life.is_alive(), "the end cannot be written"
    release()
    life.join(10)
    task = commands.find(ada, claim.task_id)
    assert task.end_reason is EndReason.TIMED_OUT
    assert any("left: the task will be stopped" in entry.message for entry in logs.after(ada, task.id))


def test_a_lock_shorter_than_the_lease_harms_no_task(
    ada: Actor, bob: Actor, start: Start, lock: Lock, world: World
) -> None:
    code = "import time\nfor n in range(25): print('line', n, flush=True); time.sleep(0.1)"
    name = world.script_agent("patient", code)
    start(lease=6, concurrency=2)
    made = [(actor, commands.create(actor, prompt="x", agent=name).id) for actor in (ada, bob)]
    eventually(lambda: all(commands.find(*each).progress == 30 for each in made))
    lock(2.0)
    eventually(lambda: all(commands.find(*each).end_reason for each in made), 20)
    for actor, task_id in made:
        task = commands.find(actor, task_id)
        assert (task.end_reason, task.progress) == (EndReason.COMPLETED, 100)
        assert lines(actor, task_id) == [f"line {n}" for n in range(25)]


def test_a_lock_longer_than_the_lease_ends_the_work_with_it(ada: Actor, live: Live, lock: Lock, world: World) -> None:
    code = "import time\nn = 0\nwhile True: print('line', n, flush=True); n += 1; time.sleep(0.02)"
    name, file = sleeper(world, code)
    claim = claimed(ada, name, 3)
    life = live(claim, lease=3)
    eventually(lambda: len(lines(ada, claim.task_id)) > 20)
    release, locked = lock(), time.monotonic()
    eventually(lambda: not is_alive(read_pid(file)), 15)
    assert 1.5 < time.monotonic() - locked < 6, "renewed a second before the lock at most"
    assert commands.find(ada, claim.task_id).end_reason is None
    release()
    life.join(10)
    task = commands.find(ada, claim.task_id)
    assert (task.status, task.end_reason, task.error) == ("error", "interrupted", OutOfContact().message)
    kept = lines(ada, task.id)
    assert kept == [f"line {n}" for n in range(len(kept))]
    assert len(kept) > 70, "also what was said while nothing could be written"
    seqs = [entry.seq for entry in logs.after(ada, task.id)]
    assert seqs == list(range(1, task.log_count + 1))


def test_a_process_that_prints_too_much_is_blocked_and_loses_nothing(
    ada: Actor, live: Live, lock: Lock, world: World
) -> None:
    world.monkeypatch.setattr(task_logger, "FULL", 300_000)
    counter = world.folder / "count"
    code = (
        f"import os, time\nfile = open({str(counter)!r}, 'w')\n"
        "for n in range(1_200):\n"
        "    print(f'line {n:04}', 'x' * 990, flush=True)\n"
        "    file.seek(0); file.write(str(n)); file.flush()\n"
    )
    claim = claimed(ada, world.script_agent("talker", code))
    release = lock()
    life = live(claim)
    eventually(lambda: read_pid(counter) > 250)
    time.sleep(0.5)
    blocked_at = read_pid(counter)
    time.sleep(0.5)
    assert read_pid(counter) == blocked_at < 700, "300 kB, and what the pipe and one chunk hold"
    assert life.is_alive()
    release()
    life.join(30)
    assert commands.find(ada, claim.task_id).end_reason is EndReason.COMPLETED
    assert [line[:9] for line in lines(ada, claim.task_id)] == [f"line {n:04}" for n in range(1_200)]


def test_a_stop_under_a_lock_loses_no_ended_work(ada: Actor, data: Path, live: Live, lock: Lock, world: World) -> None:
    name = world.script_agent("quick", "import sys; open(sys.argv[1] + '/report.md', 'w').write('# Done')")
    claim = claimed(ada, name)
    stopping = threading.Event()
    collected = data / "artifacts" / str(claim.task_id) / "report.md"
    lock(2.0)
    life = live(claim, stopping)
    while not collected.exists():
        assert life.is_alive()
        time.sleep(0.005)
    time.sleep(0.3)  # the finish is tried and fails from now on
    stopping.set()
    life.join()
    assert commands.find(ada, claim.task_id).end_reason is EndReason.COMPLETED
    assert collected.read_text() == "# Done"
    assert logs.after(ada, claim.task_id)[-1].message.startswith("Completed in")


def test_a_task_that_was_not_begun_waits_again_also_after_a_lock(ada: Actor, data: Path, lock: Lock) -> None:
    claim = claimed(ada, "claude")
    stopping = threading.Event()
    stopping.set()
    lock(1.5)
    processor.run_task(claim, Settings(data=data), stopping)
    assert commands.find(ada, claim.task_id).status is TaskStatus.PENDING


def test_a_task_starts_soon_after_a_lock(ada: Actor, start: Start, lock: Lock, world: World) -> None:
    task = commands.create(ada, prompt="x", agent=world.script_agent("quick", "print('done')"))
    lock(1.0)
    start()
    eventually(lambda: commands.find(ada, task.id).status is TaskStatus.COMPLETED, 8)

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core import claims, db, logs, processor, tasks
from core.config import Settings
from core.models import EndReason, Task, TaskStatus
from core.ownership import Actor, acting_as_system
from core.scheduler import Scheduler

QUICK = "print('done')"
ORDER = "import sys, time; open({path!r}, 'a').write(sys.stdin.read() + '\\n')"
SLEEPER = "import os, time; open({path!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(600)"


@pytest.fixture
def start(data: Path) -> Iterator[Callable[..., Scheduler]]:
    """Start a scheduler with some settings; it is stopped at the end."""
    started: list[Scheduler] = []

    def begin(**values: float) -> Scheduler:
        scheduler = Scheduler(Settings(data=data, **values))
        scheduler.start()
        started.append(scheduler)
        return scheduler

    yield begin
    for scheduler in started:
        if not scheduler._stopping.is_set():
            scheduler.stop()


def all_ended(actor: Actor) -> bool:
    counts = tasks.counts(actor)
    return counts[TaskStatus.PENDING] == counts[TaskStatus.PROCESSING] == 0


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_the_bell_starts_a_task_before_the_sweep_would(
    start: Callable[..., Scheduler],
    ada: Actor,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
) -> None:
    name = script_agent("quick", QUICK)
    start(concurrency=2)
    waits = []
    for _ in range(5):
        task = tasks.create(ada, "x", None, name)
        eventually(lambda task=task: tasks.find(ada, task.id).started_at)
        waits.append(tasks.find(ada, task.id).started_at - task.created_at)  # type: ignore[operator]
    assert max(waits) < timedelta(seconds=1), "the sweep comes every two seconds"


def test_one_slot_runs_twenty_tasks_in_order_and_loses_none(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
) -> None:
    name = script_agent("writer", ORDER.format(path=str(tmp_path / "order")))
    start(concurrency=1)
    for number in range(20):
        tasks.create(ada, str(number), None, name)
    eventually(lambda: all_ended(ada), 30)
    assert (tmp_path / "order").read_text().split() == [str(number) for number in range(20)]
    assert tasks.counts(ada)[TaskStatus.COMPLETED] == 20


def test_fifty_tasks_made_by_five_threads_all_run_once(
    start: Callable[..., Scheduler],
    ada: Actor,
    bob: Actor,
    tmp_path: Path,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
) -> None:
    name = script_agent("writer", ORDER.format(path=str(tmp_path / "order")))
    start(concurrency=4)

    def create(thread: int) -> None:
        for number in range(10):
            tasks.create((ada, bob)[thread % 2], f"{thread}-{number}", None, name)

    threads = [threading.Thread(target=create, args=[thread]) for thread in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: all_ended(ada) and all_ended(bob), 40)
    expected = sorted(f"{thread}-{number}" for thread in range(5) for number in range(10))
    assert sorted((tmp_path / "order").read_text().split()) == expected
    assert (tasks.counts(ada)[TaskStatus.COMPLETED], tasks.counts(bob)[TaskStatus.COMPLETED]) == (30, 20)
    assert {task.attempt for task in tasks.page(ada, limit=200).tasks} == {1}


def test_no_more_tasks_run_at_once_than_there_are_slots(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
) -> None:
    name = script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    start(concurrency=2)
    for _ in range(5):
        tasks.create(ada, "x", None, name)
    eventually(lambda: len(pids(tmp_path / "pids")) == 2)
    assert tasks.counts(ada) == {"pending": 3, "processing": 2, "completed": 0, "error": 0}
    oldest = tasks.page(ada, limit=5).tasks[-1]
    tasks.delete_one(ada, oldest.id)  # its slot goes to the next one
    eventually(lambda: len(pids(tmp_path / "pids")) == 3)
    assert tasks.counts(ada)[TaskStatus.PENDING] == 2


def test_a_task_of_another_process_is_found_by_the_sweep(
    start: Callable[..., Scheduler], ada: Actor, eventually: Callable[..., None]
) -> None:
    start(concurrency=1)
    code = (
        "from core import tasks; from core.auth import people\n"
        "print(tasks.create(people.find('ada'), 'x', None, 'claude').id)\n"
    )
    root = Path(tasks.__file__).parents[1]
    made = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    eventually(lambda: tasks.find(ada, int(made.stdout)).status is TaskStatus.ERROR, 6)
    assert "claude is not set up" in str(tasks.find(ada, int(made.stdout)).error)


def test_a_task_that_waited_before_the_start_runs_at_once(
    start: Callable[..., Scheduler],
    ada: Actor,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
) -> None:
    task = tasks.create(ada, "x", None, script_agent("quick", QUICK))
    start()
    eventually(lambda: tasks.find(ada, task.id).status is TaskStatus.COMPLETED, 3)


def test_the_task_of_a_dead_runner_is_interrupted_after_its_lease_and_never_run_again(
    start: Callable[..., Scheduler],
    ada: Actor,
    data: Path,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
) -> None:
    task = tasks.create(ada, "x", None, script_agent("quick", QUICK))
    claims.claim("a runner that is dead", 1.0)
    for folder in ("workspaces", "artifacts"):
        (data / folder / str(task.id) / "half").mkdir(parents=True)
    start()
    eventually(lambda: tasks.find(ada, task.id).status is TaskStatus.ERROR, 6)
    after = tasks.create(ada, "x", None, "quick")
    eventually(lambda: tasks.find(ada, after.id).status is TaskStatus.COMPLETED)
    found = tasks.find(ada, task.id)
    assert (found.end_reason, found.attempt) == (EndReason.INTERRUPTED, 1)
    assert "The runner went away" in logs.after(ada, task.id)[-1].message
    assert [*data.glob("workspaces/*"), *data.glob("artifacts/*")] == []


def test_a_running_task_keeps_its_lease_longer_than_one_lease(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
) -> None:
    task = tasks.create(ada, "x", None, script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids"))))
    start(lease=1)
    eventually(lambda: pids(tmp_path / "pids"))
    first = tasks.find(ada, task.id).lease_until
    assert first
    eventually(lambda: db.now() > first + timedelta(seconds=1.5))
    assert tasks.find(ada, task.id).status is TaskStatus.PROCESSING


def test_stop_ends_what_runs_leaves_what_waits_and_returns_quickly(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
    is_alive: Callable[[int], bool],
) -> None:
    name = script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    scheduler = start(concurrency=2)
    made = [tasks.create(ada, "x", None, name) for _ in range(3)]
    eventually(lambda: len(pids(tmp_path / "pids")) == 2)
    began = time.monotonic()
    scheduler.stop()
    assert time.monotonic() - began < 4
    first, second, waiting = (tasks.find(ada, task.id) for task in made)
    for task in (first, second):
        assert (task.end_reason, task.error) == (EndReason.INTERRUPTED, processor.INTERRUPTED)
        assert logs.after(ada, task.id)[-1].message == processor.INTERRUPTED
    assert waiting.status is TaskStatus.PENDING
    assert not any(is_alive(pid) for pid in pids(tmp_path / "pids"))
    tasks.create(ada, "x", None, name)  # nobody hears the bell any more, and nothing fails
    assert tasks.counts(ada)[TaskStatus.PENDING] == 2


def test_an_end_that_cannot_be_written_frees_the_slot(
    start: Callable[..., Scheduler],
    ada: Actor,
    script_agent: Callable[[str, str], str],
    eventually: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = script_agent("quick", QUICK)
    with acting_as_system() as session:
        session.connection().exec_driver_sql(
            "CREATE TRIGGER broken BEFORE UPDATE OF finished_at ON tasks WHEN OLD.prompt = 'cursed' "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    start(concurrency=1, lease=30)
    cursed, other = (tasks.create(ada, prompt, None, name) for prompt in ("cursed", "fine"))
    eventually(lambda: tasks.find(ada, other.id).status is TaskStatus.COMPLETED)
    assert tasks.find(ada, cursed.id).status is TaskStatus.PROCESSING
    assert f"task {cursed.id} could not be ended" in caplog.text
    with acting_as_system() as session:
        session.connection().exec_driver_sql("DROP TRIGGER broken")
        session.execute(update(Task).where(Task.id == cursed.id).values(lease_until=db.now()))
    eventually(lambda: tasks.find(ada, cursed.id).end_reason is EndReason.INTERRUPTED, 6)


def test_starting_and_stopping_many_times_is_quiet_and_leaves_no_thread(
    start: Callable[..., Scheduler], ada: Actor, script_agent: Callable[[str, str], str]
) -> None:
    name = script_agent("quick", QUICK)
    before = threading.active_count()
    for _ in range(20):
        scheduler = start(lease=1)
        tasks.create(ada, "x", None, name)
        scheduler.stop()  # an exception in one of its threads is a warning, and so fails this test
    assert threading.active_count() == before


def test_a_task_of_which_nothing_was_begun_waits_again_when_the_server_stops(
    ada: Actor, data: Path, script_agent: Callable[[str, str], str]
) -> None:
    task = tasks.create(ada, "x", None, script_agent("quick", QUICK))
    claim = claims.claim("runner", 30)
    assert claim
    stopping = threading.Event()
    stopping.set()
    processor.live(claim, Settings(data=data), stopping)
    waiting = tasks.find(ada, task.id)
    assert (waiting.status, waiting.started_at, waiting.claimed_by) == (TaskStatus.PENDING, None, None)
    assert "waits again" in logs.after(ada, task.id)[-1].message
    with pytest.raises(claims.ClaimLost):
        claims.record(claim, [])


def test_workspaces_that_nobody_works_in_are_removed_at_the_start(
    start: Callable[..., Scheduler], ada: Actor, data: Path
) -> None:
    held = tasks.create(ada, "x", None, "claude")
    assert claims.claim("another server", 30)
    for name in (str(held.id), "4711", "what is this"):
        (data / "workspaces" / name).mkdir(parents=True)
    start()
    assert [folder.name for folder in (data / "workspaces").iterdir()] == [str(held.id)]

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core.database import engine
from core.database.models import EndReason, Task, TaskStatus
from core.database.ownership import Actor
from core.runner import claims
from core.runner.scheduler import Scheduler
from core.tasks import commands, listing, logs
from tests.core.living import QUICK, SLEEPER, ended, pids
from tests.support.databases import unguarded
from tests.support.waiting import eventually
from tests.support.world import World

ORDER = "import sys, time; open({path!r}, 'a').write(sys.stdin.read() + '\\n')"


def all_ended(actor: Actor) -> bool:
    counts = listing.counts(actor)
    return counts[TaskStatus.PENDING] == counts[TaskStatus.PROCESSING] == 0


def test_the_bell_starts_a_task_before_the_sweep_would(
    start: Callable[..., Scheduler],
    ada: Actor,
    world: World,
) -> None:
    name = world.script_agent("quick", QUICK)
    start(concurrency=2)
    waits = []
    for _ in range(5):
        task = commands.create(ada, prompt="x", agent=name)
        eventually(lambda task=task: commands.find(ada, task.id).started_at)
        waits.append(commands.find(ada, task.id).started_at - task.created_at)  # type: ignore[operator]
    assert max(waits) < timedelta(seconds=1), "the sweep comes every two seconds"


def test_one_slot_runs_twenty_tasks_in_order_and_loses_none(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("writer", ORDER.format(path=str(tmp_path / "order")))
    start(concurrency=1)
    for number in range(20):
        commands.create(ada, prompt=str(number), agent=name)
    eventually(lambda: all_ended(ada), 30)
    assert (tmp_path / "order").read_text().split() == [str(number) for number in range(20)]
    assert listing.counts(ada)[TaskStatus.COMPLETED] == 20


def test_fifty_tasks_made_by_five_threads_all_run_once(
    start: Callable[..., Scheduler],
    ada: Actor,
    bob: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("writer", ORDER.format(path=str(tmp_path / "order")))
    start(concurrency=4)

    def create(thread: int) -> None:
        for number in range(10):
            commands.create((ada, bob)[thread % 2], prompt=f"{thread}-{number}", agent=name)

    threads = [threading.Thread(target=create, args=[thread]) for thread in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: all_ended(ada) and all_ended(bob), 40)
    expected = sorted(f"{thread}-{number}" for thread in range(5) for number in range(10))
    assert sorted((tmp_path / "order").read_text().split()) == expected
    assert (listing.counts(ada)[TaskStatus.COMPLETED], listing.counts(bob)[TaskStatus.COMPLETED]) == (30, 20)
    assert {task.attempt for task in listing.page(ada, limit=200).tasks} == {1}


def test_no_more_tasks_run_at_once_than_there_are_slots(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    start(concurrency=2)
    for _ in range(5):
        commands.create(ada, prompt="x", agent=name)
    eventually(lambda: len(pids(tmp_path / "pids")) == 2)
    assert listing.counts(ada) == {"pending": 3, "processing": 2, "completed": 0, "error": 0}
    oldest = listing.page(ada, limit=5).tasks[-1]
    commands.delete_one(ada, oldest.id)  # its slot goes to the next one
    eventually(lambda: len(pids(tmp_path / "pids")) == 3)
    assert listing.counts(ada)[TaskStatus.PENDING] == 2


def test_a_task_of_another_process_is_found_by_the_sweep(start: Callable[..., Scheduler], ada: Actor) -> None:
    start(concurrency=1)
    code = (
        "from core.identity import people; from core.tasks import commands\n"
        "print(commands.create(people.find('ada'), prompt='x', agent='claude').id)\n"
    )
    root = Path(commands.__file__).parents[2]
    made = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    eventually(lambda: commands.find(ada, int(made.stdout)).status is TaskStatus.ERROR, 6)
    assert "claude is not set up" in str(commands.find(ada, int(made.stdout)).error)


def test_a_task_that_waited_before_the_start_runs_at_once(
    start: Callable[..., Scheduler],
    ada: Actor,
    world: World,
) -> None:
    task = commands.create(ada, prompt="x", agent=world.script_agent("quick", QUICK))
    start()
    eventually(lambda: commands.find(ada, task.id).status is TaskStatus.COMPLETED, 3)


def test_the_task_of_a_dead_runner_is_interrupted_after_its_lease_and_never_run_again(
    start: Callable[..., Scheduler],
    ada: Actor,
    data: Path,
    world: World,
) -> None:
    task = commands.create(ada, prompt="x", agent=world.script_agent("quick", QUICK))
    claims.claim("a runner that is dead", 1.0)
    for folder in ("workspaces", "artifacts"):
        (data / folder / str(task.id) / "half").mkdir(parents=True)
    start()
    eventually(lambda: commands.find(ada, task.id).status is TaskStatus.ERROR, 6)
    after = commands.create(ada, prompt="x", agent="quick")
    eventually(lambda: commands.find(ada, after.id).status is TaskStatus.COMPLETED)
    found = commands.find(ada, task.id)
    assert (found.end_reason, found.attempt) == (EndReason.INTERRUPTED, 1)
    assert "The runner went away" in logs.after(ada, task.id)[-1].message
    eventually(lambda: [*data.glob("workspaces/*"), *data.glob("artifacts/*")] == [], 5)  # after the end is written


def test_a_running_task_keeps_its_lease_longer_than_one_lease(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    task = commands.create(
        ada, prompt="x", agent=world.script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    )
    start(lease=3)
    eventually(lambda: pids(tmp_path / "pids"))
    first = commands.find(ada, task.id).lease_until
    assert first
    eventually(lambda: engine.now() > first + timedelta(seconds=0.5))
    assert commands.find(ada, task.id).status is TaskStatus.PROCESSING


#: Nobody can end a task with the prompt "cursed".
BREAK = {
    "sqlite": [
        "CREATE TRIGGER broken BEFORE UPDATE OF finished_at ON tasks WHEN OLD.prompt = 'cursed' "
        "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''disk full''; END'",
        "CREATE TRIGGER broken BEFORE UPDATE OF finished_at ON tasks FOR EACH ROW "
        "WHEN (OLD.prompt = 'cursed') EXECUTE FUNCTION refuse()",
    ],
}
MEND = {"sqlite": "DROP TRIGGER broken", "postgresql": "DROP TRIGGER broken ON tasks"}


def test_an_end_that_cannot_be_written_frees_the_slot(
    start: Callable[..., Scheduler],
    ada: Actor,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = world.script_agent("quick", QUICK)
    with unguarded() as session:
        for statement in BREAK[session.get_bind().dialect.name]:
            session.connection().exec_driver_sql(statement)
    start(concurrency=1, lease=30)
    cursed, other = (commands.create(ada, prompt=prompt, agent=name) for prompt in ("cursed", "fine"))
    eventually(lambda: commands.find(ada, other.id).status is TaskStatus.COMPLETED)
    assert commands.find(ada, cursed.id).status is TaskStatus.PROCESSING
    assert f"task {cursed.id} could not be ended" in caplog.text
    with unguarded() as session:
        session.connection().exec_driver_sql(MEND[session.get_bind().dialect.name])
        session.execute(update(Task).where(Task.id == cursed.id).values(lease_until=engine.now()))
    eventually(lambda: commands.find(ada, cursed.id).end_reason is EndReason.INTERRUPTED, 6)


def test_workspaces_that_nobody_works_in_are_removed_at_the_start(
    start: Callable[..., Scheduler], ada: Actor, data: Path
) -> None:
    held = commands.create(ada, prompt="x", agent="claude")
    assert claims.claim("another server", 30)
    for name in (str(held.id), "4711", "what is this"):
        (data / "workspaces" / name).mkdir(parents=True)
    start()
    eventually(lambda: [folder.name for folder in (data / "workspaces").iterdir()] == [str(held.id)])


def test_files_of_tasks_that_are_gone_are_removed_and_all_others_kept(
    start: Callable[..., Scheduler], ada: Actor, bob: Actor, data: Path
) -> None:
    kept = [ended(actor, EndReason.COMPLETED).id for actor in (ada, bob)]
    for name in (*map(str, kept), "4711", f"0{kept[0]}", "9" * 30, "what is this"):
        (data / "artifacts" / name).mkdir(parents=True)
    start()
    eventually(lambda: sorted(folder.name for folder in (data / "artifacts").iterdir()) == sorted(map(str, kept)))

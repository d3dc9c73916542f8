"""Pending tasks find their free slots: in order, each once, whoever made them and whatever is in the way."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core.database import engine
from core.database.models import EndReason, Task, TaskStatus
from core.tasks import commands, listing
from tests.core.deck import Deck
from tests.core.living import taken
from tests.support.databases import unguarded
from tests.support.waiting import eventually


def test_a_notification_starts_a_task_before_the_sweep_would(deck: Deck) -> None:
    deck.start(concurrency=2)
    for _ in range(3):
        task_id = deck.create("quick")
        eventually(lambda task_id=task_id: deck.find(task_id).started_at)
        task = deck.find(task_id)
        assert task.started_at and task.started_at - task.created_at < timedelta(seconds=1), "every two seconds"


def test_one_slot_runs_many_tasks_in_order_also_those_that_waited_before_the_start(deck: Deck) -> None:
    made = [deck.create("order", prompt=str(number)) for number in range(3)]
    deck.start(concurrency=1)
    made += [deck.create("order", prompt=str(number)) for number in range(3, 8)]
    deck.wait(EndReason.COMPLETED, *made, seconds=30)
    assert deck.notes() == [str(number) for number in range(8)]


def test_no_more_tasks_run_at_once_than_there_are_slots_and_a_free_one_goes_to_the_next(deck: Deck) -> None:
    deck.start(concurrency=2)
    theirs = deck.create("sleeper", deck.bob)
    deck.sleeping(1)
    first, second, quick, waits = (deck.create(name) for name in ("sleeper", "sleeper", "quick", "sleeper"))
    deck.sleeping(2)
    assert listing.counts(deck.ada) == {"pending": 3, "processing": 1, "completed": 0, "error": 0}
    commands.delete_one(deck.ada, first)
    deck.sleeping(3)
    commands.cancel(deck.ada, second)
    deck.wait(EndReason.COMPLETED, quick)
    deck.wait(EndReason.CANCELLED, second)
    deck.sleeping(4)
    assert [deck.find(task_id).status for task_id in (theirs, waits)] == [TaskStatus.PROCESSING] * 2


def test_a_task_of_another_process_is_found_by_the_sweep(deck: Deck) -> None:
    deck.start(concurrency=1, lease=1.5)
    code = (
        "from core.identity import people; from core.tasks import commands\n"
        "print(commands.create(people.find('ada'), prompt='x', agent='claude').id)\n"
    )
    root = Path(commands.__file__).parents[2]
    made = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    eventually(lambda: commands.find(deck.ada, int(made.stdout)).status is TaskStatus.ERROR, 6)
    assert "claude is not set up" in str(commands.find(deck.ada, int(made.stdout)).error)


def test_the_task_of_a_dead_runner_is_interrupted_after_its_lease_and_never_run_again(deck: Deck, data: Path) -> None:
    task_id = deck.create("quick")
    taken("a runner that is dead", 0.2)
    for folder in ("workspaces", "artifacts"):
        (data / folder / str(task_id) / "half").mkdir(parents=True)
    deck.start(lease=1.5)
    deck.wait(EndReason.INTERRUPTED, task_id)
    deck.wait(EndReason.COMPLETED, deck.create("quick"))
    assert (deck.find(task_id).attempt, deck.notes()) == (1, [])
    assert "The server that ran this task stopped" in deck.log(task_id)[-1]
    eventually(lambda: [*data.glob("workspaces/*"), *data.glob("artifacts/*")] == [], 5)  # after the end is written


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
}  # fmt: skip
MEND = {"sqlite": "DROP TRIGGER broken", "postgresql": "DROP TRIGGER broken ON tasks"}


def test_an_end_that_cannot_be_written_frees_the_slot(deck: Deck, caplog: pytest.LogCaptureFixture) -> None:
    with unguarded() as session:
        for statement in BREAK[session.get_bind().dialect.name]:
            session.connection().exec_driver_sql(statement)
    deck.start(concurrency=1, lease=30)
    cursed, other = (deck.create("quick", prompt=prompt) for prompt in ("cursed", "fine"))
    deck.wait(EndReason.COMPLETED, other)
    assert deck.find(cursed).status is TaskStatus.PROCESSING
    assert f"task {cursed} could not be ended" in caplog.text
    with unguarded() as session:
        session.connection().exec_driver_sql(MEND[session.get_bind().dialect.name])
        session.execute(update(Task).where(Task.id == cursed).values(lease_until=engine.now()))
    deck.wait(EndReason.INTERRUPTED, cursed)

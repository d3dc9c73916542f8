"""How a task ends that does not end by itself."""

import re
import threading
from pathlib import Path

import pytest

from core.database.models import EndReason, Task, TaskStatus
from core.errors import ServerStopping
from core.runner import claims
from core.tasks import commands, listing
from tests.core.living import DETACH, Life, Shifted, left_behind, read_pid
from tests.support.waiting import eventually, is_alive

THREE_FILES = "import sys; [open(f'{sys.argv[1]}/{n}.md', 'w').write('x') for n in range(3)]"


@pytest.fixture
def clock(run_task: Life) -> Shifted:
    """The clock of lives with a limit of 300 s, a warning at 240 s and a mark each minute."""
    run_task.settle(timeout=300, warning=240, tick=60, lease=10_000)
    run_task.monotonic = Shifted()
    return run_task.monotonic


@pytest.fixture
def detached(run_task: Life, tmp_path: Path) -> tuple[Task, threading.Thread, int]:
    """A running task whose process detached another one completely: its number. It left a half-done file."""
    path = tmp_path / "pid"
    code = "import sys; open(sys.argv[1] + '/a.md', 'w').write('x')\n" + DETACH.format(path=str(path))
    task, thread = run_task.begin(run_task.agent(code))
    eventually(lambda: read_pid(path))
    eventually(lambda: run_task.find(task).progress == 30)  # all is written: only a question can tell of an end
    return task, thread, read_pid(path)


def test_at_the_limit_the_task_ends_and_even_a_detached_process_is_dead(
    clock: Shifted, detached: tuple[Task, threading.Thread, int], run_task: Life, data: Path
) -> None:
    task, thread, process = detached
    clock.by = 240
    eventually(lambda: "1 min left: the task will be stopped at 5 min." in run_task.log(task))
    clock.by = 300
    task = run_task.after(thread, task)
    assert (task.status, task.end_reason, task.progress) == (TaskStatus.ERROR, EndReason.TIMED_OUT, 30)
    assert task.error == run_task.log(task)[-1] == "The task was stopped at its limit of 5 min."
    assert not is_alive(process)
    assert left_behind(data) == []


def test_a_minute_of_silent_work_is_an_entry_and_no_progress(clock: Shifted, run_task: Life, tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    task, thread = run_task.begin(run_task.agent(code))
    eventually(lambda: run_task.find(task).progress == 30)

    def marks() -> list[str]:
        return [line for line in run_task.log(task) if line.endswith(" of work: worker at work.")]

    for minute in (1, 2, 3):
        clock.by = 60 * minute
        eventually(lambda minute=minute: len(marks()) == minute)
        assert re.match(f"{minute} min( [0-9]+ s)? of work", marks()[-1])
    assert run_task.find(task).progress == 30
    go.touch()
    assert (run_task.after(thread, task).status, len(marks())) == (TaskStatus.COMPLETED, 3)


def test_of_a_deleted_task_all_dies(detached: tuple[Task, threading.Thread, int], run_task: Life, data: Path) -> None:
    task, thread, process = detached
    commands.delete_one(run_task.actor, task.id)
    eventually(lambda: not is_alive(process), 5)
    thread.join(5)
    assert not thread.is_alive()
    assert (left_behind(data), listing.page(run_task.actor).tasks) == ([], [])


@pytest.mark.parametrize("what", ["its limit", "its deletion"])
def test_what_comes_while_files_are_kept_leaves_none(what: str, clock: Shifted, run_task: Life, data: Path) -> None:
    came: list[bool] = []

    def come_then() -> float:
        if (data / "artifacts" / "1").exists() and not came:
            came.append(True)
            if what == "its deletion":
                commands.delete_one(run_task.actor, 1)
            clock.by = 300 * (what == "its limit")
        return clock()

    run_task.monotonic = come_then
    task, thread = run_task.begin(run_task.agent(THREE_FILES))
    thread.join(15)
    assert (task.id, came, thread.is_alive(), left_behind(data)) == (1, [True], False, [])
    if what == "its limit":
        task = run_task.find(task)
        assert (task.end_reason, run_task.files(task), task.sandbox_url) == (EndReason.TIMED_OUT, {}, None)


@pytest.mark.parametrize("how", ["its server stops", "its lease was taken for lost"])
def test_an_interrupted_task_is_dead(how: str, detached: tuple[Task, threading.Thread, int], run_task: Life) -> None:
    task, thread, process = detached
    if how == "its server stops":
        run_task.stopping.set()
        sentence = ServerStopping().message
    else:
        lease = run_task.find(task).lease_until
        assert lease
        claims.expire(now=lease.replace(year=lease.year + 1))
        sentence = claims.RUNNER_GONE
    task = run_task.after(thread, task)
    assert (task.end_reason, task.error, run_task.log(task)[-1]) == (EndReason.INTERRUPTED, sentence, sentence)
    assert not is_alive(process)

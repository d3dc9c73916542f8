"""How a task ends that does not end by itself."""

import threading
import time
from pathlib import Path

from core.config import Settings
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.errors import ServerStopping
from core.runner import claims
from core.tasks import artifacts, commands, listing
from tests.core.living import DETACH, SAY, Life, left_behind, read_pid
from tests.support.waiting import eventually, is_alive
from tests.support.world import World


def test_at_the_limit_the_task_ends_and_even_a_detached_process_is_dead(
    run_task: Life, data: Path, tmp_path: Path, world: World
) -> None:
    run_task.settings = Settings(timeout=1.5, warning=0.5, tick=0.4, data=data)
    began = time.monotonic()
    task = run_task(world.script_agent("sleeper", DETACH.format(path=str(tmp_path / "pid"))))
    assert time.monotonic() - began < 4
    assert (task.status, task.end_reason) == (TaskStatus.ERROR, EndReason.TIMED_OUT)
    assert task.error == "The task was stopped at its limit of 2 s."
    assert task.progress == 30
    log = run_task.log(task)
    warning = log.index("1 s left: the task will be stopped at 2 s.")
    assert warning < log.index(task.error)
    assert [message for message in log if message.endswith("of work: sleeper at work.")]
    assert not is_alive(read_pid(tmp_path / "pid"))
    assert left_behind(data) == []


def test_every_tick_of_silent_work_is_an_entry_and_moves_no_progress(
    run_task: Life, ada: Actor, data: Path, world: World
) -> None:
    run_task.settings = Settings(timeout=30, warning=20, tick=0.2, data=data)
    task = run_task(
        world.script_agent("sleeper", SAY + "import time; time.sleep(0.9); say(type='info', message='awake')")
    )
    log = run_task.log(task)
    ticks = [message for message in log[: log.index("awake")] if "of work: sleeper at work." in message]
    assert 3 <= len(ticks) <= 5
    assert task.status is TaskStatus.COMPLETED


def test_a_deleted_tasks_process_dies_within_two_seconds_and_nothing_is_left(
    run_task: Life, ada: Actor, data: Path, tmp_path: Path, world: World
) -> None:
    code = "import sys; open(sys.argv[1] + '/a.md', 'w').write('x')\n" + DETACH.format(path=str(tmp_path / "pid"))
    task = commands.create(ada, prompt="x", agent=world.script_agent("sleeper", code))
    runner = threading.Thread(target=run_task.run_task)
    runner.start()
    eventually(lambda: read_pid(tmp_path / "pid"))
    eventually(lambda: commands.find(ada, task.id).progress == 30)  # all is written: only the look can tell
    pid = read_pid(tmp_path / "pid")
    commands.delete_one(ada, task.id)
    eventually(lambda: not is_alive(pid), 2)
    runner.join(5)
    assert not runner.is_alive()
    assert left_behind(data) == []
    assert listing.page(ada).tasks == []


def test_a_task_that_is_deleted_while_its_files_are_kept_leaves_no_file(
    run_task: Life, ada: Actor, data: Path, world: World
) -> None:
    code = "import sys; [open(f'{sys.argv[1]}/{n}.md', 'w').write('x') for n in range(3)]"
    task = commands.create(ada, prompt="x", agent=world.script_agent("worker", code))
    gone: list[bool] = []

    def clock() -> float:
        if (data / "artifacts" / str(task.id)).exists() and not gone:
            gone.append(True)
            commands.delete_one(ada, task.id)
        return time.monotonic()

    run_task.monotonic = clock
    run_task.run_task()
    assert gone
    assert left_behind(data) == []


def test_a_limit_that_comes_while_files_are_kept_leaves_no_file(
    run_task: Life, ada: Actor, data: Path, world: World
) -> None:
    code = "import sys; [open(f'{sys.argv[1]}/{n}.md', 'w').write('x') for n in range(3)]"
    run_task.settings = Settings(timeout=10, warning=8, tick=10, lease=60, data=data)
    run_task.monotonic = lambda: time.monotonic() + 20 * any((data / "artifacts").glob("*/*"))
    task = run_task(world.script_agent("worker", code))
    assert task.end_reason is EndReason.TIMED_OUT
    assert (artifacts.of(ada, task.id), task.sandbox_url) == ([], None)
    assert left_behind(data) == []


def test_a_server_that_stops_ends_its_task_as_interrupted_at_once(
    run_task: Life, tmp_path: Path, ada: Actor, world: World
) -> None:
    task = commands.create(
        ada, prompt="x", agent=world.script_agent("sleeper", DETACH.format(path=str(tmp_path / "pid")))
    )
    runner = threading.Thread(target=run_task.run_task)
    runner.start()
    eventually(lambda: read_pid(tmp_path / "pid"))
    run_task.stopping.set()
    runner.join(3)
    assert not runner.is_alive()
    task = commands.find(ada, task.id)
    assert (task.end_reason, task.error) == (EndReason.INTERRUPTED, ServerStopping().message)
    assert run_task.log(task)[-1] == ServerStopping().message
    assert not is_alive(read_pid(tmp_path / "pid"))


def test_a_runner_that_lost_its_lease_does_not_overwrite_the_end(
    run_task: Life, ada: Actor, tmp_path: Path, world: World
) -> None:
    task = commands.create(
        ada, prompt="x", agent=world.script_agent("sleeper", DETACH.format(path=str(tmp_path / "pid")))
    )
    runner = threading.Thread(target=run_task.run_task)
    runner.start()
    eventually(lambda: read_pid(tmp_path / "pid"))
    eventually(lambda: commands.find(ada, task.id).progress == 30)
    later = commands.find(ada, task.id).lease_until
    assert later
    claims.expire(now=later.replace(year=later.year + 1))
    ended = run_task.log(task)
    runner.join(5)
    assert not runner.is_alive()
    assert commands.find(ada, task.id).end_reason is EndReason.INTERRUPTED
    assert run_task.log(task) == ended

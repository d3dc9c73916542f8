"""Two servers on one database: they share the work, and one ends what the other one cannot."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.tasks import commands
from tests.faults.checks import PATIENT, ended, ended_once, left_lying, left_running, ran, whole_log
from tests.support.server import Server
from tests.support.waiting import eventually
from tests.support.world import World

LEASE = 2
TASKS = 40

#: Notes that it ran, by its prompt, and takes about half a second.
STEADY = """
import os, sys, time
with open({path!r}, "a") as file:
    file.write(f"{{sys.stdin.read()}} {{os.getpid()}}\\n")
for number in range(5):
    print("line", number)
    time.sleep(0.1)
"""


@pytest.mark.slow
@pytest.mark.fault(
    f"two servers share {TASKS} tasks, one of them is killed with kill -9 in the middle",
    "each task is run exactly once; the dead one's are interrupted by the other within the lease + 5 s, all others "
    "are completed",
)
def test_the_other_server_ends_what_a_killed_one_held_and_does_the_rest(
    serve: Callable[..., Server], world: World, ada: Actor, data: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    steady = world.script_agent("steady", STEADY.format(path=str(tmp_path / "ran")))
    servers = [serve(lease=LEASE, concurrency=2) for _ in range(2)]
    made = [commands.create(ada, prompt=f"t{number}", agent=steady).id for number in range(TASKS)]
    eventually(lambda: len(ran(tmp_path / "ran")) >= TASKS // 3, 60)

    def held() -> list[int]:
        """What the first server works on."""
        found = (commands.find(ada, task_id) for task_id in made)
        running = (task for task in found if task.status is TaskStatus.PROCESSING)
        return [task.id for task in running if f":{servers[0].process.pid}:" in str(task.claimed_by)]

    servers[0].process.send_signal(signal.SIGSTOP)
    while not held():  # it was between two tasks
        servers[0].process.send_signal(signal.SIGCONT)
        time.sleep(0.1)
        servers[0].process.send_signal(signal.SIGSTOP)
    servers[0].kill()
    killed = time.monotonic()
    victims = held()
    assert 1 <= len(victims) <= 2
    eventually(lambda: ended(ada, victims), LEASE + 5)
    took = time.monotonic() - killed
    eventually(lambda: ended(ada, made), 60)
    by = Counter(str(commands.find(ada, task_id).claimed_by).split(":")[1] for task_id in made)
    assert set(by) == {str(server.process.pid) for server in servers}
    measured(
        f"{by[str(servers[0].process.pid)]} and {by[str(servers[1].process.pid)]} tasks, "
        f"{len(victims)} interrupted {took:.1f} s after the kill"
    )
    for task_id in made:
        expected = EndReason.INTERRUPTED if task_id in victims else EndReason.COMPLETED
        task = ended_once(ada, task_id)
        assert (task.end_reason, task.attempt) == (expected, 1)
    begun = Counter(ran(tmp_path / "ran"))
    assert max(begun.values()) == 1, "a task was run twice"
    assert set(begun) >= {f"t{number}" for number, task_id in enumerate(made) if task_id not in victims}
    assert servers[1].stop() == 0
    assert (left_running(data), left_lying(data)) == ([], [])


@pytest.mark.slow
@pytest.mark.fault(
    "a server frozen by SIGSTOP for longer than its lease, a second one on the same database; then it goes on",
    "the second ends the task as interrupted, its processes are dead by then, the first writes nothing more about it",
)
def test_a_server_that_was_frozen_writes_nothing_about_a_task_that_another_one_ended(
    serve: Callable[..., Server], world: World, ada: Actor, data: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    path = tmp_path / "ran"
    talker = world.script_agent(
        "talker", PATIENT.format(path=str(path)).replace("time.sleep(0.02)", "print(time.sleep(0.02))")
    )
    first = serve(lease=LEASE, concurrency=1)
    task_id = commands.create(ada, prompt="t0", agent=talker).id
    eventually(lambda: len(whole_log(ada, task_id)) > 20)
    second = serve(lease=LEASE, concurrency=1)

    first.process.send_signal(signal.SIGSTOP)
    frozen = time.monotonic()
    eventually(lambda: commands.find(ada, task_id).status is TaskStatus.ERROR, LEASE + 5)
    took = time.monotonic() - frozen
    before, log = ended_once(ada, task_id), whole_log(ada, task_id)
    assert before.end_reason is EndReason.INTERRUPTED
    eventually(lambda: not left_running(data), LEASE + 2)  # the supervisor hears nothing any more
    dead = time.monotonic() - frozen

    first.process.send_signal(signal.SIGCONT)
    measured(f"interrupted {took:.1f} s and processes dead {dead:.1f} s after SIGSTOP, lease {LEASE} s")
    eventually(lambda: left_lying(data) == [], 5)
    Path(f"{path}.go").touch()
    after = commands.create(ada, prompt="t1", agent=talker).id  # both servers go on
    eventually(lambda: ended(ada, [after]))
    assert ended_once(ada, after).end_reason is EndReason.COMPLETED
    assert [server.stop() for server in (first, second)] == [0, 0]
    assert ended_once(ada, task_id).updated_at == before.updated_at
    assert len(whole_log(ada, task_id)) == len(log)
    assert ran(path) == ["t0", "t1"]
    assert "Traceback" not in first.said()

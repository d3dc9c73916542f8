"""Two servers on one database: they share the work, and one ends what the other one cannot."""

import signal
import time
from collections import Counter

import pytest

from core.database.models import EndReason, TaskStatus
from tests.faults.scene import PATIENT, QUICK, Scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

LEASE = 2
TASKS = 40


@pytest.mark.fault(
    f"two servers share {TASKS} tasks, one of them is killed with kill -9 in the middle",
    "each task is run exactly once; the dead one's are interrupted by the other within the lease + 5 s, all others "
    "are completed",
)
def test_the_other_server_ends_what_a_killed_one_held_and_does_the_rest(scene: Scene) -> None:
    steady = scene.agent("steady", QUICK + "import time; time.sleep(0.5)")
    servers = [scene.serve(lease=LEASE, concurrency=2) for _ in range(2)]
    first, second = (str(server.process.pid) for server in servers)
    made = [scene.create(steady, f"t{number}") for number in range(TASKS)]
    eventually(lambda: len(scene.ran()) >= TASKS // 3, 60)

    def runner(task_id: int) -> str:
        return str(scene.find(task_id).claimed_by).split(":")[1]

    def held() -> list[int]:
        """What the first server works on."""
        running = [task_id for task_id in made if scene.status(task_id) is TaskStatus.PROCESSING]
        return [task_id for task_id in running if runner(task_id) == first]

    servers[0].process.send_signal(signal.SIGSTOP)
    while not held():  # it was between two tasks
        servers[0].process.send_signal(signal.SIGCONT)
        time.sleep(0.1)
        servers[0].process.send_signal(signal.SIGSTOP)
    servers[0].kill()
    killed, victims = time.monotonic(), held()
    assert 1 <= len(victims) <= 2
    eventually(lambda: scene.ended(*victims), LEASE + 5)
    took = time.monotonic() - killed
    scene.wait(EndReason.COMPLETED, *(task_id for task_id in made if task_id not in victims), seconds=60)
    scene.wait(EndReason.INTERRUPTED, *victims)
    by = Counter(map(runner, made))
    scene.measured(f"{by[first]} and {by[second]} tasks, {len(victims)} interrupted {took:.1f} s after the kill")
    assert (set(by), {scene.find(task_id).attempt for task_id in made}) == ({first, second}, {1})
    begun = Counter(scene.ran())
    assert max(begun.values()) == 1, "a task was run twice"
    assert set(begun) >= {f"t{number}" for number, task_id in enumerate(made) if task_id not in victims}
    assert (servers[1].stop(), scene.running(), scene.lying()) == (0, [], [])


@pytest.mark.fault(
    "a server frozen by SIGSTOP for longer than its lease, a second one on the same database; then it goes on",
    "the second ends the task as interrupted, its processes are dead by then, the first writes nothing more about it",
)
def test_a_server_that_was_frozen_writes_nothing_about_a_task_that_another_one_ended(scene: Scene) -> None:
    talker = scene.agent("talker", PATIENT.replace("time.sleep(0.02)", "print(time.sleep(0.02))"))
    first, task_id = scene.serve(lease=LEASE, concurrency=1), scene.create(talker, "t0")
    eventually(lambda: len(scene.log(task_id)) > 20)
    second = scene.serve(lease=LEASE, concurrency=1)

    first.process.send_signal(signal.SIGSTOP)
    frozen = time.monotonic()
    scene.wait(EndReason.INTERRUPTED, task_id, seconds=LEASE + 5)
    took = time.monotonic() - frozen
    before, log = scene.ended_once(task_id), scene.log(task_id)
    eventually(lambda: not scene.running(), LEASE + 2)  # the supervisor is told nothing any more
    dead = time.monotonic() - frozen

    first.process.send_signal(signal.SIGCONT)
    scene.measured(f"interrupted {took:.1f} s and processes dead {dead:.1f} s after SIGSTOP, lease {LEASE} s")
    eventually(lambda: scene.lying() == [], 5)
    scene.go()
    scene.wait(EndReason.COMPLETED, scene.create(talker, "t1"))  # both servers go on
    assert [server.stop() for server in (first, second)] == [0, 0]
    assert (scene.ended_once(task_id).updated_at, len(scene.log(task_id))) == (before.updated_at, len(log))
    assert scene.ran() == ["t0", "t1"]
    assert "Traceback" not in first.said()

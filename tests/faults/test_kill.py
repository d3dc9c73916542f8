"""The real server, killed without warning and started again: what it promised stays true."""

import signal
import time
from pathlib import Path

import pytest

from core.agents import catalog
from core.database.models import EndReason, TaskStatus
from tests.faults.scene import PATIENT, QUICK, Scene, fault
from tests.support.server import Server
from tests.support.waiting import eventually, is_alive

LEASE = 2
INTERRUPTED = "interrupted within the lease + 5 s, never run again, no process, no file; what waits runs"


def after_the_restart(scene: Scene, server: Server, killed: int, waiting: list[int]) -> None:
    """What is expected after a server that died with task ``killed``."""
    died = time.monotonic()
    del server.environment["FAULT_DEATH"]
    server.start()
    eventually(lambda: scene.status(killed) is not TaskStatus.PROCESSING, LEASE + 5)
    scene.measured(f"interrupted {time.monotonic() - died:.1f} s after the kill")
    task = scene.ended_once(killed)
    assert (task.status, task.end_reason, task.attempt) == (TaskStatus.ERROR, EndReason.INTERRUPTED, 1)
    assert "The server that ran this task stopped" in str(task.error)
    scene.wait(EndReason.COMPLETED, *waiting, seconds=30)
    assert scene.ended_once(killed).updated_at == task.updated_at, "it was touched again"
    assert (server.stop(), scene.running(), scene.lying(waiting)) == (0, [], [])


BEFORE = "kill -9 of the server right after a claim, before anything is begun"
AFTER = "kill -9 of the server after the agent's process ended, before the end is written"


@pytest.mark.parametrize(
    ("death", "began"), [fault(BEFORE, INTERRUPTED, "claimed", []), fault(AFTER, INTERRUPTED, "exited", ["t0"])]
)
def test_a_server_that_dies_runs_nothing_twice(death: str, began: list[str], scene: Scene, data: Path) -> None:
    scene.agent("quick", QUICK + "open(sys.argv[1] + '/report.md', 'w').write('# Done')")
    server = scene.serve(death=death, lease=LEASE, concurrency=1)
    killed, *waiting = (scene.create("quick", f"t{number}") for number in range(3))
    assert server.process.wait(10) == -signal.SIGKILL
    assert (scene.status(killed), scene.ran()) == (TaskStatus.PROCESSING, began)
    assert (data / "artifacts" / str(killed) / "report.md").exists() == bool(began)
    after_the_restart(scene, server, killed, waiting)
    assert (scene.ran(), scene.find(killed).sandbox_url) == ([*began, "t1", "t2"], None)


@pytest.mark.fault("kill -9 of the server in mid-run", f"the agent is dead within 5 s; {INTERRUPTED}")
def test_a_killed_server_leaves_no_process_no_running_task_and_loses_no_waiting_one(scene: Scene) -> None:
    scene.agent("patient", PATIENT)
    server = scene.serve(lease=LEASE, concurrency=1)
    catalog.catalog.cache_clear()  # the server's folder may be cloned from now on
    repository = server.repository("small", {"data.csv": "id,amount\n1,2\n"})
    running = scene.create("patient", "t0", str(repository))
    waiting = [scene.create("patient", f"t{number}") for number in (1, 2, 3)]
    eventually(lambda: scene.said(running)[-1] == "two")
    before, log = scene.find(running), scene.log(running)
    assert (before.status, before.progress) == (TaskStatus.PROCESSING, 30)
    assert [scene.status(task_id) for task_id in waiting] == [TaskStatus.PENDING] * 3

    orphans = server.kill()
    assert {each.pid for each in orphans} >= set(scene.pids())
    assert len(orphans) == 2  # a supervisor and the agent
    eventually(lambda: not any(is_alive(each.pid) for each in orphans), 5)

    scene.go()
    after_the_restart(scene, server, running, waiting)
    after = scene.log(running)
    assert [(each.seq, each.message) for each in after[:-1]] == [(each.seq, each.message) for each in log]
    assert (scene.find(running).progress, scene.ran()) == (before.progress, ["t0", "t1", "t2", "t3"])

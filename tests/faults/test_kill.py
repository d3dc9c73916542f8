"""The real server, killed without warning and started again: what it promised stays true."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents import catalog
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.tasks import commands
from tests.faults.checks import PATIENT, QUICK, ended, ended_once, left_lying, left_running, pids, ran, whole_log
from tests.support.server import Server
from tests.support.waiting import eventually, is_alive
from tests.support.world import World

LEASE = 2
INTERRUPTED = "interrupted within the lease + 5 s, never run again, no process, no file; what waits runs"


def after_the_restart(server: Server, actor: Actor, data: Path, killed: int, waiting: list[int]) -> str:
    """What is expected after a server that died with task ``killed``; how long its end took."""
    died = time.monotonic()
    del server.environment["FAULT_DEATH"]
    server.start()
    eventually(lambda: commands.find(actor, killed).status is not TaskStatus.PROCESSING, LEASE + 5)
    seconds = time.monotonic() - died
    task = ended_once(actor, killed)
    assert (task.status, task.end_reason, task.attempt) == (TaskStatus.ERROR, EndReason.INTERRUPTED, 1)
    assert "The server that ran this task stopped" in str(task.error)
    eventually(lambda: ended(actor, waiting), 30)
    assert {ended_once(actor, task_id).end_reason for task_id in waiting} == {EndReason.COMPLETED}
    assert ended_once(actor, killed).updated_at == task.updated_at, "it was touched again"
    assert server.stop() == 0
    assert (left_running(data), left_lying(data, *waiting)) == ([], [])
    return f"interrupted {seconds:.1f} s after the kill"


@pytest.mark.fault("kill -9 of the server right after a claim, before anything is begun", INTERRUPTED)
def test_a_server_that_dies_right_after_a_claim_leaves_a_task_that_is_never_begun(
    serve: Callable[..., Server], world: World, ada: Actor, data: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    world.script_agent("quick", QUICK.format(path=str(tmp_path / "ran")))
    server = serve(death="claimed", lease=LEASE, concurrency=1)
    killed, *waiting = (commands.create(ada, prompt=f"t{number}", agent="quick").id for number in range(3))
    assert server.process.wait(10) == -signal.SIGKILL
    assert commands.find(ada, killed).status is TaskStatus.PROCESSING
    measured(after_the_restart(server, ada, data, killed, waiting))
    assert ran(tmp_path / "ran") == ["t1", "t2"]


@pytest.mark.fault("kill -9 of the server in mid-run", f"the agent is dead within 5 s; {INTERRUPTED}")
def test_a_killed_server_leaves_no_process_no_running_task_and_loses_no_waiting_one(
    serve: Callable[..., Server], world: World, ada: Actor, data: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    path = tmp_path / "ran"
    world.script_agent("patient", PATIENT.format(path=str(path)))
    server = serve(lease=LEASE, concurrency=1)
    catalog.catalog.cache_clear()  # the server's folder may be cloned from now on
    repository = server.repository("small", {"data.csv": "id,amount\n1,2\n"})
    running = commands.create(ada, prompt="t0", repo_url=str(repository), agent="patient").id
    waiting = [commands.create(ada, prompt=f"t{number}", agent="patient").id for number in (1, 2, 3)]
    eventually(lambda: whole_log(ada, running)[-1].message == "two")
    before, log = commands.find(ada, running), whole_log(ada, running)
    assert (before.status, before.progress) == (TaskStatus.PROCESSING, 30)
    assert [commands.find(ada, task_id).status for task_id in waiting] == [TaskStatus.PENDING] * 3

    orphans = server.kill()
    assert {each.pid for each in orphans} >= set(pids(path))
    assert len(orphans) == 2  # a supervisor and the agent
    eventually(lambda: not any(is_alive(each.pid) for each in orphans), 5)

    Path(f"{path}.go").touch()
    measured(after_the_restart(server, ada, data, running, waiting))
    after = whole_log(ada, running)
    assert [(each.seq, each.message) for each in after[:-1]] == [(each.seq, each.message) for each in log]
    assert commands.find(ada, running).progress == before.progress
    assert ran(path) == ["t0", "t1", "t2", "t3"]


@pytest.mark.fault("kill -9 of the server after the agent's process ended, before the end is written", INTERRUPTED)
def test_a_server_that_dies_before_it_writes_the_end_runs_nothing_twice(
    serve: Callable[..., Server], world: World, ada: Actor, data: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    made = "open(sys.argv[1] + '/report.md', 'w').write('# Done')"
    world.script_agent("quick", QUICK.format(path=str(tmp_path / "ran")) + made)
    server = serve(death="exited", lease=LEASE, concurrency=1)
    killed, *waiting = (commands.create(ada, prompt=f"t{number}", agent="quick").id for number in range(3))
    assert server.process.wait(10) == -signal.SIGKILL
    assert ran(tmp_path / "ran") == ["t0"]
    assert (data / "artifacts" / str(killed) / "report.md").exists()
    measured(after_the_restart(server, ada, data, killed, waiting))
    assert ran(tmp_path / "ran") == ["t0", "t1", "t2"]
    assert commands.find(ada, killed).sandbox_url is None

"""An agent in a sandbox whose processes detach themselves: however its task ends, nothing of them is left."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents.catalog import catalog
from core.database.models import EndReason
from core.tasks import commands
from tests.faults.scene import Scene
from tests.support.server import Server
from tests.support.waiting import eventually

LEASE = 2

#: Detaches itself, ignores every signal that it can, holds the pipe, and works for ever.
STUBBORN = """
[agents.stubborn]
driver = "lines"
command = ["sh", "-c", "trap '' TERM INT HUP; setsid sleep 600 & (setsid sleep 600 &); echo begun; sleep 600"]
"""

Begin = Callable[..., tuple[Server, int]]


@pytest.fixture
def begun(scene: Scene, tmp_path: Path) -> Begin:
    """A real server whose agent is at work in a sandbox, with what it detached; and its task."""

    def begin(**more: object) -> tuple[Server, int]:
        path = tmp_path / "stubborn.toml"
        path.write_text(STUBBORN)
        scene.world.settle(TASKDECK_AGENTS=str(path))
        catalog.cache_clear()
        server, task_id = scene.serve(agents=path, lease=LEASE, grace=0, **more), scene.create("stubborn")
        eventually(lambda: "begun" in scene.said(task_id), 20)
        assert len(scene.running()) >= 5, "a supervisor, the sandbox, the shell and what it detached"
        return server, task_id

    return begin


@pytest.mark.attack(94)
@pytest.mark.fault(
    "kill -9 of the server with an agent in a sandbox that detached itself", "no process is left; interrupted"
)
def test_a_killed_server_leaves_nothing_of_an_agent_in_a_sandbox(begun: Begin, scene: Scene) -> None:
    server, task_id = begun()
    server.kill()
    eventually(lambda: not scene.running(), 5)
    server.start()
    scene.wait(EndReason.INTERRUPTED, task_id, seconds=LEASE + 10)
    scene.cleared()


@pytest.mark.fault(
    "kill -9 of the supervisor of an agent in a sandbox", "the sandbox dies with it; the task fails at once"
)
def test_a_killed_supervisor_takes_its_sandbox_along(begun: Begin, scene: Scene) -> None:
    server, task_id = begun()
    (supervisor,) = (each for each in server.started() if "core.sandbox.supervisor" in " ".join(each.cmdline()))
    supervisor.send_signal(signal.SIGKILL)
    scene.wait(EndReason.FAILED, task_id)
    scene.cleared()


@pytest.mark.attack(88)
@pytest.mark.parametrize("how", ["limit", "cancel", "delete", "SIGTERM"])
@pytest.mark.fault(
    "the limit, a cancel, a deletion, SIGTERM, with an agent in a sandbox that detached itself",
    "no process, no file is left",
)
def test_every_way_to_end_an_agent_in_a_sandbox_ends_all_of_it(how: str, begun: Begin, scene: Scene) -> None:
    server, task_id = begun(**({"timeout": 4, "warning": 3} if how == "limit" else {}))
    if how == "cancel":
        commands.cancel(scene.ada, task_id)
    elif how == "delete":
        commands.delete_one(scene.ada, task_id)
    elif how == "SIGTERM":
        assert server.stop() == 0
    if how != "delete":
        reasons = {"limit": EndReason.TIMED_OUT, "cancel": EndReason.CANCELLED, "SIGTERM": EndReason.INTERRUPTED}
        scene.wait(reasons[how], task_id)
    scene.cleared()

"""A boxed agent whose processes detach themselves and do not want to end: however its task ends, nothing is left."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents.catalog import catalog
from core.database.models import EndReason, Task
from core.database.ownership import Actor
from core.tasks import commands
from tests.faults.checks import ended, ended_once, left_lying, left_running, whole_log
from tests.support.server import Server
from tests.support.waiting import eventually
from tests.support.world import World

LEASE = 2

#: Detaches itself, ignores every signal that it can, holds the pipe, and works for ever.
STUBBORN = """
[agents.stubborn]
driver = "lines"
command = ["sh", "-c", "trap '' TERM INT HUP; setsid sleep 600 & (setsid sleep 600 &); echo begun; sleep 600"]
"""


@pytest.fixture
def begun(
    serve: Callable[..., Server], world: World, ada: Actor, data: Path, tmp_path: Path
) -> Callable[..., tuple[Server, Task]]:
    """A real server whose boxed agent is at work, with what it detached."""

    def begin(**more: object) -> tuple[Server, Task]:
        path = tmp_path / "stubborn.toml"
        path.write_text(STUBBORN)
        world.settle(TASKDECK_AGENTS=str(path))
        catalog.cache_clear()
        server = serve(agents=path, lease=LEASE, grace=0, **more)
        task = commands.create(ada, prompt="x", agent="stubborn")
        eventually(lambda: any(entry.message == "begun" for entry in whole_log(ada, task.id)), 20)
        assert len(left_running(data)) >= 5, "a supervisor, the box, the shell and what it detached"
        return server, task

    return begin


@pytest.mark.attack(94)
@pytest.mark.fault("kill -9 of the server with a boxed agent that detached itself", "no process is left; interrupted")
def test_a_killed_server_leaves_nothing_of_a_boxed_agent(
    begun: Callable[..., tuple[Server, Task]], ada: Actor, data: Path
) -> None:
    server, task = begun()
    server.kill()
    eventually(lambda: not left_running(data), 5)
    server.start()
    eventually(lambda: ended(ada, [task.id]), LEASE + 10)
    assert ended_once(ada, task.id).end_reason is EndReason.INTERRUPTED
    eventually(lambda: not left_lying(data), 5)


@pytest.mark.fault("kill -9 of the supervisor of a boxed agent", "the box dies with it; the task fails at once")
def test_a_killed_supervisor_takes_its_box_along(
    begun: Callable[..., tuple[Server, Task]], ada: Actor, data: Path
) -> None:
    server, task = begun()
    (supervisor,) = (each for each in server.started() if "core.sandbox.supervisor" in " ".join(each.cmdline()))
    supervisor.send_signal(signal.SIGKILL)
    eventually(lambda: ended(ada, [task.id]), 5)
    assert ended_once(ada, task.id).end_reason is EndReason.FAILED
    eventually(lambda: not left_running(data) and not left_lying(data), 5)


@pytest.mark.attack(88)
@pytest.mark.parametrize("how", ["limit", "cancel", "delete", "SIGTERM"])
@pytest.mark.fault(
    "the limit, a cancel, a deletion, SIGTERM, with a boxed agent that detached itself", "no process, no file is left"
)
def test_every_way_to_end_a_boxed_agent_ends_all_of_it(
    how: str, begun: Callable[..., tuple[Server, Task]], ada: Actor, data: Path
) -> None:
    server, task = begun(**({"timeout": 4, "warning": 3} if how == "limit" else {}))
    if how == "cancel":
        commands.cancel(ada, task.id)
    elif how == "delete":
        commands.delete_one(ada, task.id)
    elif how == "SIGTERM":
        assert server.stop() == 0
    if how != "delete":
        eventually(lambda: ended(ada, [task.id]), 10)
        reasons = {"limit": EndReason.TIMED_OUT, "cancel": EndReason.CANCELLED, "SIGTERM": EndReason.INTERRUPTED}
        assert ended_once(ada, task.id).end_reason is reasons[how]
    eventually(lambda: not left_running(data) and not left_lying(data), 5)

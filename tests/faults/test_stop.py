"""The real server, told to stop: nothing new begins, what can end ends, and the exit status is 0."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.errors import ServerStopping
from core.tasks import commands
from tests.faults.checks import PATIENT, ended_once, left_lying, left_running, ran
from tests.faults.conftest import STREAMLIT, UVICORN
from tests.support.server import Server
from tests.support.waiting import eventually
from tests.support.world import World

#: What a stop may take on a busy machine beside the grace, in seconds.
SLACK = 8.0

both_commands = pytest.mark.parametrize("command", [STREAMLIT, UVICORN], ids=["streamlit", "uvicorn"])
both_signals = pytest.mark.parametrize(
    ("command", "number"),
    [(STREAMLIT, signal.SIGTERM), (UVICORN, signal.SIGTERM), (STREAMLIT, signal.SIGINT), (UVICORN, signal.SIGINT)],
    ids=["streamlit-TERM", "uvicorn-TERM", "streamlit-INT", "uvicorn-INT"],
)


@pytest.fixture
def running(
    serve: Callable[..., Server], world: World, ada: Actor, tmp_path: Path
) -> Callable[..., tuple[Server, int]]:
    """Start a server with a task that works until the file ``ran.go`` is there; the server and the task."""

    def start(command: str, grace: float) -> tuple[Server, int]:
        name = world.script_agent("patient", PATIENT.format(path=str(tmp_path / "ran")))
        server = serve(command, lease=2, concurrency=2, grace=grace)
        task = commands.create(ada, prompt="t0", agent=name)
        eventually(lambda: ran(tmp_path / "ran"))
        return server, task.id

    return start


@contextmanager
def visited(server: Server, token: str, task_id: int) -> Iterator[None]:
    """Somebody looks at the task: an open events stream, and the websocket of an open page."""
    with ExitStack() as stack:
        headers = {"Authorization": f"Bearer {token}"}
        stream = httpx.stream("GET", f"{server.url}/api/tasks/{task_id}/events", headers=headers, timeout=30)
        lines = stack.enter_context(stream).iter_lines()
        assert next(lines).startswith("event: entry")
        address = f"ws://localhost:{server.port}/_stcore/stream"
        stack.enter_context(connect(address, origin=server.url))  # type: ignore[arg-type]
        yield


def refuses(server: Server) -> bool:
    """Whether it takes no connections any more: the signal has been heard."""
    try:
        httpx.get(f"{server.url}/api/health")
    except httpx.ConnectError:
        return True
    except httpx.HTTPError:
        return False
    return False


@pytest.mark.fault(
    "SIGTERM while a task runs that ends within the grace; a page and an events stream are open",
    "nothing is claimed any more from that moment, the task is completed, exit status 0",
)
@both_commands
def test_a_stopping_server_claims_nothing_and_completes_what_ends_in_time(
    running: Callable[..., tuple[Server, int]],
    world: World,
    command: str,
    ada: Actor,
    ada_token: str,
    data: Path,
    tmp_path: Path,
    measured: Callable[[str], None],
) -> None:
    server, task_id = running(command, 30)
    with visited(server, ada_token, task_id):
        server.process.terminate()
        eventually(lambda: refuses(server))
        waiting = [commands.create(ada, prompt="later", agent="patient").id for _ in range(3)]  # there is a free slot
        deadline = time.monotonic() + 2.5  # several sweeps
        while time.monotonic() < deadline:
            assert {commands.find(ada, each).status for each in waiting} == {TaskStatus.PENDING}
            time.sleep(0.05)
        assert commands.find(ada, task_id).status is TaskStatus.PROCESSING
        Path(f"{tmp_path}/ran.go").touch()
        told = time.monotonic()
        assert server.process.wait(SLACK) == 0
        measured(f"{command.split()[0]} ended {time.monotonic() - told:.1f} s after the task's work")
    assert ended_once(ada, task_id).end_reason is EndReason.COMPLETED
    assert [commands.find(ada, each).attempt for each in waiting] == [0, 0, 0]
    assert ran(tmp_path / "ran") == ["t0"]
    assert (left_running(data), left_lying(data)) == ([], [])
    assert "Traceback" not in server.said()


@pytest.mark.fault(
    "SIGTERM or SIGINT while a task runs that does not end within the grace",
    "interrupted at the end of the grace with a log entry, its processes dead, exit status 0",
)
@both_signals
def test_a_stopping_server_interrupts_what_does_not_end_in_time(
    running: Callable[..., tuple[Server, int]],
    command: str,
    number: signal.Signals,
    ada: Actor,
    ada_token: str,
    data: Path,
    measured: Callable[[str], None],
) -> None:
    server, task_id = running(command, 1)
    with visited(server, ada_token, task_id):
        told = time.monotonic()
        server.process.send_signal(number)
        assert server.process.wait(1 + SLACK) == 0
    took = time.monotonic() - told
    measured(f"{command.split()[0]} {number.name} {took:.1f} s")
    task = ended_once(ada, task_id)
    assert (task.end_reason, task.error) == (EndReason.INTERRUPTED, ServerStopping().message)
    assert task.finished_at and took >= 1
    assert (left_running(data), left_lying(data)) == ([], [])
    assert "Traceback" not in server.said()


@pytest.mark.fault("a second SIGTERM or SIGINT in a grace of a minute", "ends the grace at once, as above")
@pytest.mark.parametrize(
    ("command", "number"), [(STREAMLIT, signal.SIGTERM), (UVICORN, signal.SIGINT)], ids=["streamlit", "uvicorn"]
)
def test_a_second_signal_ends_the_grace(
    running: Callable[..., tuple[Server, int]],
    command: str,
    number: signal.Signals,
    ada: Actor,
    data: Path,
    measured: Callable[[str], None],
) -> None:
    server, task_id = running(command, 60)
    server.process.send_signal(number)
    eventually(lambda: refuses(server))
    time.sleep(0.5)
    assert server.process.poll() is None
    told = time.monotonic()
    server.process.send_signal(number)
    assert server.process.wait(SLACK) == 0
    measured(f"{command.split()[0]} {number.name} {time.monotonic() - told:.1f} s after the second")
    assert ended_once(ada, task_id).error == ServerStopping().message
    assert (left_running(data), left_lying(data)) == ([], [])


@pytest.mark.fault("SIGTERM while a page is open whose browser answers nothing any more", "exit status 0 in 15 s")
@both_commands
def test_a_page_that_answers_nothing_does_not_hold_the_server(
    serve: Callable[..., Server], command: str, measured: Callable[[str], None]
) -> None:
    server = serve(command, grace=1)
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # the example of RFC 6455
        "Origin": server.url,
    }
    with httpx.stream("GET", f"{server.url}/_stcore/stream", headers=handshake) as page:
        assert page.status_code == 101
        told = time.monotonic()
        server.process.terminate()
        assert server.process.wait(15) == 0
    measured(f"{command.split()[0]} {time.monotonic() - told:.1f} s")

"""The real server, told to stop: nothing new begins, what can end ends, and the exit status is 0."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from websockets.sync.client import connect

from core.database.models import EndReason, TaskStatus
from core.errors import ServerStopping
from tests.faults.conftest import STREAMLIT, UVICORN
from tests.faults.scene import PATIENT, Scene
from tests.support.server import Server
from tests.support.waiting import eventually

#: What a stop may take on a busy machine beside the grace, in seconds.
SLACK = 8.0

both_commands = pytest.mark.parametrize("command", [STREAMLIT, UVICORN], ids=["streamlit", "uvicorn"])
both_signals = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])

Running = Callable[..., tuple[Server, int]]


@pytest.fixture
def running(scene: Scene) -> Running:
    """Start a server with a task that works until it may go; the server and the task."""

    def start(command: str, grace: float) -> tuple[Server, int]:
        name = scene.agent("patient", PATIENT)
        server = scene.serve(command, lease=2, concurrency=2, grace=grace)
        task_id = scene.create(name, "t0")
        eventually(scene.ran)
        return server, task_id

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
    """Whether it takes no connections any more: it knows of the signal."""
    try:
        httpx.get(f"{server.url}/api/health")
    except httpx.ConnectError:
        return True
    except httpx.HTTPError:
        return False
    return False


def ends(server: Server, scene: Scene, what: str, grace: float = 0) -> float:
    """The seconds that the server took to end, with exit status 0 and nothing left."""
    told = time.monotonic()
    assert server.process.wait(grace + SLACK) == 0
    took = time.monotonic() - told
    scene.measured(what.format(f"{took:.1f} s"))
    assert (scene.running(), scene.lying()) == ([], [])
    assert "Traceback" not in server.said()
    return took


@pytest.mark.fault(
    "SIGTERM while a task runs that ends within the grace; a page and an events stream are open",
    "nothing is claimed any more from that moment, the task is completed, exit status 0",
)
@both_commands
def test_a_stop_claims_nothing_and_completes_some(running: Running, command: str, scene: Scene, ada_token: str) -> None:
    server, task_id = running(command, 30)
    with visited(server, ada_token, task_id):
        server.process.terminate()
        eventually(lambda: refuses(server))
        waiting = [scene.create("patient", "later") for _ in range(3)]  # there is a free slot
        deadline = time.monotonic() + 2.5  # several sweeps
        while time.monotonic() < deadline:
            assert {scene.status(each) for each in waiting} == {TaskStatus.PENDING}
            time.sleep(0.05)
        assert scene.status(task_id) is TaskStatus.PROCESSING
        scene.go()
        ends(server, scene, f"{command.split()[0]} ended {{}} after the task's work")
    assert scene.ended_once(task_id).end_reason is EndReason.COMPLETED
    assert ([scene.find(each).attempt for each in waiting], scene.ran()) == ([0, 0, 0], ["t0"])


@pytest.mark.fault(
    "SIGTERM or SIGINT while a task runs that does not end within the grace",
    "interrupted at the end of the grace with a log entry, its processes dead, exit status 0",
)
@both_signals
@both_commands
def test_a_stopping_server_interrupts_what_does_not_end_in_time(
    running: Running, command: str, number: signal.Signals, scene: Scene, ada_token: str
) -> None:
    server, task_id = running(command, 1)
    with visited(server, ada_token, task_id):
        server.process.send_signal(number)
        assert ends(server, scene, f"{command.split()[0]} {number.name} {{}}", 1) >= 0.9
    task = scene.ended_once(task_id)
    assert (task.end_reason, task.error) == (EndReason.INTERRUPTED, ServerStopping().message)


@pytest.mark.fault("a second SIGTERM or SIGINT in a grace of a minute", "ends the grace at once, as above")
@pytest.mark.parametrize(
    ("command", "number"), [(STREAMLIT, signal.SIGTERM), (UVICORN, signal.SIGINT)], ids=["streamlit", "uvicorn"]
)
def test_a_second_signal_ends_the_grace(running: Running, command: str, number: signal.Signals, scene: Scene) -> None:
    server, task_id = running(command, 60)
    server.process.send_signal(number)
    eventually(lambda: refuses(server))
    time.sleep(0.5)
    assert server.process.poll() is None
    server.process.send_signal(number)
    ends(server, scene, f"{command.split()[0]} {number.name} {{}} after the second")
    assert scene.ended_once(task_id).error == ServerStopping().message


@pytest.mark.fault("SIGTERM while a page is open whose browser answers nothing any more", "exit status 0 in 15 s")
@both_commands
def test_a_page_that_answers_nothing_does_not_hold_the_server(scene: Scene, command: str) -> None:
    server = scene.serve(command, grace=1)
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": server.url}
    key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # the example of RFC 6455
    with httpx.stream("GET", f"{server.url}/_stcore/stream", headers=handshake | key) as page:
        assert page.status_code == 101
        server.process.terminate()
        ends(server, scene, f"{command.split()[0]} {{}}", 15 - SLACK)

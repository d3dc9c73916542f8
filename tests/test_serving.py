"""``streamlit run app.py`` and ``uvicorn app:app``, really started."""

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from core import db, tasks
from core.models import LogType, Task, TaskLog, TaskStatus
from core.ownership import Actor
from tests import databases
from tests.server import ROOT, Server

COMMANDS = ("streamlit run app.py --server.port {port}", "uvicorn app:app --port {port}")


@pytest.mark.parametrize("command", COMMANDS, ids=["streamlit", "uvicorn"])
def test_one_command_serves_pages_and_api_and_ends_cleanly(tmp_path: Path, command: str) -> None:
    server = Server(tmp_path / "server", command=command)
    server.start()
    assert httpx.get(server.url).status_code == 200
    assert httpx.get(f"{server.url}/task?id=5").status_code == 200
    assert httpx.get(f"{server.url}/api/tasks").status_code == 401
    assert server.said().count("/setup?token=") == 1
    assert server.stop() == 0
    assert "Traceback" not in server.said()
    files = [path for path in (tmp_path / "server" / "data").rglob("*") if path.is_file()]
    made = {"secret"} if databases.current.present() else {"secret", "taskdeck.db"}
    assert made <= {path.name for path in files}
    assert [path.name for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:1", None])
def test_a_page_of_another_server_gets_no_websocket(tmp_path: Path, origin: str | None) -> None:
    server = Server(tmp_path / "server")
    server.start()
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # the example of RFC 6455
    }
    address = f"{server.url}/_stcore/stream"
    refused = httpx.get(address, headers=handshake | ({"Origin": origin} if origin else {}))
    assert refused.status_code == 403
    with httpx.stream("GET", address, headers=handshake | {"Origin": server.url}) as accepted:
        assert accepted.status_code == 101
    server.stop()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TASKDECK_TIMEOUT", "soon", "TASKDECK_TIMEOUT: "),
        ("TASKDECK_SECRET", "short", "TASKDECK_SECRET: must be at least 32 bytes long"),
        ("TASKDECK_DATA", "/dev/null/x", "Not a directory"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_sentence(name: str, value: str, sentence: str) -> None:
    started = subprocess.run(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", "0"],
        cwd=ROOT,
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert started.returncode == 2
    assert sentence in started.stderr
    assert "Traceback" not in started.stderr


def half_a_request(server: Server) -> socket.socket:
    """A call whose body never comes."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    return connection


def a_stream_that_nobody_reads(server: Server) -> socket.socket:
    """An events stream with more in it than the sockets' buffers hold."""
    token = server.add("ada", "correct horse battery")
    with server.client(token) as api:
        answer = api.post("/tasks", json={"prompt": "x", "selectedAgent": "claude"})
        task_id = answer.json()["task"]["id"]
    with databases.unguarded() as session:
        owner = session.scalars(select(Task.user_id)).one()
    with databases.unguarded() as session:
        named = {"task_id": int(task_id), "user_id": owner, "timestamp": db.now(), "type": LogType.INFO}
        session.add_all(TaskLog(**named, seq=seq, message="x" * 8_000) for seq in range(1_000, 3_000))
        session.execute(update(Task).values(log_count=3000, status=TaskStatus.PENDING, end_reason=None))
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(
        f"GET /api/tasks/{task_id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    connection.recv(100)
    return connection


@pytest.mark.parametrize("hang", [half_a_request, a_stream_that_nobody_reads])
def test_nobody_can_keep_the_server_from_stopping(tmp_path: Path, hang: Callable[[Server], socket.socket]) -> None:
    server = Server(tmp_path, {"TASKDECK_GRACE": "1"})  # on this test's own database
    server.start()
    with hang(server):
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10


def test_a_server_that_gets_no_port_begins_no_task(tmp_path: Path, ada: Actor) -> None:
    server = Server(tmp_path, command="uvicorn app:app --host 127.0.0.1 --port {port}")
    tasks.create(ada, "x", None, "data-processor")
    with socket.create_server(("127.0.0.1", server.port)):
        failed = subprocess.run(server._command, cwd=ROOT, env=server.environment, capture_output=True, timeout=60)
    assert failed.returncode != 0
    with databases.unguarded() as session:
        assert session.execute(select(Task.status, Task.attempt)).all() == [(TaskStatus.PENDING, 0)]

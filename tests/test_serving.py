"""``streamlit run app.py`` and ``uvicorn app:app``, really started."""

import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import select, update
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from core.database import engine
from core.database.models import AuditEvent, Channel, Task, TaskLog, TaskStatus
from core.database.ownership import Actor
from core.identity import audit, sessions
from core.log_text import LogType
from core.tasks import commands
from tests.support import databases
from tests.support.server import ROOT, Server

COMMANDS = ("streamlit run app.py --server.port {port}", "uvicorn app:app --port {port}")


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server on this test's own database; it ends with the test."""
    started = []

    def start(settings: Mapping[str, str] | None = None, command: str = COMMANDS[0]) -> Server:
        started.append(Server(tmp_path, settings, command))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.mark.parametrize("command", COMMANDS, ids=["streamlit", "uvicorn"])
def test_one_command_serves_pages_and_api_and_ends_cleanly(tmp_path: Path, command: str) -> None:
    server = Server(tmp_path / "server", command=command)
    server.start()
    assert (httpx.get(server.url).status_code, httpx.get(f"{server.url}/task?id=5").status_code) == (200, 200)
    assert httpx.get(f"{server.url}/api/tasks").status_code == 401
    assert (server.said().count("/setup?token="), server.stop()) == (1, 0)
    assert "Traceback" not in server.said()
    files = [path for path in (tmp_path / "server" / "data").rglob("*") if path.is_file()]
    made = {"secret"} if databases.current.present() else {"secret", "taskdeck.db"}
    assert made <= {path.name for path in files}
    assert [path.name for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # the example of RFC 6455
}


def handshake(server: Server, **headers: str) -> int:
    """What the pages' websocket answers."""
    with httpx.stream("GET", f"{server.url}/_stcore/stream", headers=HANDSHAKE | headers) as answer:
        return answer.status_code


@pytest.mark.attack(31, 33)
@pytest.mark.parametrize("command", COMMANDS, ids=["streamlit", "uvicorn"])
def test_only_our_own_pages_get_a_websocket_and_only_our_own_names_an_answer(serve: Serve, command: str) -> None:
    server = serve({"TASKDECK_PUBLIC_URL": "https://tasks.example.org"}, command)
    for origin in ("http://evil.example", "http://localhost:1", "http://localhost:3000", "https://example.org", "null"):
        assert handshake(server, Origin=origin) == 403
        assert handshake(server, Origin=origin, Host="tasks.example.org") == 403
    assert handshake(server) == handshake(server, Host="evil.example", Origin="http://evil.example") == 403
    assert handshake(server, Origin=server.url) == 101
    assert handshake(server, Origin="https://tasks.example.org") == 101, "a proxy may give another host"
    assert handshake(server, Origin="https://tasks.example.org", Host="tasks.example.org") == 101
    for path in ("/", "/api/health?live=true", "/_stcore/health"):
        assert httpx.get(server.url + path, headers={"Host": "tasks.example.org"}).status_code == 200
        assert httpx.get(server.url + path, headers={"Host": "evil.example"}).status_code == 400
    server.stop()
    assert "Traceback" not in server.said()


@pytest.mark.attack(63)
def test_every_answer_of_the_server_is_hardened(serve: Serve) -> None:
    server = serve()
    script = re.findall(r'src="\.(/static/js/[^"]+)"', httpx.get(server.url).text)[0]
    for path, status in (
        *(("/", 200), ("/task?id=5", 200), (script, 200), ("/_stcore/health", 200), ("/media/nothing.png", 404)),
        *(("/api/docs", 200), ("/api/tasks", 401), ("/api/nothing", 404), ("/static/nothing.js", 200), ("//x", 400)),
    ):
        answer = httpx.get(server.url + path)
        assert answer.status_code == status, path
        assert "script-src 'self' blob: 'sha256-" in answer.headers["content-security-policy"], path
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["x-request-id"]
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"


@pytest.mark.parametrize(("command", "proxies", "address", "scheme"), [
    ("streamlit run app.py --server.port {port} --server.address localhost", None, "127.0.0.1", "http"),
    ("uvicorn app:app --port {port}", None, "127.0.0.1", "http"),
    ("uvicorn app:app --port {port} --forwarded-allow-ips=*", "10.0.0.5", "127.0.0.1", "http"),
    ("streamlit run app.py --server.port {port}", "127.0.0.0/8", "198.51.100.9", "https"),
])  # fmt: skip
def test_only_a_proxy_in_the_settings_names_another_address_or_scheme(
    serve: Serve, ada: Actor, command: str, proxies: str | None, address: str, scheme: str
) -> None:
    server = serve({"TASKDECK_PROXIES": proxies} if proxies else {}, command)
    cookie = sessions.redeem(sessions.ticket(sessions.start(ada)))
    headers = {"X-Forwarded-For": "203.0.113.1, 198.51.100.9", "X-Forwarded-Proto": "https"}
    url = f"http://127.0.0.1:{server.port}"
    assert httpx.get(f"{url}/api/agents/", headers=headers).headers["location"].partition(":")[0] == scheme
    headers |= {"Cookie": f"{sessions.PLAIN_COOKIE}={cookie}", "Sec-Fetch-Site": "same-origin"}
    left = httpx.request("DELETE", f"{url}/api/session", headers=headers, json={"ticket": sessions.sign_out_token(ada)})
    assert left.status_code == 200
    with databases.unguarded() as session:
        ended = select(AuditEvent.way, AuditEvent.address).where(AuditEvent.kind == audit.Kind.SIGNED_OUT)
        assert session.execute(ended).all() == [(Channel.API, address)]


def session_begun(connection: ClientConnection) -> str:
    """Ask for a run; the id of the session that answers."""
    connection.send(BackMsg(rerun_script=ClientState()).SerializeToString())
    while True:
        said = ForwardMsg.FromString(bytes(connection.recv(timeout=20)))
        if said.WhichOneof("type") == "new_session":
            return str(said.new_session.initialize.session_id)


def test_the_log_names_no_session_that_is_taken_up_again_and_says_that_there_is_no_sandbox(serve: Serve) -> None:
    server = serve({"TASKDECK_SANDBOX": "none"})
    assert httpx.get(f"{server.url}/api/health").json()["sandbox"]["state"] == "none"
    secret = (Path(server.environment["TASKDECK_DATA"]) / "secret").read_text().strip()
    cookie = URLSafeSerializer(secret, salt="taskdeck.cookie").dumps(uuid4().hex)  # without one nothing is taken up

    def connected(*naming: str) -> ClientConnection:
        return connect(
            f"ws://localhost:{server.port}/_stcore/stream",
            origin=Origin(server.url),
            subprotocols=[Subprotocol(word) for word in ("streamlit", *naming)],
            additional_headers={"Cookie": f"{sessions.HOST_COOKIE}={cookie}"},
        )

    with connected() as first:
        session_id = session_begun(first)
        with connected("x", session_id) as again:
            assert session_begun(again) == session_id
    server.stop()
    assert session_id not in server.said()
    assert server.said().count("TASKDECK_SANDBOX=none: tasks run without a sandbox") == 1


@pytest.mark.attack(57)
@pytest.mark.parametrize(("name", "value", "sentence"), [
    ("TASKDECK_TIMEOUT", "soon", "TASKDECK_TIMEOUT: "),
    ("TASKDECK_SECRET", "short", "TASKDECK_SECRET: must be at least 32 bytes long"),
    ("TASKDECK_PROXIES", "10.0.0.5,proxy", "TASKDECK_PROXIES: 'proxy' is neither an address nor a network"),
    ("TASKDECK_DATA", "/dev/null/x", "Not a directory"),
])  # fmt: skip
def test_a_bad_setting_stops_the_start_with_one_sentence(name: str, value: str, sentence: str) -> None:
    command = [sys.executable, "-m", *["streamlit", "run", "app.py", "--server.port", "0"]]
    given = os.environ | {name: value}
    started = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60)
    assert started.returncode == 2
    assert sentence in started.stderr and "Traceback" not in started.stderr


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
        named = {"task_id": int(task_id), "user_id": owner, "timestamp": engine.now(), "type": LogType.INFO}
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
    commands.create(ada, prompt="x", agent="data-processor")
    with socket.create_server(("127.0.0.1", server.port)):
        failed = subprocess.run(server._command, cwd=ROOT, env=server.environment, capture_output=True, timeout=60)
    assert failed.returncode != 0
    with databases.unguarded() as session:
        assert session.execute(select(Task.status, Task.attempt)).all() == [(TaskStatus.PENDING, 0)]

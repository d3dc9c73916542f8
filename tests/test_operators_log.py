"""What a real server writes for its operators, from the start to the end."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from core.database.ownership import Actor
from core.identity import tokens
from core.tasks import commands
from tests.support.server import Server
from tests.support.waiting import eventually

PROMPT = "a prompt that nobody else shall read"
TYPED = "hunter2 typed by mistake"


def drawn(socket: ClientConnection, message: BackMsg) -> list[ForwardMsg]:
    """Ask for a run of the script; what it draws."""
    socket.send(message.SerializeToString())
    found = []
    while not found or found[-1].WhichOneof("type") != "script_finished":
        found.append(ForwardMsg.FromString(bytes(socket.recv(timeout=20, decode=False))))
    return found


def sign_in(server: Server, username: str, password: str) -> None:
    """Send the sign-in form, as a browser does."""
    where = f"ws://localhost:{server.port}/_stcore/stream"
    with connect(where, origin=Origin(server.url), subprotocols=[Subprotocol("streamlit")], max_size=None) as socket:
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        fields = [found.delta.new_element for found in drawn(socket, asked) if found.WhichOneof("type") == "delta"]
        for field in fields:
            kind = field.WhichOneof("type")
            if kind == "text_input":
                typed = {"Username": username, "Password": password}[field.text_input.label]
                asked.rerun_script.widget_states.widgets.add(id=field.text_input.id, string_value=typed)
            elif kind == "button":
                asked.rerun_script.widget_states.widgets.add(id=field.button.id, trigger_value=True)
        assert len(asked.rerun_script.widget_states.widgets) == 3
        drawn(socket, asked)


@pytest.fixture(
    params=[("streamlit run app.py --server.port {port}", "text"), ("uvicorn app:app --port {port}", "json")]
)
def server(request: pytest.FixtureRequest, tmp_path: Path, ada: Actor) -> Iterator[Server]:
    command, form = request.param
    made = Server(tmp_path, {"TASKDECK_LOG_FORMAT": form}, command)
    made.start()
    yield made
    made.stop()


def test_an_operator_reads_what_happened_and_no_secret(server: Server, ada: Actor, ada_token: str) -> None:
    task = commands.create(ada, prompt=PROMPT, agent="data-processor")
    eventually(lambda: commands.find(ada, task.id).finished_at)
    sign_in(server, "ada", TYPED)
    sign_in(server, TYPED, "x")
    wrong = tokens.PREFIX + "no-token-of-anybody-here"
    refused = httpx.get(f"{server.url}/api/tasks", headers={"Authorization": f"Bearer {wrong}"})
    httpx.get(f"{server.url}/password?token=a-secret-link", headers={"Host": "evil.example"})
    assert httpx.get(f"{server.url}/api/tasks", headers={"Authorization": f"Bearer {ada_token}"}).status_code == 200
    assert server.stop() == 0
    said = server.said()
    if server.environment["TASKDECK_LOG_FORMAT"] == "json":
        entries = [json.loads(line) for line in said.splitlines()]
        lines = [f"{one['level'].upper()} {one['logger']}: {one['message']}" for one in entries]
        (end,) = (one for one in entries if "ended" in one["message"])
        assert (end["task"], end["owner"], ":" in end["runner"]) == (task.id, str(ada.id), True)
        (reference,) = (one["request"] for one in entries if "not valid" in one["message"])
    else:
        lines = re.findall(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (.*)$", said, re.MULTILINE)
        assert re.search(rf" ended: .* task={task.id} owner={ada.id} runner=\S+$", said, re.MULTILINE)
        (reference,) = re.findall(r"not valid.* request=(\w+)", said)
    assert reference == refused.headers["x-request-id"]
    told = "\n".join(lines)
    expected = [
        r"INFO app: Taskdeck \d.* serves http://localhost:\d+: (SQLite|PostgreSQL), data in /.*, sandbox \w+",
        r"INFO core\..*: the runner started, with 2 slots",
        rf"INFO core\..*: task {task.id} was claimed after waiting \d",
        rf"INFO core\..*: task {task.id} ended: completed after \d",
        rf"WARNING core\..*: a sign-in to account {ada.id} from this machine was refused",
        r"WARNING core\..*: a sign-in to an unknown account from this machine was refused",
        r"WARNING api\..*: a token that is not valid was refused",
        r"WARNING api\..*: a request to host 'evil.example' was refused: .* TASKDECK_PUBLIC_URL",
        r"INFO core\..*: the runner stopped",
    ]
    assert [line for line in expected if not re.search(line, told)] == [], said
    requests = re.findall(r'INFO uvicorn.access: .*"GET /api/tasks', told)
    assert len(requests) == 2, "one line for each"
    secret = (Path(server.environment["TASKDECK_DATA"]) / "secret").read_text()
    hidden = [PROMPT, TYPED, wrong, ada_token, "a-secret-link", "correct horse", secret]
    assert [word for word in hidden if word in said] == []
    assert "Traceback" not in said

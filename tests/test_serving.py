"""``streamlit run app.py`` and ``uvicorn app:app``, really started."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

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
    assert server.stop() in (0, -signal.SIGTERM)
    assert "Traceback" not in server.said()
    files = [path for path in (tmp_path / "server" / "data").rglob("*") if path.is_file()]
    assert {"taskdeck.db", "secret"} <= {path.name for path in files}
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

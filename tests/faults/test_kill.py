"""The real server, killed in the middle of its work and started again: what it promised stays true."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

ROOT = Path(__file__).parents[2]
LEASE_SECONDS = 2


def free_port() -> int:
    """A port under 32768, out of the range from which the kernel takes ports for connections."""
    for port in range(20_000 + os.getpid() % 10_000, 32_768):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError("no port is free")


def eventually(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true after {seconds} s"
        time.sleep(0.05)


class Server:
    """Taskdeck as it is served, on a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.environment = os.environ | {
            "TASKDECK_DATA": str(folder / "deck"),
            "TASKDECK_AGENTS": str(folder / "agents.toml"),
            "TASKDECK_LEASE": str(LEASE_SECONDS),
            "TASKDECK_CONCURRENCY": "1",
            "PORT": str(self.port),
        }
        self.log = folder / "server.log"
        self.operate(
            "users", "add", "ada", "--email", "ada@example.org", "--password-stdin", stdin="correct horse battery"
        )
        token = self.operate("tokens", "create", "--user", "ada", "--name", "faults").strip()
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api", headers=headers, timeout=10)
        self.process: subprocess.Popen[bytes] | None = None

    def operate(self, *arguments: str, stdin: str = "") -> str:
        command = [sys.executable, "-m", "core", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, input=stdin, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def start(self) -> None:
        command = [sys.executable, "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        eventually(self.is_healthy, 30)

    def is_healthy(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> list[psutil.Process]:
        """End it without any warning; the processes that it had started."""
        assert self.process
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return family

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.http.close()

    def create(self, prompt: str, **fields: str) -> str:
        answer = self.http.post("/tasks", json={"prompt": prompt, "selectedAgent": "data-processor", **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["task"]["id"])

    def task(self, task_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get(f"/tasks/{task_id}").raise_for_status().json()["task"]
        return answer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def large_repository(tmp_path: Path) -> str:
    """A git repository whose data takes many seconds to read, in a folder that agents.toml allows."""
    folder = tmp_path / "repositories" / "large"
    folder.mkdir(parents=True)
    (tmp_path / "agents.toml").write_text(f"[repositories]\nlocal_roots = [{json.dumps(str(folder.parent))}]\n")
    lines = "".join(
        f"{number},region {number % 97},{number * 31 % 10_007}.5,2026-01-{number % 28 + 1:02}\n"
        for number in range(100_000)
    )
    for part in range(12):
        (folder / f"sales-{part:02}.csv").write_text("id,region,amount,day\n" + lines)
    who = {f"GIT_{role}_{key}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "data")):
        subprocess.run(["git", *command], cwd=folder, env=os.environ | who, check=True)
    return str(folder)


def test_a_killed_server_leaves_no_process_no_running_task_and_loses_no_waiting_one(
    server: Server, large_repository: str
) -> None:
    server.start()
    running = server.create("Profile all of it.", repoUrl=large_repository)
    waiting = [server.create(f"Profile the sample, number {number}.") for number in range(3)]
    eventually(lambda: server.task(running)["progress"] >= 30, 30)
    eventually(lambda: any("data_processor" in " ".join(each.cmdline()) for each in family(server)), 5)
    before = server.task(running)
    assert before["status"] == "processing"
    assert [server.task(task_id)["status"] for task_id in waiting] == ["pending"] * 3

    orphans = server.kill()
    assert len(orphans) >= 2  # a supervisor and the agent
    eventually(lambda: not any(is_alive(each) for each in orphans), 5)

    server.start()
    eventually(lambda: server.task(running)["status"] != "processing", LEASE_SECONDS + 5)
    after = server.task(running)
    assert (after["status"], after["end_reason"]) == ("error", "interrupted")
    assert after["progress"] >= before["progress"]
    assert after["logs"][: len(before["logs"])] == before["logs"]
    assert [entry["id"] for entry in after["logs"]] == [str(number) for number in range(1, after["log_count"] + 1)]
    assert after["logs"][-1]["type"] == "error"

    eventually(lambda: all(server.task(task_id)["status"] == "completed" for task_id in waiting), 60)
    assert server.task(running) == after  # it was not run again
    assert not list((Path(server.environment["TASKDECK_DATA"]) / "workspaces").glob("*/*"))


def test_a_server_that_is_told_to_stop_ends_its_task_first_and_quickly(server: Server, large_repository: str) -> None:
    server.start()
    running = server.create("Profile all of it.", repoUrl=large_repository)
    eventually(lambda: server.task(running)["progress"] >= 30, 30)
    began = time.monotonic()
    assert server.process
    children = family(server)
    server.process.terminate()
    server.process.wait(15)
    assert time.monotonic() - began < 10
    assert not any(is_alive(each) for each in children)
    server.start()
    task = server.task(running)
    assert (task["status"], task["end_reason"]) == ("error", "interrupted")
    assert "Taskdeck was stopped while the task ran" in task["error"]


def family(server: Server) -> list[psutil.Process]:
    assert server.process
    return psutil.Process(server.process.pid).children(recursive=True)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

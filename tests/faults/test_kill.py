"""The real server, killed in the middle of its work and started again: what it promised stays true."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import PASSWORD
from tests.server import Server

LEASE_SECONDS = 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    settings = {"TASKDECK_LEASE": str(LEASE_SECONDS), "TASKDECK_CONCURRENCY": "1"}
    made = Server(tmp_path / "server", settings, "uvicorn app:app --host 127.0.0.1 --port {port}")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with server.client(server.add("ada", PASSWORD)) as client:
        yield client


@pytest.fixture
def large_repository(server: Server) -> str:
    """A repository whose data takes many seconds to read."""
    lines = "".join(
        f"{number},region {number % 97},{number * 31 % 10_007}.5,2026-01-{number % 28 + 1:02}\n"
        for number in range(100_000)
    )
    files = {f"sales-{part:02}.csv": "id,region,amount,day\n" + lines for part in range(12)}
    return str(server.repository("large", files))


def create(api: httpx.Client, prompt: str, **fields: str) -> str:
    answer = api.post("/tasks", json={"prompt": prompt, "selectedAgent": "data-processor", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["task"]["id"])


def task(api: httpx.Client, task_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(f"/tasks/{task_id}").raise_for_status().json()["task"]
    return answer


def test_a_killed_server_leaves_no_process_no_running_task_and_loses_no_waiting_one(
    server: Server,
    api: httpx.Client,
    large_repository: str,
    eventually: Callable[..., None],
    is_alive: Callable[[int], bool],
) -> None:
    running = create(api, "Profile all of it.", repoUrl=large_repository)
    waiting = [create(api, f"Profile the sample, number {number}.") for number in range(3)]
    eventually(lambda: task(api, running)["progress"] >= 30, 30)
    eventually(lambda: any("data_processor" in " ".join(each.cmdline()) for each in server.started()), 5)
    before = task(api, running)
    assert before["status"] == "processing"
    assert [task(api, task_id)["status"] for task_id in waiting] == ["pending"] * 3

    orphans = server.kill()
    assert len(orphans) >= 2  # a supervisor and the agent
    eventually(lambda: not any(is_alive(each.pid) for each in orphans), 5)

    server.start()
    eventually(lambda: task(api, running)["status"] != "processing", LEASE_SECONDS + 5)
    after = task(api, running)
    assert (after["status"], after["end_reason"]) == ("error", "interrupted")
    assert after["progress"] >= before["progress"]
    assert after["logs"][: len(before["logs"])] == before["logs"]
    assert [entry["id"] for entry in after["logs"]] == [str(number) for number in range(1, after["log_count"] + 1)]
    assert after["logs"][-1]["type"] == "error"

    eventually(lambda: all(task(api, task_id)["status"] == "completed" for task_id in waiting), 60)
    assert task(api, running) == after  # it was not run again
    left = list((Path(server.environment["TASKDECK_DATA"]) / "workspaces").glob("*"))
    assert left == [], "the killed task left its clone behind"


def test_a_server_that_is_told_to_stop_ends_its_task_first_and_quickly(
    server: Server,
    api: httpx.Client,
    large_repository: str,
    eventually: Callable[..., None],
    is_alive: Callable[[int], bool],
) -> None:
    running = create(api, "Profile all of it.", repoUrl=large_repository)
    eventually(lambda: task(api, running)["progress"] >= 30, 30)
    began = time.monotonic()
    children = server.started()
    server.stop()
    assert time.monotonic() - began < 10
    assert not any(is_alive(each.pid) for each in children)
    server.start()
    ended = task(api, running)
    assert (ended["status"], ended["end_reason"]) == ("error", "interrupted")
    assert "Taskdeck was stopped while the task ran" in ended["error"]

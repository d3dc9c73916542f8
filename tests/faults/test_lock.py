"""Another program holds the database's write lock for a long time: the real server says so, and loses nothing."""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import psutil
import pytest

from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.tasks import commands
from tests.faults.checks import ended, ended_once, left_lying, left_running, whole_log
from tests.support.server import Server
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

Locked = Callable[[], AbstractContextManager[float]]

#: Says a numbered line every 20 ms until the file {path} is there; then how many there were.
TALKER = """
import os, time
number = 0
while not os.path.exists({path!r}):
    print(f"line {{number}}")
    number += 1
    time.sleep(0.02)
print(f"said {{number}}")
"""

LINES = 90_000  # nearly as many as may be kept

#: Says numbered lines of 600 characters as quickly as they are taken: more than is kept in memory.
CHATTY = f"""
for number in range({LINES}):
    print(f"line {{number}} ".ljust(600, "."))
"""


def numbers(actor: Actor, task_id: int) -> list[int]:
    """The numbers of the lines in a task's log."""
    said = (entry.message for entry in whole_log(actor, task_id))
    return [int(message.split()[1]) for message in said if message.startswith("line ")]


@pytest.mark.fault(
    "the database is locked by another program for 40 s; a task runs with a lease of 5 s",
    "POST answers 503 with Retry-After within 6 s, reads answer, health says degraded; the task's processes are dead "
    "by the lease's end and it ends once as interrupted; what waits runs afterwards",
)
def test_a_lock_longer_than_the_lease_ends_the_work_in_time_and_refuses_writes_politely(
    serve: Callable[..., Server],
    world: World,
    locked: Locked,
    ada: Actor,
    ada_token: str,
    data: Path,
    tmp_path: Path,
    measured: Callable[[str], None],
) -> None:
    talker = world.script_agent("talker", TALKER.format(path=str(tmp_path / "go")))
    server = serve(concurrency=1, lease=5)
    running, waiting = (commands.create(ada, prompt=name, agent=talker).id for name in ("running", "waiting"))
    eventually(lambda: numbers(ada, running))
    posts: list[float] = []
    dead = 0.0
    with locked() as since, server.client(ada_token) as api:
        while time.monotonic() < since + 40:
            asked = time.monotonic()
            answer = api.post("/tasks", json={"prompt": "refused", "selectedAgent": talker})
            posts.append(time.monotonic() - asked)
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.json().keys() == {"error"}
            if not dead and not left_running(data):
                dead = time.monotonic() - since
            asked = time.monotonic()
            for path in ("/tasks", f"/tasks/{running}", f"/tasks/{running}/logs", "/agents"):
                assert api.get(path).status_code == 200, path
            health = api.get("/health")
            assert (health.status_code, health.json()["status"]) == (503, "degraded")
            assert api.get("/health?live=true").status_code == 200
            assert httpx.get(server.url).status_code == 200
            assert time.monotonic() - asked < 3
            assert not left_running(data) or time.monotonic() < since + 5 + 2
            assert commands.find(ada, running).end_reason is None  # nobody can have written it
        (tmp_path / "go").touch()
    freed = time.monotonic()
    eventually(lambda: commands.find(ada, running).status is TaskStatus.ERROR, 10)
    took = time.monotonic() - freed
    measured(
        f"503 after {statistics.median(posts):.1f} s, processes dead {dead:.1f} s after the lock began, "
        f"end written {took:.1f} s after it ended"
    )
    assert statistics.median(posts) < 6
    assert max(posts) < 8, "a busy machine may add to one"
    eventually(lambda: ended(ada, [waiting]), 10)
    task = ended_once(ada, running)
    assert (task.end_reason, task.attempt) == (EndReason.INTERRUPTED, 1)
    assert numbers(ada, running) == list(range(len(numbers(ada, running))))
    assert ended_once(ada, waiting).end_reason is EndReason.COMPLETED
    with server.client(ada_token) as api:
        eventually(lambda: api.get("/health").json()["status"] == "ok", 5)
        assert {each["prompt"] for each in api.get("/tasks").json()["tasks"]} == {"running", "waiting"}
    eventually(lambda: (left_running(data), left_lying(data)) == ([], []), 2)
    assert "Traceback" not in server.said()


@pytest.mark.fault(
    "the database is locked by another program for 40 s; a task runs with a lease of 120 s",
    "the task is completed with every line, in order, without gap or duplicate",
)
def test_a_lock_shorter_than_the_lease_costs_nothing(
    serve: Callable[..., Server],
    world: World,
    locked: Locked,
    ada: Actor,
    tmp_path: Path,
    measured: Callable[[str], None],
) -> None:
    talker = world.script_agent("talker", TALKER.format(path=str(tmp_path / "go")))
    serve(concurrency=1, lease=120)
    running = commands.create(ada, prompt="x", agent=talker).id
    eventually(lambda: numbers(ada, running))
    with locked() as since:
        while time.monotonic() < since + 40:
            time.sleep(0.5)
        before = len(numbers(ada, running))
    (tmp_path / "go").touch()
    eventually(lambda: ended(ada, [running]), 15)
    assert ended_once(ada, running).end_reason is EndReason.COMPLETED
    found = numbers(ada, running)
    assert found == list(range(len(found)))
    assert whole_log(ada, running)[-2].message == f"said {len(found)}"
    measured(f"{len(found):,} lines, {len(found) - before:,} of them held back by the lock")


@pytest.mark.fault(
    "the database is locked by another program for 60 s; an agent says 50 MB meanwhile",
    "no accepted entry is lost, the agent waits when 32 MB wait, memory grows by less than 150 MB, task completed",
)
def test_a_chatty_agent_waits_for_the_database_and_loses_nothing(
    serve: Callable[..., Server], world: World, locked: Locked, ada: Actor, measured: Callable[[str], None]
) -> None:
    chatty = world.script_agent("chatty", CHATTY)
    server = serve(concurrency=1, lease=120, log_lines=100_000)
    process = psutil.Process(server.process.pid)
    running = commands.create(ada, prompt="x", agent=chatty).id
    eventually(lambda: numbers(ada, running))
    before = highest = process.memory_info().rss
    with locked() as since:
        while time.monotonic() < since + 60:
            highest = max(highest, process.memory_info().rss)
            time.sleep(0.2)
        assert len(server.started()) == 2, "the agent did not have to wait"
        written = len(numbers(ada, running))
    freed = time.monotonic()
    while not ended(ada, [running]):
        highest = max(highest, process.memory_info().rss)
        assert time.monotonic() < freed + 60
        time.sleep(0.1)
    growth = (highest - before) / 2**20
    measured(f"{LINES - written:,} lines written in {time.monotonic() - freed:.1f} s afterwards, +{growth:.0f} MB")
    assert ended_once(ada, running).end_reason is EndReason.COMPLETED
    assert numbers(ada, running) == list(range(LINES))
    assert growth < 150

"""Another program holds the database's write lock for a long time: the real server says so, and loses nothing."""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import psutil
import pytest

from core.database.models import EndReason, TaskStatus
from tests.faults.scene import TALKER, Scene
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

Locked = Callable[[], AbstractContextManager[float]]

LINES = 90_000  # nearly as many as may be kept

#: Says numbered lines of 600 characters as quickly as they are taken: more than is kept in memory.
CHATTY = f"""
for number in range({LINES}):
    print(f"line {{number}} ".ljust(600, "."))
"""


@pytest.mark.fault(
    "the database is locked by another program for 40 s; a task runs with a lease of 5 s",
    "POST answers 503 with Retry-After within 6 s, reads answer, health says degraded; the task's processes are dead "
    "by the lease's end and it ends once as interrupted; what waits runs afterwards",
)
def test_a_lock_longer_than_the_lease_ends_the_work_and_refuses(scene: Scene, locked: Locked, ada_token: str) -> None:
    talker, server = scene.agent("talker", TALKER), scene.serve(concurrency=1, lease=5)
    running, waiting = (scene.create(talker, name) for name in ("running", "waiting"))
    eventually(lambda: scene.lines(running))
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
            if not dead and not scene.running():
                dead = time.monotonic() - since
            asked = time.monotonic()
            for path in ("/tasks", f"/tasks/{running}", f"/tasks/{running}/logs", "/agents"):
                assert api.get(path).status_code == 200, path
            health = api.get("/health")
            assert (health.status_code, health.json()["status"]) == (503, "degraded")
            assert (api.get("/health?live=true").status_code, httpx.get(server.url).status_code) == (200, 200)
            assert time.monotonic() - asked < 3 and (not scene.running() or time.monotonic() < since + 5 + 2)
            assert scene.find(running).end_reason is None  # nobody can have written it
        scene.go()
    freed = time.monotonic()
    eventually(lambda: scene.status(running) is TaskStatus.ERROR, 10)
    took = time.monotonic() - freed
    scene.measured(
        f"503 after {statistics.median(posts):.1f} s, processes dead {dead:.1f} s after the lock began, "
        f"end written {took:.1f} s after it ended"
    )
    assert statistics.median(posts) < 6
    assert max(posts) < 8, "a busy machine may add to one"
    eventually(lambda: scene.ended(waiting), 10)
    task = scene.ended_once(running)
    assert (task.end_reason, task.attempt) == (EndReason.INTERRUPTED, 1)
    assert scene.lines(running) == list(range(len(scene.lines(running))))
    assert scene.ended_once(waiting).end_reason is EndReason.COMPLETED
    with server.client(ada_token) as api:
        eventually(lambda: api.get("/health").json()["status"] == "ok", 5)
        assert {each["prompt"] for each in api.get("/tasks").json()["tasks"]} == {"running", "waiting"}
    scene.cleared(running, waiting)
    assert "Traceback" not in server.said()


@pytest.mark.fault(
    "the database is locked by another program for 40 s; a task runs with a lease of 120 s",
    "the task is completed with every line, in order, without gap or duplicate",
)
def test_a_lock_shorter_than_the_lease_costs_nothing(scene: Scene, locked: Locked) -> None:
    talker = scene.agent("talker", TALKER)
    scene.serve(concurrency=1, lease=120)
    running = scene.create(talker)
    eventually(lambda: scene.lines(running))
    with locked() as since:
        while time.monotonic() < since + 40:
            time.sleep(0.5)
        before = len(scene.lines(running))
    scene.go()
    eventually(lambda: scene.ended(running), 15)
    assert scene.ended_once(running).end_reason is EndReason.COMPLETED
    found = scene.lines(running)
    assert found == list(range(len(found)))
    assert f"said {len(found)}" in scene.said(running)
    scene.measured(f"{len(found):,} lines, {len(found) - before:,} of them held back by the lock")


@pytest.mark.fault(
    "the database is locked by another program for 60 s; an agent says 50 MB meanwhile",
    "no accepted entry is lost, the agent waits when 32 MB wait, memory grows by less than 150 MB, task completed",
)
def test_a_chatty_agent_waits_for_the_database_and_loses_nothing(scene: Scene, locked: Locked) -> None:
    chatty = scene.world.script_agent("chatty", CHATTY)
    server = scene.serve(concurrency=1, lease=120, log_lines=100_000)
    process, running = psutil.Process(server.process.pid), scene.create(chatty)
    eventually(lambda: scene.lines(running))
    before = highest = process.memory_info().rss
    with locked() as since:
        while time.monotonic() < since + 60:
            highest = max(highest, process.memory_info().rss)
            time.sleep(0.2)
        assert len(server.started()) == 2, "the agent did not have to wait"
        written = len(scene.lines(running))
    freed = time.monotonic()
    while not scene.ended(running):
        highest = max(highest, process.memory_info().rss)
        assert time.monotonic() < freed + 60
        time.sleep(0.1)
    growth, took = (highest - before) / 2**20, time.monotonic() - freed
    scene.measured(f"{LINES - written:,} lines written in {took:.1f} s afterwards, +{growth:.0f} MB")
    assert (scene.ended_once(running).end_reason, scene.lines(running)) == (EndReason.COMPLETED, list(range(LINES)))
    assert growth < 150

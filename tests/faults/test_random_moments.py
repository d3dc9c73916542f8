"""Cancels and deletions at moments that nobody chose: before, while and after a task runs, and on its edges."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import func, select

from core.database.models import Artifact, EndReason, Task, TaskLog
from tests.faults.scene import Scene
from tests.support.databases import unguarded
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


CANCELS, DELETIONS = 200, 50
SLOTS, CLIENTS = 4, 5  # one more, so that some tasks are still waiting

#: Says some lines, for as many seconds as its prompt says, and leaves a file.
TIMED = """
import sys, time
seconds = float(sys.stdin.read())
for number in range(10):
    print("line", number)
    time.sleep(seconds / 10)
open(sys.argv[1] + "/report.md", "w").write("# Done")
"""


@pytest.fixture
def chosen() -> random.Random:
    """Chooses the moments; its seed is printed if the test fails."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    return random.Random(seed)  # noqa: S311


def create(api: httpx.Client, agent: str, seconds: float) -> int:
    answer = api.post("/tasks", json={"prompt": str(seconds), "selectedAgent": agent}).raise_for_status()
    return int(answer.json()["task"]["id"])


def pause(seconds: float) -> None:
    """Sleep, a little at a time."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.5))


@pytest.mark.fault(
    f"cancel at {CANCELS} random moments",
    "each task ends exactly once, the answer agrees with the log, no entry after the end, no process, no file",
)
def test_a_cancel_at_any_moment_leads_to_exactly_one_end(scene: Scene, chosen: random.Random, ada_token: str) -> None:
    timed, server = scene.agent("timed", TIMED), scene.serve(concurrency=SLOTS)
    moments = [(chosen.uniform(0, 1.5), chosen.random() < 0.7, chosen.uniform(0, 1.5)) for _ in range(CANCELS)]

    def one(moment: tuple[float, bool, float]) -> tuple[int, int]:
        lasts, begun, wait = moment
        task_id = create(api, timed, lasts)
        if begun:
            eventually(lambda: scene.find(task_id).started_at)
        pause(wait if begun else wait / 10)
        return task_id, api.post(f"/tasks/{task_id}/cancel").status_code

    with server.client(ada_token) as api, ThreadPoolExecutor(CLIENTS) as pool:
        answers = dict(pool.map(one, moments))
    assert len(answers) == CANCELS
    eventually(lambda: scene.ended(*answers), 20)
    logs = {task_id: [(entry.seq, entry.message) for entry in scene.log(task_id)] for task_id in answers}
    outcomes: Counter[str] = Counter()
    for task_id, status in answers.items():
        task = scene.ended_once(task_id)
        asked = [message for _, message in logs[task_id]].count("Stop requested by Ada.")
        assert status in (200, 409)
        assert asked == (status == 200), "the answer and the log disagree"
        assert task.end_reason in ((EndReason.CANCELLED, EndReason.COMPLETED) if asked else (EndReason.COMPLETED,))
        outcomes["never began" if task.started_at is None else f"{status} {task.end_reason}"] += 1
    eventually(lambda: not scene.running(), 5)
    completed = [task_id for task_id in answers if scene.find(task_id).end_reason is EndReason.COMPLETED]
    eventually(lambda: scene.lying(completed) == [], 5)
    for task_id in answers:
        assert [(entry.seq, entry.message) for entry in scene.log(task_id)] == logs[task_id], "an entry came late"
    assert min(outcomes[each] for each in ("never began", "200 cancelled", "409 completed")) >= 5, outcomes
    scene.measured(", ".join(f"{number} {what}" for what, number in sorted(outcomes.items())))
    assert "Traceback" not in server.said()


@pytest.mark.fault(
    f"deletion at {DELETIONS} random moments of a run", "no row, no entry, no file and no process is left"
)
def test_a_deletion_at_any_moment_leaves_nothing(scene: Scene, chosen: random.Random, ada_token: str) -> None:
    timed, server = scene.agent("timed", TIMED), scene.serve(concurrency=SLOTS)
    waits = [chosen.uniform(0, 0.5) for _ in range(DELETIONS)]

    def one(wait: float) -> tuple[int, str]:
        task_id = create(api, timed, 0.2)
        eventually(lambda: scene.find(task_id).started_at)
        pause(wait)
        before = scene.find(task_id).status
        assert (api.delete(f"/tasks/{task_id}").status_code, api.get(f"/tasks/{task_id}").status_code) == (200, 404)
        return task_id, before

    with server.client(ada_token) as api, ThreadPoolExecutor(SLOTS) as pool:
        deleted = dict(pool.map(one, waits))
    assert len(deleted) == DELETIONS
    begun = time.monotonic()
    eventually(lambda: not scene.running(), 5)
    eventually(lambda: scene.lying() == [], 5)
    cleared = time.monotonic() - begun
    with unguarded() as session:
        counts = [session.scalar(select(func.count()).select_from(table)) for table in (Task, TaskLog, Artifact)]
    assert counts == [0, 0, 0]
    states = Counter(deleted.values())
    assert states["processing"] >= DELETIONS / 5, f"too few were running: {states}"
    scene.measured(f"{states['processing']} while running; the last one's remains gone after {cleared:.1f} s")
    assert "Traceback" not in server.said()

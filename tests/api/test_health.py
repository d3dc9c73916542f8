"""GET /api/health: whether the server can do its work, for whoever asks."""

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from anyio import to_thread
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI

from core import __version__
from core.config import settings
from core.database import engine
from core.database.ownership import Actor
from core.runner import claims
from core.runner.scheduler import STALLED_SECONDS, Scheduler
from tests.api.calls import NEW, Caller, sentence
from tests.api.conftest import MakeTask
from tests.support.waiting import eventually
from tests.support.world import World


@pytest.fixture
def scheduler(api: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    """The scheduler as app.py hands it to the API; not started."""
    made = Scheduler(settings())
    monkeypatch.setitem(api.state._state, "scheduler", made)
    yield made
    if made.since_sweep is not None:
        made.stop()


def degraded(answer: httpx.Response) -> dict[str, object]:
    """What a 503 of health says beside its error."""
    assert answer.status_code == 503, answer.text
    assert 0 < int(answer.headers["retry-after"]) <= 60
    known: dict[str, object] = answer.json()
    said = known.pop("error")
    assert sentence(httpx.Response(503, json={"error": said}))
    assert (known.pop("status"), known.pop("version")) == ("degraded", __version__)
    assert known.pop("sandbox")
    return known


def test_an_idle_server_is_ok_and_needs_no_identity(anybody: Caller) -> None:
    answer = anybody.having(Authorization="Bearer tsk_nobody").get("/health")
    idle = {"pending": 0, "oldest_pending_seconds": 0.0, "runners": []}
    known = answer.json()
    assert known.pop("sandbox")["state"] == "bwrap"
    assert (answer.status_code, known) == (200, {"status": "ok", "version": __version__} | idle)


def test_how_tasks_are_boxed_is_said_and_why_if_they_are_not(
    anybody: Caller, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    boxed = anybody.get("/health").json()["sandbox"]
    assert boxed.pop("memory") in ("cgroup", "watch")
    assert boxed == {"state": "bwrap"}
    world.settle(TASKDECK_SANDBOX="none")
    off = anybody.get("/health").json()["sandbox"]
    assert (off["state"], off["reason"]) == ("none", "TASKDECK_SANDBOX is none")
    world.settle(TASKDECK_SANDBOX=None)
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = anybody.get("/health").json()["sandbox"]
    assert missing["state"] == "unavailable"
    assert missing["reason"] == "bubblewrap is not installed (apt install bubblewrap)"


def test_what_waits_and_who_works_is_said_of_everybodys_tasks_and_of_nobody(
    anybody: Caller, bob: Actor, running: claims.Claim, mine: MakeTask, make_task: MakeTask
) -> None:
    mine(created_at=engine.now() - timedelta(seconds=90), prompt="our secret plan"), make_task(bob)
    answer = anybody.get("/health")
    known = answer.json()
    assert (answer.status_code, known["status"], known["pending"]) == (200, "ok", 2)
    assert 90 <= known["oldest_pending_seconds"] < 120
    (runner,) = known["runners"]
    assert (runner["name"], runner["tasks"]) == ("runner", 1) and 0 < runner["lease_seconds"] <= 30
    assert not [word for word in ("secret", "ada", "count", "example.org") if word in answer.text.lower()]


def test_a_server_with_a_scheduler_says_how_busy_it_is_and_when_it_last_looked(
    anybody: Caller, scheduler: Scheduler
) -> None:
    before = anybody.get("/health").json()
    assert (before["status"], before["slots"], before["busy"]) == ("ok", settings().concurrency, 0)
    assert "last_sweep_seconds" not in before
    scheduler.start()
    eventually(lambda: scheduler.since_sweep is not None)
    assert 0 <= anybody.get("/health").json()["last_sweep_seconds"] < 10


def test_a_scheduler_that_cannot_reach_the_database_is_degraded_though_it_can_be_read(
    anybody: Caller, scheduler: Scheduler, mine: MakeTask
) -> None:
    mine()
    scheduler.away = True
    known = degraded(anybody.get("/health"))
    assert (known["pending"], known["slots"]) == (1, settings().concurrency)
    scheduler.away = False
    assert anybody.get("/health").json()["status"] == "ok"


@pytest.mark.usefixtures("sqlite_file")  # PostgreSQL has no lock that all writers need
def test_an_idle_server_is_degraded_while_nothing_can_be_written(
    anybody: Caller, scheduler: Scheduler, request: pytest.FixtureRequest
) -> None:
    scheduler.start()
    eventually(lambda: scheduler.since_sweep is not None)
    request.getfixturevalue("locked")
    eventually(lambda: anybody.get("/health").status_code == 503)
    for _ in range(3):  # and stays so, it is no flicker between two looks
        degraded(anybody.get("/health"))
        time.sleep(0.4)


def test_the_live_check_asks_neither_the_database_nor_the_scheduler(
    anybody: Caller, scheduler: Scheduler, away: None, tmp_path: Path
) -> None:
    scheduler.away = True
    answer = anybody.get("/health?live=true")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": __version__})
    answer = anybody.get("/health?live=false")
    assert degraded(answer) == {"slots": settings().concurrency, "busy": 0} and str(tmp_path) not in answer.text
    answer = anybody.get("/health?live=perhaps")
    assert answer.status_code == 400 and sentence(answer).startswith("live: ")


def test_head_answers_with_the_status_and_no_body(url: str, request: pytest.FixtureRequest) -> None:
    for path in ("/health", "/health?live=true"):
        answer = httpx.head(url + path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "application/json"
    request.getfixturevalue("away")
    answer = httpx.head(f"{url}/health")
    assert (answer.status_code, answer.content) == (503, b"")
    assert int(answer.headers["retry-after"]) > 0
    assert httpx.head(f"{url}/health?live=true").status_code == 200


def test_health_answers_while_every_thread_waits_for_another_writer(
    by_ada: Caller, portal: BlockingPortal, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert by_ada.get("/tasks").status_code == 200  # the token's use of this minute is written down
    request.getfixturevalue("locked")
    monkeypatch.setattr(engine, "LOCK_WAIT", 2.0)
    threads = portal.call(to_thread.current_default_thread_limiter)
    monkeypatch.setattr(threads, "total_tokens", 2)
    write = partial(by_ada._call, "POST", "/tasks", by_ada.headers, json=NEW)
    writers = [portal.start_task_soon(write) for _ in range(2)]
    while threads.borrowed_tokens < 2:
        time.sleep(0.01)
    time.sleep(0.2)  # past the reading of the token: both wait for the lock
    begun = time.monotonic()
    assert by_ada.get("/health").status_code == by_ada.get("/health?live=true").status_code == 200
    assert time.monotonic() - begun < engine.LOCK_WAIT
    assert not [writer for writer in writers if writer.done()]
    assert [writer.result(10).status_code for writer in writers] == [503, 503]


def test_a_scheduler_that_looks_no_more_is_degraded(anybody: Caller, scheduler: Scheduler) -> None:
    scheduler._swept_at = 1_000.0
    for now, status in ((1_000.0, 200), (1_001.0 + STALLED_SECONDS, 503)):
        scheduler._monotonic = lambda now=now: now
        answer = anybody.get("/health")
        assert answer.status_code == status
    assert answer.json()["status"] == "degraded"
    assert answer.json()["error"] == "Taskdeck has not looked for waiting tasks for 16 s; restart the server."
    scheduler._swept_at = None  # it never began

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from core import __version__, config, db
from core.models import Task, TaskLog
from core.ownership import Actor
from tests.api.calls import Caller, rows, sentence
from tests.api.conftest import MakeTask

NAMES = {"claude", "codex", "code-review", "data-processor", "deployment-bot", "shell"}


def test_every_agent_is_listed_and_one_that_cannot_run_says_why_in_a_sentence(by_ada: Caller) -> None:
    answer = by_ada.get("/agents")
    assert answer.status_code == 200 and set(answer.json()) == {"agents"}
    listed = {agent["name"]: agent for agent in answer.json()["agents"]}
    assert set(listed) == NAMES and len(answer.json()["agents"]) == len(NAMES)
    for name, agent in listed.items():
        assert set(agent) == {"name", "title", "summary", "models", "default", "available", "reason"}
        assert agent["default"] is (name == "claude")
        if agent["available"]:
            assert agent["reason"] is None
        else:
            assert agent["reason"].startswith(f"{name} is not set up: ") and agent["reason"].endswith(".")
    assert listed["data-processor"]["available"] is True


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_task_is_accepted_for_every_listed_agent(by_ada: Caller, name: str) -> None:
    answer = by_ada.post("/tasks", json={"prompt": "Count", "selectedAgent": name})
    assert (answer.status_code, answer.json()["task"]["selected_agent"]) == (201, name)


def test_health_needs_no_identity(anybody: Caller) -> None:
    answer = anybody.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": __version__})


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the configured database is a folder, which nothing can open as one."""
    db.engine().dispose()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}")
    config.settings.cache_clear()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/tasks"), ("POST", "/tasks"), ("DELETE", "/tasks/1"), ("GET", "/tasks/1/logs"), ("GET", "/agents")),
        *(("GET", "/tasks/1/artifacts/"), ("DELETE", "/tasks?action=failed"), ("GET", "/health")),
    ],
)
def test_a_database_that_is_away_is_a_503_that_says_when_to_try_again(
    by_ada: Caller, away: None, method: str, path: str, tmp_path: Path
) -> None:
    answer = by_ada.call(method, path, json={"prompt": "Count"})
    assert answer.status_code == 503
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert str(tmp_path) not in sentence(answer)


@pytest.fixture
def locked(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another process holds the database's write lock, and nobody waits long for it."""
    monkeypatch.setattr(db, "LOCK_WAIT", 0.05)
    db.engine().dispose()
    with closing(sqlite3.connect(data / "taskdeck.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    db.engine().dispose()


@pytest.mark.parametrize("call", ["create", "delete", "clear"])
def test_a_locked_database_is_a_503_and_nothing_is_half_written(
    by_ada: Caller, ada: Actor, make_task: MakeTask, request: pytest.FixtureRequest, call: str
) -> None:
    number = make_task(ada, "completed", entries=3)
    assert by_ada.get("/tasks").status_code == 200
    request.getfixturevalue("locked")
    made = {
        "create": lambda: by_ada.post("/tasks", json={"prompt": "Count"}),
        "delete": lambda: by_ada.delete(f"/tasks/{number}"),
        "clear": lambda: by_ada.delete("/tasks?action=completed"),
    }[call]()
    assert made.status_code == 503 and int(made.headers["retry-after"]) > 0
    assert sentence(made)
    assert (rows(Task), rows(TaskLog)) == (1, 3)


def test_reading_goes_on_while_the_database_is_locked(
    by_ada: Caller, by_cookie: Caller, ada: Actor, make_task: MakeTask, request: pytest.FixtureRequest
) -> None:
    number = make_task(ada, entries=3)
    assert by_ada.get("/tasks").status_code == 200  # the token's use of this minute is written down
    request.getfixturevalue("locked")
    for caller in (by_cookie, by_ada):
        for path in ("/tasks", f"/tasks/{number}", f"/tasks/{number}/logs", "/agents", "/health"):
            assert caller.get(path).status_code == 200


def test_the_first_reading_of_a_token_does_not_wait_for_a_writer(
    by_ada: Caller, ada: Actor, make_task: MakeTask, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_task(ada)
    request.getfixturevalue("locked")
    monkeypatch.setattr(db, "LOCK_WAIT", 1.5)
    sent: list[float] = []

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            sent.append(time.monotonic())
            await send(message)

        await by_ada.app(scope, receive, note)

    begun = time.monotonic()
    assert replace(by_ada, app=timed).get("/tasks").status_code == 200
    assert sent[-1] - begun < 1

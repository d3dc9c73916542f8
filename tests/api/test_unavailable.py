"""A database that is away, or locked: a 503 that says when to try again, and nothing half-written."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from core.database import engine
from core.database.ownership import Actor
from tests.api.calls import Caller, sentence, stored
from tests.api.conftest import MakeTask


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/tasks"), ("POST", "/tasks"), ("DELETE", "/tasks/1"), ("GET", "/tasks/1/logs"), ("GET", "/agents")),
        *(("GET", "/tasks/1/artifacts/"), ("DELETE", "/tasks?action=failed"), ("GET", "/metrics")),
        *(
            ("POST", "/tasks/1/cancel"),
            ("POST", "/tasks/1/extend"),
            ("POST", "/tasks/1/rerun"),
            ("GET", "/tasks/1/events"),
        ),
    ],
)
def test_a_database_that_is_away_is_a_503_that_says_when_to_try_again(
    by_ada: Caller, away: None, method: str, path: str, tmp_path: Path
) -> None:
    answer = by_ada.call(method, path, json={"prompt": "Count"})
    assert answer.status_code == 503
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert str(tmp_path) not in sentence(answer)


@pytest.mark.parametrize("call", ["create", "delete", "clear", "cancel", "extend", "rerun"])
def test_a_locked_database_is_a_503_and_nothing_is_half_written(
    by_ada: Caller, ada: Actor, make_task: MakeTask, request: pytest.FixtureRequest, call: str
) -> None:
    number = make_task(ada, "completed" if call in ("delete", "clear") else "pending", entries=3)
    assert by_ada.get("/tasks").status_code == 200
    before = stored()
    request.getfixturevalue("locked")
    made = {
        "create": lambda: by_ada.post("/tasks", json={"prompt": "Count"}),
        "delete": lambda: by_ada.delete(f"/tasks/{number}"),
        "clear": lambda: by_ada.delete("/tasks?action=completed"),
    }.get(call, lambda: by_ada.post(f"/tasks/{number}/{call}"))()
    assert made.status_code == 503 and int(made.headers["retry-after"]) > 0
    assert sentence(made)
    assert stored() == before


def test_reading_goes_on_while_the_database_is_locked(
    by_ada: Caller, by_cookie: Caller, ada: Actor, make_task: MakeTask, request: pytest.FixtureRequest
) -> None:
    number = make_task(ada, "completed", entries=3)
    assert by_ada.get("/tasks").status_code == 200  # the token's use of this minute is written down
    request.getfixturevalue("locked")
    for caller in (by_cookie, by_ada):
        tasks = ("/tasks", *(f"/tasks/{number}{part}" for part in ("", "/logs", "/events")))
        for path in (*tasks, "/agents", "/health", "/metrics"):
            assert caller.get(path).status_code == 200


def test_the_first_reading_of_a_token_does_not_wait_for_a_writer(
    by_ada: Caller, ada: Actor, make_task: MakeTask, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_task(ada)
    request.getfixturevalue("locked")
    monkeypatch.setattr(engine, "LOCK_WAIT", 1.5)
    sent: list[float] = []

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            sent.append(time.monotonic())
            await send(message)

        await by_ada.app(scope, receive, note)

    begun = time.monotonic()
    assert replace(by_ada, app=timed).get("/tasks").status_code == 200
    assert sent[-1] - begun < 1

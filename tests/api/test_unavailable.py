"""A database that is away, or locked: a 503 that says when to try again, and nothing half-written."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from starlette.types import Message, Receive, Scope, Send

from core.identity import tokens
from tests.api.calls import Caller, sentence, stored
from tests.api.conftest import MakeTask


def test_a_database_that_is_away_is_a_503_that_says_when_to_try_again(
    by_ada: Caller, away: None, tmp_path: Path
) -> None:
    for method, path in (
        *(("GET", "/tasks"), ("POST", "/tasks"), ("DELETE", "/tasks/1"), ("GET", "/tasks/1/logs"), ("GET", "/agents")),
        *(("GET", "/tasks/1/artifacts/"), ("DELETE", "/tasks?action=failed"), ("GET", "/metrics")),
        *(("POST", f"/tasks/1/{word}") for word in ("cancel", "extend", "rerun")),
        ("GET", "/tasks/1/events"),
    ):
        answer = by_ada.call(method, path, json={"prompt": "Count"})
        assert answer.status_code == 503, path
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert str(tmp_path) not in sentence(answer)


def test_a_locked_database_is_a_503_and_nothing_is_half_written(
    by_ada: Caller, mine: MakeTask, request: pytest.FixtureRequest
) -> None:
    ended, waiting = mine("completed", entries=3), mine(entries=3)
    assert by_ada.get("/tasks").status_code == 200
    before = stored()
    request.getfixturevalue("locked")
    for method, path in (
        *(("POST", "/tasks"), ("DELETE", f"/tasks/{ended}"), ("DELETE", "/tasks?action=completed")),
        *(("POST", f"/tasks/{waiting}/{word}") for word in ("cancel", "extend", "rerun")),
    ):
        answer = by_ada.call(method, path, json={"prompt": "Count"})
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0, path
        assert sentence(answer)
    assert stored() == before


def test_reading_goes_on_while_the_database_is_locked(
    by_ada: Caller, by_cookie: Caller, mine: MakeTask, request: pytest.FixtureRequest
) -> None:
    number = mine("completed", entries=3)
    assert by_ada.get("/tasks").status_code == 200  # the token's use of this minute is written down
    request.getfixturevalue("locked")
    for caller in (by_cookie, by_ada):
        tasks = ("/tasks", *(f"/tasks/{number}{part}" for part in ("", "/logs", "/events")))
        for path in (*tasks, "/agents", "/health", "/metrics"):
            assert caller.get(path).status_code == 200


def test_the_first_reading_of_a_token_does_not_wait_for_a_writer(
    by_ada: Caller, locked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def note_use(token_id: UUID) -> None:
        order.append("its use is noted")
        known(token_id)

    async def observed(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            order.append("answered")
            await send(message)

        await by_ada.app(scope, receive, send_on)

    known = tokens.note_use
    monkeypatch.setattr(tokens, "note_use", note_use)
    assert replace(by_ada, app=observed).get("/tasks").status_code == 200
    assert order[-1] == "its use is noted" and order.count("answered") > 1

"""GET /api/tasks/{id}/events: what a stream says, from where, and to whom."""

from typing import Any

import httpx
import pytest

from core.database import engine
from core.database.models import EndReason
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Entry
from tests.api.calls import TASK_FIELDS, Caller, sentence, stored
from tests.api.conftest import MakeTask
from tests.api.streams import Event, Opened, events, until


def read(by: Caller, task_id: int, **given: Any) -> list[Event]:
    """The whole stream of a task that has ended."""
    return list(events(by.get(f"/tasks/{task_id}/events", **given)))


def ids(found: list[Event]) -> list[int]:
    return [int(event.id or 0) for event in found if event.name == "entry"]


def test_the_stream_of_an_ended_task_is_its_log_its_state_and_the_end(by_ada: Caller, mine: MakeTask) -> None:
    number = mine("error", entries=3, end_reason=EndReason.TIMED_OUT, error="Too slow.")
    found = read(by_ada, number)
    assert [event.name for event in found] == ["entry", "entry", "entry", "task", "end"]
    assert [event.data for event in found[:3]] == by_ada.get(f"/tasks/{number}/logs").json()["logs"]
    assert [event.id for event in found] == ["1", "2", "3", None, None]
    task = by_ada.get(f"/tasks/{number}").json()["task"]
    assert found[3].data == {name: task[name] for name in TASK_FIELDS - {"logs"}}
    assert found[4].data == {"reason": "timed_out"}


def test_a_stream_goes_on_behind_the_last_event_that_came(by_ada: Caller, mine: MakeTask) -> None:
    number = mine("completed", entries=5)
    nonsense = ("", "abc", "-1", "+3", "1.5", "0x3", "1e3", "3,4", b"\xb2", b"\xff\xfe", "٣".encode(), b"null")
    for last, asked, first in (
        *((None, "", 1), (None, "?after=0", 1), (None, "?after=3", 4), (None, "?after=5", 6)),
        *(("3", "", 4), ("3", "?after=1", 4), ("0", "?after=4", 1)),
        *((text, "?after=2", 3) for text in nonsense),
        *(("9" * digits, "", 1) for digits in (30, 4_301, 20_000)),  # more digits than an id can have
    ):
        headers = {} if last is None else {"Last-Event-ID": last}
        answer = by_ada.get(f"/tasks/{number}/events{asked}", headers=headers)
        assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
        assert "no-store" in answer.headers["cache-control"] or "no-cache" in answer.headers["cache-control"]
        assert answer.headers["x-accel-buffering"] == "no"
        found = list(events(answer))
        assert ids(found) == list(range(first, 6)), (last, asked)
        assert [event.name for event in found[-2:]] == ["task", "end"]
    for last in ("5", "99"):
        answer = by_ada.get(f"/tasks/{number}/events", headers={"Last-Event-ID": last})
        assert (answer.status_code, answer.content) == (204, b""), "who has it all is told to ask no more"


def test_what_is_refused_is_refused_whole_before_any_stream(
    url: str, ada_token: str, bob_token: str, mine: MakeTask, request: pytest.FixtureRequest
) -> None:
    number = mine(entries=2)
    before = stored()
    by_bob, by_ada = ({"Authorization": f"Bearer {token}"} for token in (bob_token, ada_token))
    with httpx.Client(base_url=f"{url}/tasks", timeout=10) as client:
        theirs, absent = (client.get(f"/{task}/events", headers=by_bob) for task in (number, 987654))
        assert (theirs.status_code, theirs.content) == (absent.status_code, absent.content)
        assert (theirs.status_code, sentence(theirs)) == (404, "There is no such task.")
        assert theirs.headers["content-length"] == absent.headers["content-length"]
        for headers in ({}, {"Authorization": "Bearer tsk_nobody"}):
            answer = client.get(f"/{number}/events", headers=headers)
            assert answer.status_code == 401 and sentence(answer)
        answer = client.get(f"/{number}/events?after=-1", headers=by_ada)
        assert answer.status_code == 400 and sentence(answer)
        assert client.get(f"/{number}/events", headers=by_bob | {"Last-Event-ID": "1"}).content == absent.content
    assert stored() == before
    request.getfixturevalue("away")
    answer = httpx.get(f"{url}/tasks/{number}/events", headers=by_ada)
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
    assert sentence(answer)


def test_the_cookie_alone_opens_a_stream_as_an_eventsource_does(opened: Opened, cookie: str, mine: MakeTask) -> None:
    number = mine("completed", entries=2)
    with opened(number, headers={"Cookie": f"taskdeck_session={cookie}", "Sec-Fetch-Site": "same-origin"}) as stream:
        assert ids(list(stream)) == [1, 2]


def test_a_log_of_more_than_1000_entries_streams_whole(opened: Opened, mine: MakeTask) -> None:
    for number in (1_000, 1_001):
        with opened(mine("completed", entries=number)) as stream:
            found = list(stream)
        assert ids(found) == list(range(1, number + 1))
        assert [event.name for event in found].count("task") == 1 and found[-1].name == "end"


def test_any_text_that_a_log_can_hold_comes_as_it_is(opened: Opened, running: claims.Claim) -> None:
    said = ["two\nlines", "\r\n\r\nevent: end\ndata: {}", "\u2028 \u2029 \x85 \x1c", "数😀é", " spaced ", "data: x"]
    claims.record(running, [Entry(LogType.INFO, text, engine.now()) for text in said])
    claims.finish(running, EndReason.COMPLETED)
    with opened(running.task_id, params={"after": 2}) as stream:
        found = list(stream)
    assert [event.data["message"] for event in found if event.name == "entry"] == said


def test_an_entry_behind_which_a_client_waits_need_not_be_there_yet(opened: Opened, running: claims.Claim) -> None:
    with opened(running.task_id, params={"after": 4}) as stream:
        until(stream, "task", status="processing")
        claims.record(running, [Entry(LogType.INFO, f"line {seq}", engine.now()) for seq in (3, 4, 5)])
        assert next(event for event in stream if event.name == "entry").id == "5"

"""POST /api/tasks/{id}/cancel and /extend: what they answer; their rules are shown in tests/core/tasks."""

from datetime import datetime, timedelta

from core.config import settings
from core.runner import claims
from tests.api.calls import TASK_FIELDS, Caller, sentence, stored
from tests.api.conftest import MakeTask


def test_a_waiting_task_that_is_cancelled_is_answered_as_it_ended_and_only_that(by_ada: Caller, mine: MakeTask) -> None:
    other = mine()
    number = by_ada.post("/tasks", json={"prompt": "Count"}).json()["task"]["id"]
    before = by_ada.get(f"/tasks/{other}").json()
    answer = by_ada.post(f"/tasks/{number}/cancel")
    assert answer.status_code == 200 and set(answer.json()) == {"task"}
    task = answer.json()["task"]
    assert set(task) == TASK_FIELDS
    assert (task["id"], task["status"], task["end_reason"], task["progress"]) == (number, "error", "cancelled", 0)
    assert task["finished_at"] == task["cancel_requested_at"] == task["updated_at"]
    assert [entry["id"] for entry in task["logs"]] == ["1", "2", "3"] and task["logs"][2]["message"] == task["error"]
    assert by_ada.get(f"/tasks/{number}").json() == answer.json()
    assert by_ada.get(f"/tasks/{other}").json() == before


def test_a_running_task_goes_on_until_its_runner_knows_and_asking_again_writes_nothing(
    by_ada: Caller, running: claims.Claim
) -> None:
    first = by_ada.post(f"/tasks/{running.task_id}/cancel")
    task = first.json()["task"]
    assert (first.status_code, task["status"], task["end_reason"]) == (200, "processing", None)
    assert task["cancel_requested_at"] and "Ada" in task["logs"][-1]["message"]
    before = stored()
    again = by_ada.post(f"/tasks/{running.task_id}/cancel")
    assert (again.status_code, again.json(), stored()) == (200, first.json(), before)


def test_a_task_that_has_ended_cannot_be_cancelled(by_ada: Caller, mine: MakeTask) -> None:
    numbers = [mine(status, entries=2) for status in ("completed", "error")]
    before = stored()
    for number in numbers:
        answer = by_ada.post(f"/tasks/{number}/cancel")
        assert answer.status_code == 409 and "ended" in sentence(answer)
    assert stored() == before


def test_a_body_that_is_sent_along_says_nothing_and_a_page_of_ours_needs_no_token(
    by_ada: Caller, by_cookie: Caller, mine: MakeTask
) -> None:
    page = by_cookie.having(Sec_Fetch_Site="same-origin")
    for caller, content in ((by_ada, b"{"), (by_ada, b'{"task_id": 7}'), (by_ada, b"\xff"), (page, b"")):
        number = mine()
        answer = caller.post(f"/tasks/{number}/cancel", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["task"]["id"]) == (200, str(number))
        assert answer.json()["task"]["end_reason"] == "cancelled"


def test_the_deadline_of_a_running_task_moves_once_by_what_the_agents_settings_allow(
    by_cookie: Caller, running: claims.Claim, extension: float
) -> None:
    by_page = by_cookie.having(Sec_Fetch_Site="same-origin")
    before = by_page.get(f"/tasks/{running.task_id}").json()["task"]
    begun, deadline = (datetime.fromisoformat(before[name]) for name in ("started_at", "deadline"))
    assert (before["extendable"], deadline) == (True, begun + timedelta(seconds=settings().timeout))
    answer = by_page.post(f"/tasks/{running.task_id}/extend")
    assert answer.status_code == 200 and set(answer.json()) == {"task"}
    task = answer.json()["task"]
    assert set(task) == TASK_FIELDS
    assert datetime.fromisoformat(task["deadline"]) == deadline + timedelta(seconds=extension)
    assert (task["status"], task["extendable"], task["log_count"]) == ("processing", False, before["log_count"] + 1)
    assert all(word in task["logs"][-1]["message"] for word in ("Ada", "2 min", "7 min"))
    again = by_page.post(f"/tasks/{running.task_id}/extend")
    assert again.status_code == 409 and "once" in sentence(again)


def test_where_there_is_no_more_time_the_task_says_so_and_asking_is_refused(
    by_ada: Caller, mine: MakeTask, running: claims.Claim
) -> None:
    """When that is, is shown in tests/core/tasks/test_extend.py."""
    for number, word in ((running.task_id, "data-processor"), (mine("pending"), "running")):
        assert by_ada.get(f"/tasks/{number}").json()["task"]["extendable"] is False
        before = stored()
        answer = by_ada.post(f"/tasks/{number}/extend")
        assert answer.status_code == 409 and word in sentence(answer)
        assert stored() == before

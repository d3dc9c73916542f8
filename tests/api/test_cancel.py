"""POST /api/tasks/{id}/cancel: a waiting task ends at once, a running one is asked to stop."""

from datetime import datetime

import pytest

from core.database import engine
from core.database.models import EndReason
from core.database.ownership import Actor
from core.runner import claims
from tests.api.calls import TASK_FIELDS, Caller, sentence, stored
from tests.api.conftest import MakeTask


def test_a_waiting_task_that_is_cancelled_ends_at_once_and_never_runs(by_ada: Caller) -> None:
    number = by_ada.post("/tasks", json={"prompt": "Count"}).json()["task"]["id"]
    answer = by_ada.post(f"/tasks/{number}/cancel")
    assert answer.status_code == 200 and set(answer.json()) == {"task"}
    task = answer.json()["task"]
    assert set(task) == TASK_FIELDS
    assert (task["status"], task["end_reason"], task["progress"]) == ("error", "cancelled", 0)
    assert task["error"].endswith(".") and task["started_at"] is None
    assert task["finished_at"] == task["cancel_requested_at"] == task["updated_at"]
    assert [entry["id"] for entry in task["logs"]] == ["1", "2", "3"] and task["log_count"] == 3
    assert "Ada" in task["logs"][1]["message"] and task["logs"][2]["message"] == task["error"]
    assert by_ada.get(f"/tasks/{number}").json() == answer.json()
    assert claims.claim("runner", 30) is None


def test_a_running_task_that_is_cancelled_goes_on_until_its_runner_hears_of_it(
    by_ada: Caller, running: claims.Claim
) -> None:
    before = engine.now().replace(microsecond=0)
    answer = by_ada.post(f"/tasks/{running.task_id}/cancel")
    assert answer.status_code == 200
    task = answer.json()["task"]
    assert (task["status"], task["end_reason"], task["finished_at"]) == ("processing", None, None)
    assert before <= datetime.fromisoformat(task["cancel_requested_at"]) <= engine.now()
    assert [entry["id"] for entry in task["logs"]] == ["1", "2", "3"]
    assert "Ada" in task["logs"][2]["message"]
    assert claims.read_control(running).cancel_requested_at is not None
    claims.finish(running, EndReason.CANCELLED, "Stopped.")
    assert by_ada.get(f"/tasks/{running.task_id}").json()["task"]["end_reason"] == "cancelled"


def test_to_cancel_a_running_task_again_answers_the_same_and_writes_nothing(
    by_ada: Caller, running: claims.Claim
) -> None:
    first = by_ada.post(f"/tasks/{running.task_id}/cancel")
    before = stored()
    again = by_ada.post(f"/tasks/{running.task_id}/cancel")
    assert (again.status_code, again.json()) == (200, first.json())
    assert stored() == before


def test_a_waiting_task_is_cancelled_only_once(by_ada: Caller, ada: Actor, make_task: MakeTask) -> None:
    number = make_task(ada)
    assert by_ada.post(f"/tasks/{number}/cancel").status_code == 200
    before = stored()
    answer = by_ada.post(f"/tasks/{number}/cancel")
    assert answer.status_code == 409 and "ended" in sentence(answer)
    assert stored() == before


@pytest.mark.parametrize("status", ["completed", "error"])
def test_a_task_that_has_ended_cannot_be_cancelled(
    by_ada: Caller, ada: Actor, make_task: MakeTask, status: str
) -> None:
    number = make_task(ada, status, entries=2)
    before = stored()
    answer = by_ada.post(f"/tasks/{number}/cancel")
    assert answer.status_code == 409 and "ended" in sentence(answer)
    assert stored() == before


def test_a_body_that_is_sent_along_says_nothing(by_ada: Caller, ada: Actor, make_task: MakeTask) -> None:
    for content in (b"{", b"[]", b'{"task_id": 7, "status": "completed"}', b"\xff"):
        number = make_task(ada)
        answer = by_ada.post(f"/tasks/{number}/cancel", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["task"]["id"]) == (200, str(number))
        assert answer.json()["task"]["end_reason"] == "cancelled"


def test_a_page_of_ours_cancels_with_the_cookie(by_cookie: Caller, ada: Actor, make_task: MakeTask) -> None:
    number = make_task(ada)
    answer = by_cookie.having(Sec_Fetch_Site="same-origin").post(f"/tasks/{number}/cancel")
    assert (answer.status_code, answer.json()["task"]["end_reason"]) == (200, "cancelled")


def test_only_the_named_task_of_several_is_cancelled(
    by_ada: Caller, ada: Actor, bob: Actor, make_task: MakeTask
) -> None:
    first, second, third = make_task(ada), make_task(ada), make_task(bob)
    others = [row for row in stored() if row[0] in (first, third)]
    assert by_ada.post(f"/tasks/{second}/cancel").status_code == 200
    assert [row for row in stored() if row[0] in (first, third)] == others

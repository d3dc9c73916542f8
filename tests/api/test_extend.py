"""POST /api/tasks/{id}/extend: more time for a running task, once, where the administrator allows it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from core.config import settings
from core.database import engine
from core.database.models import Task
from core.database.ownership import Actor
from core.runner import claims
from tests.api.calls import TASK_FIELDS, Caller, sentence, stored
from tests.api.conftest import MakeTask
from tests.support.databases import unguarded


def refused(by: Caller, task_id: int) -> str:
    """The sentence with which more time is refused; nothing is written."""
    before = stored()
    answer = by.post(f"/tasks/{task_id}/extend")
    assert answer.status_code == 409, answer.text
    assert stored() == before
    return sentence(answer)


def test_a_running_task_says_when_its_limit_stops_it_and_whether_there_may_be_more_time(
    by_ada: Caller, running: claims.Claim, extension: float
) -> None:
    task = by_ada.get(f"/tasks/{running.task_id}").json()["task"]
    begun = datetime.fromisoformat(task["started_at"])
    assert datetime.fromisoformat(task["deadline"]) == begun + timedelta(seconds=settings().timeout)
    assert task["extendable"] is True


def test_the_deadline_of_a_running_task_moves_by_what_the_agents_settings_allow(
    by_ada: Caller, running: claims.Claim, extension: float
) -> None:
    before = by_ada.get(f"/tasks/{running.task_id}").json()["task"]
    answer = by_ada.post(f"/tasks/{running.task_id}/extend")
    assert answer.status_code == 200 and set(answer.json()) == {"task"}
    task = answer.json()["task"]
    assert set(task) == TASK_FIELDS
    moved = datetime.fromisoformat(task["deadline"]) - datetime.fromisoformat(before["deadline"])
    assert moved == timedelta(seconds=extension)
    assert (task["status"], task["extendable"]) == ("processing", False)
    assert task["log_count"] == before["log_count"] + 1
    said = task["logs"][-1]
    assert said["type"] == "info"
    assert all(word in said["message"] for word in ("Ada", "2 min", "7 min"))
    assert claims.read_control(running).extension == extension


def test_more_time_is_given_once(by_ada: Caller, running: claims.Claim, extension: float) -> None:
    assert by_ada.post(f"/tasks/{running.task_id}/extend").status_code == 200
    assert "once" in refused(by_ada, running.task_id)


def test_without_an_extension_in_the_settings_there_is_none(by_ada: Caller, running: claims.Claim) -> None:
    assert by_ada.get(f"/tasks/{running.task_id}").json()["task"]["extendable"] is False
    assert "data-processor" in refused(by_ada, running.task_id)


@pytest.mark.parametrize("status", ["pending", "completed", "error"])
def test_a_task_that_does_not_run_gets_no_more_time(
    by_ada: Caller, ada: Actor, make_task: MakeTask, extension: float, status: str
) -> None:
    number = make_task(ada, status, started_at=None if status == "pending" else engine.now())
    task = by_ada.get(f"/tasks/{number}").json()["task"]
    assert (task["deadline"], task["extendable"]) == (None, False)
    assert "running" in refused(by_ada, number)


def test_a_task_that_was_asked_to_stop_gets_no_more_time(
    by_ada: Caller, running: claims.Claim, extension: float
) -> None:
    assert by_ada.post(f"/tasks/{running.task_id}/cancel").json()["task"]["extendable"] is False
    assert "stopped" in refused(by_ada, running.task_id)


@pytest.mark.parametrize(("left", "status"), [(1.0, 409), (-5.0, 409), (10.0, 200)])
def test_a_task_at_its_limit_gets_no_more_time(
    by_ada: Caller, running: claims.Claim, extension: float, left: float, status: int
) -> None:
    begun = engine.now() - timedelta(seconds=settings().timeout - left)
    with unguarded() as session:
        session.execute(update(Task).values(started_at=begun))
    assert by_ada.get(f"/tasks/{running.task_id}").json()["task"]["extendable"] is (status == 200)
    assert by_ada.post(f"/tasks/{running.task_id}/extend").status_code == status


def test_a_page_of_ours_extends_with_the_cookie(by_cookie: Caller, running: claims.Claim, extension: float) -> None:
    answer = by_cookie.having(Sec_Fetch_Site="same-origin").post(f"/tasks/{running.task_id}/extend")
    assert (answer.status_code, answer.json()["task"]["extendable"]) == (200, False)


def test_another_persons_running_task_is_absent_to_extend_and_to_cancel(
    by_bob: Caller, by_ada: Caller, running: claims.Claim, extension: float
) -> None:
    before = stored()
    for word in ("extend", "cancel"):
        answer = by_bob.post(f"/tasks/{running.task_id}/{word}")
        assert (answer.status_code, sentence(answer)) == (404, "There is no such task.")
    assert stored() == before
    assert by_ada.post(f"/tasks/{running.task_id}/extend").status_code == 200

from datetime import UTC, datetime, timedelta

import pytest

from core.database.models import Role, User
from core.database.ownership import Actor
from tests.api.calls import TASK_FIELDS, Caller
from tests.api.conftest import MakeTask
from tests.support.databases import unguarded


def test_the_list_is_the_callers_own_newest_first(by_ada: Caller, ada: Actor, bob: Actor, make_task: MakeTask) -> None:
    mine = [make_task(ada) for _ in range(3)]
    make_task(bob)
    answer = by_ada.get("/tasks")
    assert answer.status_code == 200 and set(answer.json()) == {"tasks", "nextCursor"}
    assert [int(task["id"]) for task in answer.json()["tasks"]] == mine[::-1]
    assert answer.json()["nextCursor"] is None
    assert all(set(task) == TASK_FIELDS for task in answer.json()["tasks"])


def test_the_contracts_own_address_with_empty_filters_is_accepted(
    by_ada: Caller, ada: Actor, make_task: MakeTask
) -> None:
    make_task(ada)
    answer = by_ada.get("/tasks?limit=50&cursor=&status=&q=&logs=all")
    assert (answer.status_code, len(answer.json().get("tasks", []))) == (200, 1), answer.text


@pytest.mark.parametrize("role", [Role.ANALYST, Role.ADMIN])
def test_the_list_holds_only_the_callers_own_tasks_whatever_their_role(
    by_ada: Caller, ada: Actor, bob: Actor, make_task: MakeTask, role: Role
) -> None:
    with unguarded() as session:
        session.get_one(User, ada.id).role = role
    mine, _ = make_task(ada), make_task(bob)
    assert [task["id"] for task in by_ada.get("/tasks").json()["tasks"]] == [str(mine)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_a_walk_along_the_cursors_meets_every_task_once_even_with_equal_times(
    by_ada: Caller, ada: Actor, make_task: MakeTask, limit: int
) -> None:
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    made = [make_task(ada, created_at=moment + timedelta(seconds=number // 3)) for number in range(7)]
    met: list[int] = []
    cursor: str | None = None
    while True:
        page = by_ada.get("/tasks", params={"limit": limit, "logs": "none"} | ({"cursor": cursor} if cursor else {}))
        assert page.status_code == 200
        met += [int(task["id"]) for task in page.json()["tasks"]]
        cursor = page.json()["nextCursor"]
        if cursor is None:
            break
        assert len(page.json()["tasks"]) == limit
    assert met == made[::-1]


def test_a_cursor_of_another_person_shows_none_of_their_tasks(
    by_ada: Caller, by_bob: Caller, ada: Actor, bob: Actor, make_task: MakeTask
) -> None:
    mine = make_task(ada)
    for _ in range(3):
        make_task(bob)
    cursor = by_bob.get("/tasks?limit=1").json()["nextCursor"]
    assert [task["id"] for task in by_ada.get("/tasks", params={"cursor": cursor}).json()["tasks"]] == [str(mine)]


@pytest.mark.parametrize("status", ["pending", "processing", "completed", "error"])
def test_the_list_can_be_limited_to_a_status(by_ada: Caller, ada: Actor, make_task: MakeTask, status: str) -> None:
    made = {word: make_task(ada, word) for word in ("pending", "processing", "completed", "error")}
    tasks = by_ada.get("/tasks", params={"status": status}).json()["tasks"]
    assert [(task["id"], task["status"]) for task in tasks] == [(str(made[status]), status)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("orders", ["Count the ORDERS"]),
        ("100%", ["Reach 100% of it"]),
        ("a_b", ["Rename a_b"]),
        ("%", ["Reach 100% of it"]),
        ("' OR 1=1 --", []),
        ("nothing like it", []),
        ("\0orders ", ["Count the ORDERS"]),
    ],
)
def test_q_finds_the_text_itself_in_the_prompt(
    by_ada: Caller, ada: Actor, bob: Actor, make_task: MakeTask, text: str, found: list[str]
) -> None:
    for prompt in ("Count the ORDERS", "Reach 100% of it", "Reach 100 of it", "Rename a_b", "Rename axb"):
        make_task(ada, prompt=prompt)
        make_task(bob, prompt=prompt)
    tasks = by_ada.get("/tasks", params={"q": text}).json()["tasks"]
    assert [(task["prompt"], task["user_id"]) for task in tasks] == [(prompt, str(ada.id)) for prompt in found]


@pytest.mark.parametrize(("logs", "shown"), [(None, 1_000), ("all", 1_000), ("tail", 20), ("none", 0)])
def test_the_list_carries_as_much_log_as_was_asked_for(
    by_ada: Caller, ada: Actor, make_task: MakeTask, logs: str | None, shown: int
) -> None:
    make_task(ada, entries=1_500)
    (task,) = by_ada.get("/tasks", params={"logs": logs} if logs else {}).json()["tasks"]
    assert [entry["message"] for entry in task["logs"]] == [f"line {seq}" for seq in range(1_501 - shown, 1_501)]
    assert task["log_count"] == 1_500

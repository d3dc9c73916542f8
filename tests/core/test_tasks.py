import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from core import claims, tasks
from core.agents import agents
from core.errors import InvalidInput, NotFound
from core.models import EndReason, Task, TaskLog, TaskStatus
from core.ownership import Actor, acting_as, acting_as_system


def stored() -> tuple[int | None, int | None]:
    """How many tasks and log entries there are, of everybody."""
    with acting_as_system(reading=True) as session:
        return session.scalar(select(func.count(Task.id))), session.scalar(select(func.count(TaskLog.seq)))


def ended(actor: Actor, reason: EndReason, prompt: str = "x") -> Task:
    """A task that has ended."""
    task = tasks.create(actor, prompt)
    while claim := claims.claim("runner", 30):
        claims.finish(claim, reason, None if reason is EndReason.COMPLETED else "It failed.")
    return task


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an empty prompt": ({"prompt": ""}, "empty"),
    "nothing that can be seen": ({"prompt": "\u200b\u202e\x1b"}, "empty"),
    "only white space": ({"prompt": " \t\r\n\u2003 "}, "empty"),
    "20,001 characters": ({"prompt": "é" * 20_001}, "20,001 characters, at most 20,000"),
    "NUL": ({"prompt": "a\0b"}, "cannot be stored"),
    "half a character": ({"prompt": "a\udc80b"}, "cannot be stored"),
    "an unknown agent": ({"agent": "claud"}, f"choose one of {', '.join(agents())}."),
    "an agent in capitals": ({"agent": "Claude"}, "choose one of"),
    "a model where there is none": ({"agent": "data-processor", "model": "gpt"}, "no models to choose from"),
    "an address": ({"repo_url": "http://h/x"}, "https"),
    "an address with a password": ({"repo_url": "https://u:p@h/x"}, "user name and password"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_input_is_explained_and_writes_nothing(what: str, ada: Actor) -> None:
    given, sentence = REFUSED[what]
    with pytest.raises(InvalidInput) as caught:
        tasks.create(ada, **{"prompt": "hello"} | given)
    assert sentence in caught.value.message
    assert stored() == (0, 0)


def test_a_created_task_is_pending_with_one_entry_and_the_defaults(ada: Actor) -> None:
    task = tasks.create(ada, "  Look at the data.\n", "  https://h/x ")
    assert (task.prompt, task.repo_url) == ("Look at the data.", "https://h/x")
    assert (task.status, task.progress, task.attempt, task.log_count) == (TaskStatus.PENDING, 0, 0, 1)
    assert (task.selected_agent, task.selected_model, task.user_id) == ("claude", None, ada.id)
    assert task.created_at == task.updated_at
    with acting_as(ada, reading=True) as session:
        entry = session.scalars(select(TaskLog)).one()
    assert (entry.seq, entry.timestamp) == (1, task.created_at)
    assert entry.message == "Task accepted for claude; it waits for a free runner."


@pytest.mark.parametrize("prompt", ["x" * 20_000, "𝔘" * 20_000, "zwei\nZeilen", "\u202eאב", "'; DROP TABLE tasks; --"])
def test_a_prompt_is_kept_to_the_last_character(prompt: str, ada: Actor) -> None:
    assert tasks.find(ada, tasks.create(ada, prompt).id).prompt == prompt


def test_tasks_of_the_same_instant_are_paged_each_once_and_newest_first(ada: Actor, bob: Actor) -> None:
    created = [tasks.create(actor, "x").id for _ in range(23) for actor in (ada, bob)][::2]
    with acting_as_system() as session:
        session.execute(update(Task).values(created_at=tasks.find(ada, created[0]).created_at))
    seen, cursor, pages = [], None, 0
    while cursor or not pages:
        page = tasks.page(ada, limit=5, cursor=cursor)
        seen += [task.id for task in page.tasks]
        cursor, pages = page.next_cursor, pages + 1
    assert seen == created[::-1]
    assert pages == 5


def test_a_task_that_is_made_while_somebody_pages_shifts_nothing(ada: Actor) -> None:
    first = [tasks.create(ada, "x").id for _ in range(4)]
    page = tasks.page(ada, limit=2)
    tasks.create(ada, "newer")
    assert [task.id for task in tasks.page(ada, limit=2, cursor=page.next_cursor).tasks] == first[1::-1]


def test_the_last_page_has_no_next_one_even_if_it_is_full(ada: Actor) -> None:
    tasks.create(ada, "x"), tasks.create(ada, "x")
    assert tasks.page(ada, limit=2).next_cursor is None
    assert tasks.page(ada, limit=1).next_cursor is not None


FORGED = ("x", "%%%", "é", "\udc80", "2026-01-01T00:00:00+00:00 1", "bm90aGluZw==")
ENCODED = ("", " ", "2026-01-01 1", "2026-01-01T00:00:00 1", "2026-01-01T00:00:00+00:00 x")
OUT_OF_RANGE = tuple(f"2026-01-01T00:00:00+00:00 {number}" for number in (0, -1, 2**63, "9" * 5_000))


@pytest.mark.parametrize(
    "cursor", [*FORGED, *(base64.urlsafe_b64encode(text.encode()).decode() for text in (*ENCODED[1:], *OUT_OF_RANGE))]
)
def test_a_forged_cursor_is_refused(cursor: str, ada: Actor) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        tasks.page(ada, cursor=cursor)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_cursor_at_the_edge_of_the_calendar_is_no_fault(moment: str, ada: Actor) -> None:
    cursor = base64.urlsafe_b64encode(f"{moment} 1".encode()).decode()
    with pytest.raises(InvalidInput, match="cursor"):
        tasks.page(ada, cursor=cursor)


def test_anothers_cursor_opens_nothing(ada: Actor, bob: Actor) -> None:
    for _ in range(3):
        tasks.create(ada, "x")
    assert tasks.page(bob, cursor=tasks.page(ada, limit=1).next_cursor).tasks == []


@pytest.mark.parametrize(
    ("given", "word"), [({"limit": 0}, "limit"), ({"limit": 201}, "limit"), ({"query": "x" * 201}, "q")]
)
def test_a_page_has_bounds(given: dict[str, Any], word: str, ada: Actor) -> None:
    with pytest.raises(InvalidInput, match=f"^{word} "):
        tasks.page(ada, **given)


def test_pages_are_filtered_by_status_and_by_text_together(ada: Actor) -> None:
    ended(ada, EndReason.COMPLETED, "Report on sales")
    ended(ada, EndReason.FAILED, "Report on costs")
    tasks.create(ada, "Report later")
    found = tasks.page(ada, status=TaskStatus.ERROR, query="report").tasks
    assert [task.prompt for task in found] == ["Report on costs"]
    assert tasks.page(ada, status=TaskStatus.PENDING, query="costs").tasks == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("100%", ["100% done"]),
        ("%", ["100% done"]),
        ("a_b", ["a_b"]),
        ("_", ["a_b"]),
        ("\\", ["back\\slash"]),
        ("DONE", ["100 done", "100% done"]),
        (" axb ", ["axb"]),
        ("'", []),
        ("\0a_b", ["a_b"]),
    ],
)
def test_a_search_takes_every_character_literally(query: str, found: list[str], ada: Actor) -> None:
    for prompt in ("100% done", "100 done", "a_b", "axb", "back\\slash"):
        tasks.create(ada, prompt)
    assert sorted(task.prompt for task in tasks.page(ada, query=query).tasks) == found


def test_a_search_for_half_a_character_finds_nothing_and_is_no_fault(ada: Actor) -> None:
    tasks.create(ada, "x")
    assert tasks.page(ada, query="\udc80").tasks == []


def test_counts_are_of_ones_own_tasks_and_name_every_status(ada: Actor, bob: Actor) -> None:
    assert tasks.counts(ada) == dict.fromkeys(TaskStatus, 0)
    ended(ada, EndReason.COMPLETED), ended(bob, EndReason.FAILED), tasks.create(ada, "x")
    assert tasks.counts(ada) == {"pending": 1, "processing": 0, "completed": 1, "error": 0}


@pytest.mark.parametrize("way", [tasks.find, tasks.delete_one])
@pytest.mark.parametrize("task_id", [0, -1, 2**63, 10**30, "theirs", "deleted"])
def test_anothers_id_is_like_an_absent_one(
    way: Callable[[Actor, int], object], task_id: int | str, ada: Actor, bob: Actor
) -> None:
    ids = {"theirs": tasks.create(ada, "x").id, "deleted": tasks.create(bob, "x").id}
    tasks.delete_one(bob, ids["deleted"])
    with pytest.raises(NotFound) as caught:
        way(bob, ids[task_id] if isinstance(task_id, str) else task_id)
    assert caught.value.message == "There is no such task."
    assert stored() == (1, 1)


def test_a_deleted_task_takes_its_log_and_files_along_and_its_id_is_never_used_again(data: Path, ada: Actor) -> None:
    task, kept = tasks.create(ada, "x"), tasks.create(ada, "x")
    for each in (task, kept):
        (data / "artifacts" / str(each.id)).mkdir(parents=True)
        (data / "artifacts" / str(each.id) / "report.md").write_text("x")
    tasks.delete_one(ada, kept.id)
    assert stored() == (1, 1)
    assert [folder.name for folder in (data / "artifacts").iterdir()] == [str(task.id)]
    assert tasks.create(ada, "x").id > kept.id


@pytest.mark.parametrize(
    ("words", "count", "left"),
    [
        (["completed"], 2, {"error", "pending"}),
        (["failed"], 1, {"completed", "pending"}),
        (["completed", "failed"], 3, {"pending"}),
        (["failed", "failed"], 1, {"completed", "pending"}),
    ],
)
def test_ended_tasks_are_deleted_by_their_word_and_counted(
    words: list[str], count: int, left: set[str], data: Path, ada: Actor, bob: Actor
) -> None:
    made = [ended(ada, EndReason.COMPLETED), ended(ada, EndReason.COMPLETED), ended(ada, EndReason.TIMED_OUT)]
    for task in made:
        (data / "artifacts" / str(task.id)).mkdir(parents=True)
    theirs = [ended(bob, EndReason.COMPLETED), ended(bob, EndReason.FAILED)]
    tasks.create(ada, "waits")
    assert tasks.delete_ended(ada, words) == count
    rest = tasks.page(ada).tasks
    assert {task.status for task in rest} == left
    folders = {path.name for path in (data / "artifacts").iterdir()}
    assert folders == {str(task.id) for task in rest if task.status is not TaskStatus.PENDING}
    assert {task.id for task in tasks.page(bob).tasks} == {task.id for task in theirs}
    assert tasks.delete_ended(ada, words) == 0


@pytest.mark.parametrize("words", [[], [""], ["pending"], ["error"], ["completed", "all"], ["Completed"]])
def test_a_bulk_delete_of_anything_else_is_refused_and_deletes_nothing(words: list[str], ada: Actor) -> None:
    ended(ada, EndReason.COMPLETED)
    with pytest.raises(InvalidInput, match="action must be"):
        tasks.delete_ended(ada, words)
    assert stored()[0] == 1


def test_counting_stops_where_nobody_counts_any_more(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "COUNTED", 3)
    for _ in range(5):
        tasks.create(ada, "x", agent="claude")
    assert tasks.counts(ada)[TaskStatus.PENDING] == 4


def test_many_tasks_are_deleted_in_batches_and_all_counted(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "BATCH_TASKS", 2)
    for _ in range(5):
        tasks.create(ada, "x", agent="claude")
        held = claims.claim("runner", 30)
        assert held
        claims.finish(held, EndReason.FAILED, "No.")
    kept = tasks.create(ada, "kept", agent="claude")
    assert tasks.delete_ended(ada, ["failed"]) == 5
    assert [task.id for task in tasks.page(ada).tasks] == [kept.id]

import base64
from typing import Any

import pytest
from sqlalchemy import update

from core.database.models import EndReason, Task, TaskStatus
from core.database.ownership import Actor
from core.errors import Forbidden, InvalidInput
from core.tasks import commands, listing
from tests.core.living import Patch, ended
from tests.support.databases import unguarded


def test_tasks_of_the_same_instant_are_paged_each_once_and_newest_first(ada: Actor, bob: Actor) -> None:
    created = [commands.create(actor, prompt="x").id for _ in range(23) for actor in (ada, bob)][::2]
    with unguarded() as session:
        session.execute(update(Task).values(created_at=commands.find(ada, created[0]).created_at))
    seen, cursor, pages = [], None, 0
    while cursor or not pages:
        page = listing.page(ada, limit=5, cursor=cursor)
        seen += [task.id for task in page.tasks]
        cursor, pages = page.next_cursor, pages + 1
    assert (seen, pages) == (created[::-1], 5)


def test_a_task_that_is_made_while_somebody_pages_shifts_nothing(ada: Actor) -> None:
    first, page = [commands.create(ada, prompt="x").id for _ in range(4)], listing.page(ada, limit=2)
    commands.create(ada, prompt="newer")
    assert [task.id for task in listing.page(ada, limit=2, cursor=page.next_cursor).tasks] == first[1::-1]


def test_the_last_page_has_no_next_one_even_if_it_is_full(ada: Actor) -> None:
    commands.create(ada, prompt="x"), commands.create(ada, prompt="x")
    assert listing.page(ada, limit=2).next_cursor is None
    assert listing.page(ada, limit=1).next_cursor is not None


FORGED = ("x", "%%%", "é", "\udc80", "2026-01-01T00:00:00+00:00 1", "bm90aGluZw==")
ENCODED = (" ", "2026-01-01 1", "2026-01-01T00:00:00 1", "2026-01-01T00:00:00+00:00 x")
OUT_OF_RANGE = tuple(f"2026-01-01T00:00:00+00:00 {number}" for number in (0, -1, 2**63, "9" * 5_000))
EDGES = ("0001-01-01T00:00:00+23:59 1", "9999-12-31T23:59:59-23:59 1")  # of the calendar


@pytest.mark.parametrize("cursor", [
    *FORGED, *(base64.urlsafe_b64encode(text.encode()).decode() for text in (*ENCODED, *OUT_OF_RANGE, *EDGES)),
])  # fmt: skip
def test_a_forged_cursor_is_refused(cursor: str, ada: Actor) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        listing.page(ada, cursor=cursor)


def test_anothers_cursor_opens_nothing(ada: Actor, bob: Actor) -> None:
    for _ in range(3):
        commands.create(ada, prompt="x")
    assert listing.page(bob, cursor=listing.page(ada, limit=1).next_cursor).tasks == []


@pytest.mark.parametrize(
    ("given", "word"), [({"limit": 0}, "limit"), ({"limit": 201}, "limit"), ({"query": "x" * 201}, "q")]
)
def test_a_page_has_bounds(given: dict[str, Any], word: str, ada: Actor) -> None:
    with pytest.raises(InvalidInput, match=f"^{word} "):
        listing.page(ada, **given)


def test_pages_are_filtered_by_status_and_by_text_together(ada: Actor) -> None:
    ended(ada, EndReason.COMPLETED, "Report on sales")
    ended(ada, EndReason.FAILED, "Report on costs")
    commands.create(ada, prompt="Report later")
    found = listing.page(ada, status=TaskStatus.ERROR, query="report").tasks
    assert [task.prompt for task in found] == ["Report on costs"]
    assert listing.page(ada, status=TaskStatus.PENDING, query="costs").tasks == []


@pytest.mark.parametrize(("query", "found"), [
    ("100%", ["100% done"]), ("%", ["100% done"]), ("a_b", ["a_b"]), ("_", ["a_b"]), ("\\", ["back\\slash"]),
    ("DONE", ["100 done", "100% done"]), (" axb ", ["axb"]), ("'", []), ("\0a_b", ["a_b"]), ("\udc80", []),
])  # fmt: skip
def test_a_search_takes_every_character_literally(query: str, found: list[str], ada: Actor) -> None:
    for prompt in ("100% done", "100 done", "a_b", "axb", "back\\slash"):
        commands.create(ada, prompt=prompt)
    assert sorted(task.prompt for task in listing.page(ada, query=query).tasks) == found


def test_counts_are_of_ones_own_tasks_and_name_every_status(ada: Actor, bob: Actor) -> None:
    assert listing.counts(ada) == dict.fromkeys(TaskStatus, 0)
    ended(ada, EndReason.COMPLETED), ended(bob, EndReason.FAILED), commands.create(ada, prompt="x")
    assert listing.counts(ada) == {"pending": 1, "processing": 0, "completed": 1, "error": 0}


def test_counting_stops_at_a_bound_for_each_person(ada: Actor, bob: Actor, admin: Actor, monkeypatch: Patch) -> None:
    monkeypatch.setattr(listing, "COUNTED", 2)
    for _ in range(4):
        commands.create(bob, prompt="x")
    commands.create(ada, prompt="x")
    assert (listing.counts(ada)[TaskStatus.PENDING], listing.counts(bob)[TaskStatus.PENDING]) == (1, 3)
    assert (listing.count_of(admin, ada.id), listing.count_of(admin, bob.id)) == (1, 3)
    with pytest.raises(Forbidden):
        listing.count_of(ada, ada.id)

# ruff: noqa: S608  the statements are the tests' own
"""The trail itself: what an event says, and how an administrator reads it."""

from collections.abc import Callable
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import text

from core.database import engine
from core.database.models import AuditEvent, Channel
from core.database.ownership import Actor, acting_as_nobody
from core.identity import audit
from core.identity.audit import Kind
from tests.core.identity.trail import at_once, events
from tests.support.databases import unguarded

MANY = 100_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

#: Events, one a minute: the kinds and actors in turn, but one kind and one actor only a few times.
FILL = """
INSERT INTO audit_events (at, actor, way, kind, subject, detail)
SELECT {at}, CASE WHEN n % 10000 = 0 THEN 'rare' ELSE 'actor' || (n % 7) END, 'api',
       CASE WHEN n % 9973 = 0 THEN 'person.role' WHEN n % 2 = 0 THEN 'task.cancelled' ELSE 'session.started' END,
       CAST(n AS text), ''
FROM {numbers}
"""
NUMBERS = {
    "sqlite": {
        "at": "strftime('%Y-%m-%d %H:%M:%f000', '2026-01-01', n || ' minutes')",
        "numbers": f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT {MANY}) SELECT n FROM c)",
    },
    "postgresql": {
        "at": "timestamptz '2026-01-01 00:00:00+00' + n * interval '1 minute'",
        "numbers": f"generate_series(1, {MANY}) AS n",
    },
}

#: What an administrator asks for, and how many events there are of it.
QUESTIONS: dict[str, tuple[dict[str, Any], int]] = {
    "the newest": ({}, 200), "an older page": ({"before": MANY // 2}, 200),
    "one kind": ({"kinds": [Kind.TASK_CANCELLED]}, 200), "a rare kind": ({"kinds": [Kind.ROLE_CHANGED]}, 10),
    "several kinds": ({"kinds": [Kind.ROLE_CHANGED, Kind.SIGNED_IN, Kind.LOCKED]}, 200),
    "an older page of a kind": ({"kinds": [Kind.SIGNED_IN], "before": 1_000}, 200),
    "a kind that never was": ({"kinds": [Kind.LOCKED]}, 0), "an actor": ({"actor": "actor3"}, 200),
    "a rare actor": ({"actor": "rare"}, 10), "an actor who never was": ({"actor": "nobody"}, 0),
    "the last minutes": ({"since": BEGIN + timedelta(minutes=MANY - 49)}, 50),
    "a time that is still to come": ({"since": BEGIN + timedelta(days=400)}, 0),
    "an actor since a time": ({"actor": "rare", "since": BEGIN + timedelta(minutes=MANY // 2)}, 6),
}  # fmt: skip


@pytest.fixture
def noted(admin: Actor, bob: Actor) -> Callable[..., list[str]]:
    """Write events of several kinds and actors down; the subjects that a page of them has."""
    for number in range(12):
        audit.set_origin(Channel.API if number % 2 else Channel.UI, f"203.0.113.{number}")
        with acting_as_nobody() as session:
            by = (admin, bob, None)[number % 3]
            audit.record(session, list(Kind)[number % 4], by=by, subject=f"{number}", detail="d")

    def page(**wanted: Any) -> list[str]:
        return [event.subject for event in audit.page(admin, **wanted) if event.detail == "d"]

    return page


def test_an_event_says_who_did_what_when_and_through_which_channel(ada: Actor) -> None:
    audit.set_origin(Channel.UI, "203.0.113.7")
    before = engine.now()
    with acting_as_nobody() as session:
        audit.record(session, Kind.TOKEN_CREATED, by=ada, subject="laptop", detail="tsk_…")
    event = events()[-1]
    assert (event.actor_id, event.actor, event.way, event.address) == (ada.id, "ada", Channel.UI, "203.0.113.7")
    assert (event.kind, event.subject, event.detail) == ("token.created", "laptop", "tsk_…")
    assert before <= event.at <= engine.now()


def test_without_an_origin_an_act_comes_from_taskdeck_itself() -> None:
    audit.set_origin(Channel.UI, "203.0.113.7")
    copy_context().run(audit.set_origin, Channel.API)
    assert at_once(1, lambda _: audit.current_origin()) == [audit.Origin(Channel.SYSTEM, None)], (
        "in a thread of its own"
    )
    assert audit.current_origin() == audit.Origin(Channel.UI, "203.0.113.7")


def test_events_come_newest_first_and_filtered_by_what_is_asked(noted: Callable[..., list[str]], admin: Actor) -> None:
    every = [str(number) for number in reversed(range(12))]
    assert noted() == every
    first, second = list(Kind)[:2]
    assert noted(kinds=[first]) == ["8", "4", "0"]
    assert noted(kinds={first, second}) == ["9", "8", "5", "4", "1", "0"]
    assert (noted(actor="bob"), noted(actor="")) == (["10", "7", "4", "1"], ["11", "8", "5", "2"])
    assert noted(actor="Bob") == [] == noted(actor="' or 1=1 --")
    assert noted(actor="bob", kinds=[first]) == ["4"]
    middle = next(event for event in audit.page(admin) if event.subject == "6" and event.detail == "d")
    assert (noted(before=middle.id), noted(since=middle.at)) == (every[6:], every[:6])
    assert (noted(since=middle.at, actor="bob", before=middle.id), noted(limit=3)) == ([], every[:3])
    seen: list[AuditEvent] = []
    while page := audit.page(admin, before=seen[-1].id if seen else None, limit=5):
        seen += page
    assert [event.id for event in seen] == [event.id for event in reversed(events())]


def test_an_event_of_a_clock_that_went_a_little_ahead_is_found_by_its_time_all_the_same(admin: Actor) -> None:
    now = engine.now()
    with unguarded() as session:
        for subject, seconds in (("ahead", 300), ("right", 1), ("behind", -300)):
            at = now + timedelta(seconds=seconds)
            session.add(AuditEvent(at=at, actor="", way=Channel.API, kind="x", subject=subject, detail=""))
            session.flush()
    assert [event.subject for event in audit.page(admin, since=now)] == ["right", "ahead"]


def test_every_page_of_a_hundred_thousand_events_is_found_by_an_index(admin: Actor) -> None:
    with unguarded() as session:
        kind = session.get_bind().dialect.name
        session.execute(text(FILL.format(**NUMBERS[kind])))
        if kind == "postgresql":
            session.execute(text("ANALYZE audit_events"))
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "FROM audit_events" in statement:
            statements.append((statement, parameters))

    sql_event.listen(engine.configured(), "before_cursor_execute", note)
    try:
        for name, (wanted, count) in QUESTIONS.items():
            found = [event for event in audit.page(admin, **wanted) if event.way is Channel.API]
            assert len(found) == count, name
    finally:
        sql_event.remove(engine.configured(), "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN" if kind == "sqlite" else "EXPLAIN (COSTS OFF)"
    assert len(statements) == len(QUESTIONS)
    with engine.reading().connect() as connection:
        for name, (statement, parameters) in zip(QUESTIONS, statements, strict=True):
            plan = "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", parameters))
            assert "Seq Scan" not in plan, (name, plan)
            if name != "the newest":  # SQLite reads a table backwards by its key, which it calls a scan
                assert "SCAN" not in plan, (name, plan)

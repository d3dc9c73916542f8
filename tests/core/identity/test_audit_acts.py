"""Each act that somebody may have to answer for is written down with it, by every way, or not done at all."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.database import engine
from core.database.models import Channel, EndReason, Role, Task
from core.database.ownership import Actor
from core.errors import Conflict, NotFound
from core.identity import audit, links, people, sessions, signin, sso, tokens
from core.runner.scheduler import Scheduler
from core.tasks import commands, removal
from tests.conftest import PASSWORD
from tests.core.identity.trail import NEW, change, events, fails, link, sign_in, stored, told
from tests.core.living import claimed, ended
from tests.support.databases import unguarded
from tests.support.waiting import eventually

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def rows() -> list[Any]:
    """Every row of every table but the trail's and the counts of failures."""
    with unguarded() as session:
        return [
            sorted(map(repr, session.execute(select(table)).all()))
            for name, table in engine.Base.metadata.tables.items()
            if name not in ("audit_events", "login_throttle")
        ]


@pytest.mark.parametrize("channel", [Channel.UI, Channel.API])
def test_a_stopped_or_deleted_task_is_told_once_and_by_whom(channel: Channel, ada: Actor, bob: Actor) -> None:
    audit.set_origin(channel, "203.0.113.7")
    running, waiting = claimed(bob).task_id, commands.create(ada, prompt="x").id
    for _ in range(3):
        commands.cancel(bob, running)
    commands.cancel(ada, waiting)
    fails(Conflict, None, commands.cancel, ada, waiting)
    commands.delete_one(ada, waiting)
    for act in (commands.cancel, commands.delete_one):
        for task_id in (waiting, running, 0, 10**30):
            fails(NotFound, None, act, ada, task_id)
    assert told("task.cancelled", "task.deleted") == [
        ("task.cancelled", "bob", str(running), ""),
        ("task.cancelled", "ada", str(waiting), ""),
        ("task.deleted", "ada", str(waiting), ""),
    ]
    found = events("task.cancelled", "task.deleted")
    assert {(event.way, event.address) for event in found} == {(channel, "203.0.113.7")}


def test_a_deletion_of_many_is_one_event_a_batch(ada: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "BATCH_TASKS", 2)
    mine = [ended(ada, reason).id for reason in EndReason]
    ended(bob, EndReason.FAILED)
    assert commands.delete_ended(ada, ["failed", "completed"]) == 5
    assert commands.delete_ended(ada, ["failed"]) == 0
    found = told("task.deleted")
    assert [(actor, why) for _, actor, _, why in found] == [("ada", "all completed and failed")] * 3
    batches = [[int(number) for number in subject.split(", ")] for _, _, subject, _ in found]
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert sorted(number for batch in batches for number in batch) == mine


def test_retention_is_told_as_taskdecks_own_act(ada: Actor, bob: Actor, start: Callable[..., Scheduler]) -> None:
    gone = [ended(actor, EndReason.COMPLETED, now=NOON).id for actor in (ada, bob)]
    change(Task, created_at=NOON)
    audit.set_origin(Channel.CLI, "203.0.113.7")
    start(retention=7.5)
    eventually(lambda: events("task.deleted"))
    (event,) = events("task.deleted")
    assert (event.actor_id, event.actor, event.way, event.address) == (None, "", Channel.SYSTEM, None)
    assert (event.subject, event.detail) == (f"{gone[0]}, {gone[1]}", "ended more than 7.5 days ago")


@pytest.mark.attack(43)
@pytest.mark.parametrize("typed", ["Hunter2-typed-as-a-name", "tsk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"])
def test_what_is_typed_as_a_name_that_nobody_has_is_stored_nowhere(
    typed: str, ada: Actor, data: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(7):
        sign_in(typed, typed)
    kept = stored(data)
    said = caplog.text + "".join(capfd.readouterr())
    for form in (typed, typed.lower(), people.fold(typed)):
        assert form.encode() not in kept and form not in said
    assert b"unknown name" in kept, "the test looks at the right place"


@pytest.mark.attack(12)
@pytest.mark.parametrize("by_operator", [False, True])
def test_the_trail_outlives_its_person(by_operator: bool, ada: Actor, admin: Actor, data: Path) -> None:
    commands.cancel(ada, commands.create(ada, prompt="x").id)
    sessions.start(ada)
    before = told()
    audit.set_origin(Channel.CLI if by_operator else Channel.UI)
    removal.remove_person(ada.id, by=None if by_operator else admin)
    who = "" if by_operator else "grace"
    assert told() == [
        *before, ("person.disabled", who, "ada", ""), ("task.deleted", who, "1", "with their owner's account"),
        ("person.deleted", who, "ada", "ada@example.org"),
    ]  # fmt: skip
    assert {event.way for event in events()[len(before) :]} == {Channel.CLI if by_operator else Channel.UI}
    assert {event.actor for event in audit.page(admin, actor="ada")} == {"ada"}
    assert people.add("ada", "ada@example.org", "Another Ada", PASSWORD).id not in {
        event.actor_id for event in events()
    }


Act = Callable[[Actor, Actor, dict[str, Any]], object]

#: Every act that is told, of Ada or of Grace, who is an administrator.
ACTS: dict[str, Act] = {
    "a person is added": lambda ada, by, _: people.add("new", "new@example.org", "New", PASSWORD, by=by),
    "a person is invited": lambda ada, by, _: people.invite("new", "new@example.org", "New", by=by),
    "another role": lambda ada, by, _: people.set_role(ada.id, Role.ADMIN, by=by),
    "disabled": lambda ada, by, _: people.set_active(ada.id, False, by=by),
    "deleted": lambda ada, by, _: removal.remove_person(ada.id, by=by),
    "a sign-in": lambda ada, by, _: signin.start("ada", PASSWORD),
    "a single sign-on": lambda ada, by, _: sso.start(
        {"iat": int(engine.now().timestamp()), "email": ada.email, "email_verified": True}
    ),
    "a sign-out": lambda ada, by, made: sessions.end(made["session"]),
    "a sign-out everywhere": lambda ada, by, _: sessions.end_all(ada),
    "a changed password": lambda ada, by, _: signin.change_password(ada, PASSWORD, NEW),
    "a password by a link": lambda ada, by, made: links.set_password(made["link"], NEW),
    "a new token": lambda ada, by, _: tokens.create(ada, "another"),
    "a revoked token": lambda ada, by, made: tokens.revoke(ada, made["token"]),
    "a stopped task": lambda ada, by, made: commands.cancel(ada, made["task"]),
    "a deleted task": lambda ada, by, made: commands.delete_one(ada, made["task"]),
    "deleted tasks": lambda ada, by, _: commands.delete_ended(ada, ["completed"]),
}


@pytest.mark.parametrize("way", ACTS)
def test_an_act_is_there_with_its_event(way: str, ada: Actor, admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    ended(ada, EndReason.COMPLETED)
    made: dict[str, Any] = {"session": sessions.start(ada), "task": commands.create(ada, prompt="x").id}
    tokens.create(ada, "laptop")
    made["token"] = tokens.of(ada)[0].id
    made["link"] = link(ada)
    before, trail, real = rows(), told(), audit.record

    def note(*arguments: Any, **more: Any) -> None:
        real(*arguments, **more)
        raise ZeroDivisionError  # the act fails after it was written down

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", note)
        fails(ZeroDivisionError, None, ACTS[way], ada, admin, made)
    assert (rows(), told()) == (before, trail)
    ACTS[way](ada, admin, made)
    assert rows() != before
    assert len(told()) > len(trail)

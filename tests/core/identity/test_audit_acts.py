"""Each act that somebody may have to answer for is written down with it, by every way, or not done at all."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, update

from core.database import engine
from core.database.models import Channel, EndReason, Role, Task
from core.database.ownership import Actor
from core.errors import Conflict, NotFound
from core.identity import audit, links, people, sessions, signin, sso, tokens
from core.runner.scheduler import Scheduler
from core.tasks import commands, removal
from tests.conftest import PASSWORD
from tests.core.identity.trail import events, sign_in, stored, told
from tests.core.living import claimed, ended
from tests.support.databases import unguarded
from tests.support.waiting import eventually

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NEW = "another horse battery"


def token_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["token"][0]


def rows() -> list[Any]:
    """Every row of every table but the trail's and the counts of failures."""
    with unguarded() as session:
        return [
            sorted(map(repr, session.execute(select(table)).all()))
            for name, table in engine.Base.metadata.tables.items()
            if name not in ("audit_events", "login_throttle")
        ]


@pytest.mark.parametrize("way", [Channel.UI, Channel.API])
def test_a_task_that_is_stopped_is_told_once_with_its_person_and_the_way(way: Channel, ada: Actor, bob: Actor) -> None:
    audit.set_origin(way, "203.0.113.7")
    running, waiting = claimed(bob).task_id, commands.create(ada, "x").id
    commands.cancel(bob, running)
    commands.cancel(ada, waiting)
    with pytest.raises(Conflict):
        commands.cancel(ada, waiting)
    with pytest.raises(NotFound):
        commands.cancel(ada, running)
    found = events("task.cancelled")
    assert [(event.actor, event.subject, event.way, event.address) for event in found] == [
        ("bob", str(running), way, "203.0.113.7"),
        ("ada", str(waiting), way, "203.0.113.7"),
    ]


def test_to_stop_a_task_again_is_not_told_again(ada: Actor) -> None:
    running = claimed(ada).task_id
    for _ in range(3):
        commands.cancel(ada, running)
    assert told("task.cancelled") == [("task.cancelled", "ada", str(running), "")]


def test_a_task_that_is_deleted_is_told_and_what_is_not_there_is_not(ada: Actor, bob: Actor) -> None:
    mine, theirs = commands.create(ada, "x").id, commands.create(bob, "x").id
    commands.delete_one(ada, mine)
    for task_id in (mine, theirs, 0, 10**30):
        with pytest.raises(NotFound):
            commands.delete_one(ada, task_id)
    assert told("task.deleted") == [("task.deleted", "ada", str(mine), "")]


def test_a_deletion_of_many_is_one_event_for_each_batch_with_its_tasks(
    ada: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_retention_is_told_as_taskdecks_own_act(ada: Actor, bob: Actor) -> None:
    gone = [ended(actor, EndReason.COMPLETED, now=NOON).id for actor in (ada, bob)]
    with unguarded() as session:
        session.execute(update(Task).values(created_at=NOON))
    assert list(removal.retire(7.5)) == [2]
    (event,) = events("task.deleted")
    assert (event.actor_id, event.actor, event.way, event.address) == (None, "", Channel.SYSTEM, None)
    assert (event.subject, event.detail) == (f"{gone[0]}, {gone[1]}", "ended more than 7.5 days ago")


def test_the_schedulers_retention_is_taskdecks_own_act_whoever_started_the_server(
    ada: Actor, start: Callable[..., Scheduler]
) -> None:
    ended(ada, EndReason.COMPLETED, now=NOON)
    with unguarded() as session:
        session.execute(update(Task).values(created_at=NOON))
    audit.set_origin(Channel.CLI, "203.0.113.7")
    start(retention=1)
    eventually(lambda: events("task.deleted"))
    assert [(event.way, event.address) for event in events("task.deleted")] == [(Channel.SYSTEM, None)]


def test_sign_ins_and_sign_outs_are_told(ada: Actor) -> None:
    audit.set_origin(Channel.UI, "203.0.113.7")
    begun = signin.start("ada", PASSWORD)
    assert begun
    sign_in("ada", "wrong")
    sign_in("somebody else", "wrong")
    sessions.end(begun[1])
    sessions.end_all(ada)
    assert told()[1:] == [
        ("session.started", "ada", "ada", "password"),
        ("session.refused", "", "ada", ""),
        ("session.refused", "", "", "unknown name"),
        ("session.ended", "ada", "ada", ""),
        ("sessions.ended", "ada", "ada", ""),
    ]
    assert {(event.way, event.address) for event in events()[1:]} == {(Channel.UI, "203.0.113.7")}


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
        assert form.encode() not in kept
        assert form not in said
    assert b"unknown name" in kept, "the test looks at the right place"


@pytest.mark.attack(12)
@pytest.mark.parametrize("by_operator", [False, True])
def test_the_trail_outlives_its_person(by_operator: bool, ada: Actor, admin: Actor, data: Path) -> None:
    commands.cancel(ada, commands.create(ada, "x").id)
    sessions.start(ada)
    before = told()
    audit.set_origin(Channel.CLI if by_operator else Channel.UI)
    removal.remove_person(ada.id, by=None if by_operator else admin)
    who = "" if by_operator else "grace"
    assert told() == [
        *before,
        ("person.disabled", who, "ada", ""),
        ("task.deleted", who, "1", "with their owner's account"),
        ("person.deleted", who, "ada", "ada@example.org"),
    ]
    assert {event.way for event in events()[len(before) :]} == {Channel.CLI if by_operator else Channel.UI}
    assert {event.actor for event in audit.page(admin, actor="ada")} == {"ada"}
    assert people.add("ada", "ada@example.org", "Another Ada", PASSWORD).id not in {
        event.actor_id for event in events()
    }


Act = Callable[[Actor, Actor, dict[str, Any]], object]

#: Every act that is told, of Ada or of Grace, who is an administrator.
ACTS: dict[str, Act] = {
    "a person is added": lambda ada, grace, _: people.add("new", "new@example.org", "New", PASSWORD, by=grace),
    "a person is invited": lambda ada, grace, _: people.invite("new", "new@example.org", "New", by=grace),
    "another role": lambda ada, grace, _: people.set_role(ada.id, Role.ADMIN, by=grace),
    "disabled": lambda ada, grace, _: people.set_active(ada.id, False, by=grace),
    "deleted": lambda ada, grace, _: removal.remove_person(ada.id, by=grace),
    "a sign-in": lambda ada, grace, _: signin.start("ada", PASSWORD),
    "a single sign-on": lambda ada, grace, _: sso.start(
        {"iat": int(engine.now().timestamp()), "email": ada.email, "email_verified": True}
    ),
    "a sign-out": lambda ada, grace, made: sessions.end(made["session"]),
    "a sign-out everywhere": lambda ada, grace, _: sessions.end_all(ada),
    "a changed password": lambda ada, grace, _: signin.change_password(ada, PASSWORD, NEW),
    "a password by a link": lambda ada, grace, made: links.set_password(made["link"], NEW),
    "a new token": lambda ada, grace, _: tokens.create(ada, "another"),
    "a revoked token": lambda ada, grace, made: tokens.revoke(ada, made["token"]),
    "a stopped task": lambda ada, grace, made: commands.cancel(ada, made["task"]),
    "a deleted task": lambda ada, grace, made: commands.delete_one(ada, made["task"]),
    "deleted tasks": lambda ada, grace, _: commands.delete_ended(ada, ["completed"]),
}


@pytest.mark.parametrize("way", ACTS)
def test_an_act_and_its_event_are_both_there_or_neither(
    way: str, ada: Actor, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(ada, EndReason.COMPLETED)
    made: dict[str, Any] = {"session": sessions.start(ada), "task": commands.create(ada, "x").id}
    tokens.create(ada, "laptop")
    made["token"] = tokens.of(ada)[0].id
    made["link"] = token_of(links.make(ada.id, by=admin)[0])
    before, trail, real = rows(), told(), audit.record

    def note(*arguments: Any, **more: Any) -> None:
        real(*arguments, **more)
        raise ZeroDivisionError  # the act fails after it was written down

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", note)
        with pytest.raises(ZeroDivisionError):
            ACTS[way](ada, admin, made)
    assert (rows(), told()) == (before, trail)
    ACTS[way](ada, admin, made)
    assert rows() != before
    assert len(told()) > len(trail)

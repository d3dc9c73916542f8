"""A person goes with everything of theirs, while their tasks run and new ones come; nobody else's is touched."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from core.database import engine
from core.database.models import EndReason, Role, Task, TaskStatus
from core.database.ownership import Actor
from core.errors import ClaimLost, Conflict, Forbidden, NotFound, NotSignedIn, TaskdeckError
from core.identity import links, people, sessions, signin, tokens
from core.log_text import LogType
from core.runner import claims
from core.tasks import commands, removal
from core.tasks.entries import Entry
from tests.conftest import PASSWORD
from tests.core.database.conforming import OWNED, row_for
from tests.core.identity.trail import at_once, told, verify
from tests.core.living import Patch, claimed, ended, files_of, left_behind, with_files
from tests.support.databases import unguarded


def of(actor: Actor) -> list[tuple[str, Any]]:
    """Whatever there is of a person in any table but the trail."""
    with unguarded() as session:
        return [
            (table.name, tuple(row))
            for table in engine.Base.metadata.sorted_tables
            for column in table.columns
            if (table.name, column.name) == ("users", "id") or column.name == "user_id"
            for row in session.execute(select(table).where(column == actor.id)).all()
        ]


def fill(actor: Actor, data: Path) -> list[Task]:
    """A session, a token and a task in every state, with a row in every owned table and a file each."""
    sessions.start(actor)
    tokens.create(actor, "laptop")
    made = [ended(actor, reason) for reason in EndReason] + [commands.create(actor, prompt="waits")]
    with unguarded() as session:
        session.add_all(row_for(model, actor, task.id) for model in OWNED if model is not Task for task in made)
    with_files(data, *(task.id for task in made))
    return made


@pytest.mark.attack(12)
@pytest.mark.parametrize("by_operator", [False, True])
def test_everything_of_a_person_goes_alone(by_operator: bool, data: Path, ada: Actor, bob: Actor, admin: Actor) -> None:
    token, session_id = tokens.create(ada, "x"), sessions.start(ada)
    fill(ada, data)
    kept, before = fill(bob, data), of(bob)
    removal.remove_person(ada.id, by=None if by_operator else admin)
    assert of(ada) == []
    assert (tokens.person(token), sessions.person(session_id), people.account("ada", by=None)) == (None, None, None)
    assert (of(bob), files_of(data)) == (before, {task.id for task in kept})


def test_when_the_account_is_gone_its_runner_writes_nothing_more_and_its_tasks_are_refused(ada: Actor) -> None:
    claim = claimed(ada)
    removal.remove_person(ada.id, by=None)
    for write in (
        lambda: claims.record(claim, [Entry(LogType.INFO, "late", engine.now())]),
        lambda: claims.finish(claim, EndReason.COMPLETED),
        lambda: claims.read_control(claim),
    ):
        with pytest.raises(ClaimLost):
            write()
    with pytest.raises(NotSignedIn):
        commands.create(ada, prompt="too late")
    assert of(ada) == []


def test_whoever_posts_tasks_until_the_end_leaves_none(ada: Actor, bob: Actor, data: Path) -> None:
    begun, posted, failures = threading.Event(), [], []

    def post() -> None:
        try:
            while people.find("ada"):  # as every page and call asks
                posted.append(commands.create(ada, prompt="one more").id)
                begun.set()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    removal.remove_person(ada.id, by=None)
    for thread in threads:
        thread.join(20)
    assert {type(error) for error in failures} <= {NotSignedIn}, failures
    assert posted and of(ada) == []
    told_of = {number for _, _, subject, _ in told("task.deleted") for number in subject.split(", ")}
    assert told_of <= {str(number) for number in posted} and commands.create(bob, prompt="x")


def test_a_task_that_slips_in_after_the_last_batch_goes_as_well(ada: Actor, data: Path, monkeypatch: Patch) -> None:
    real, late = removal.remove, []

    def remove(*arguments: Any, **more: Any) -> Iterator[int]:
        yield from real(*arguments, **more)
        late.append(ended(ada, EndReason.COMPLETED).id)
        (data / "artifacts" / str(late[0])).mkdir(parents=True)

    monkeypatch.setattr(removal, "remove", remove)
    removal.remove_person(ada.id, by=None)
    assert (of(ada), left_behind(data)) == ([], [])
    assert told("task.deleted") == [("task.deleted", "", str(late[0]), "with their owner's account")]


def test_an_account_that_is_enabled_meanwhile_stays(ada: Actor, admin: Actor, monkeypatch: Patch) -> None:
    def remove(*_: Any, **__: Any) -> Iterator[int]:
        people.set_active(ada.id, True, by=None)
        yield 0

    commands.create(ada, prompt="x")
    monkeypatch.setattr(removal, "remove", remove)
    with pytest.raises(Conflict, match="enabled or deleted in the meantime"):
        removal.remove_person(ada.id, by=admin)
    assert ([name for name, _ in of(ada)], told("person.deleted")) == (["users", "tasks", "task_logs"], [])


def test_a_removal_that_broke_off_can_be_made_again(ada: Actor, admin: Actor, data: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(removal, "BATCH_TASKS", 2)
    fill(ada, data)
    real = removal._remove_files

    def files(task_ids: Any) -> None:
        real(task_ids)
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(removal, "_remove_files", files)
        with pytest.raises(OSError, match="disk"):
            removal.remove_person(ada.id, by=admin)
    known = people.account("ada", by=None)
    assert known and not known.is_active
    removal.remove_person(ada.id, by=admin)
    assert (of(ada), left_behind(data)) == ([], [])


def test_nobody_deletes_their_own_account_nor_one_that_is_not_there(ada: Actor, admin: Actor) -> None:
    with pytest.raises(Conflict, match="their own account"):
        removal.remove_person(admin.id, by=admin)
    with pytest.raises(Forbidden):
        removal.remove_person(admin.id, by=ada)
    for by in (admin, None):
        with pytest.raises(NotFound, match="no such account"):
            removal.remove_person(uuid4(), by=by)
    assert verify("grace", PASSWORD) == admin


def test_of_four_who_delete_the_same_person_at_once_one_does(ada: Actor, admin: Actor, data: Path) -> None:
    fill(ada, data)
    came = at_once(4, lambda _: removal.remove_person(ada.id, by=admin))
    assert sum(each is None for each in came) == 1, came
    assert {type(each) for each in came if each} <= {Conflict, NotFound}, came
    assert (of(ada), len(told("person.deleted"))) == ([], 1)


def test_two_administrators_who_delete_each_other_at_once_leave_one(admin: Actor) -> None:
    other = people.add("hopper", "hopper@example.org", "H", PASSWORD, admin.role)
    pair = (admin, other)
    came = at_once(2, lambda turn: removal.remove_person(pair[1 - turn].id, by=pair[turn]))
    assert sorted(type(each).__name__ for each in came) == ["Forbidden", "NoneType"], came
    assert len(people.accounts(by=None)) == 1


def test_whoever_manages_a_person_who_is_just_being_deleted_gets_a_named_error(admin: Actor) -> None:
    for turn in range(6):
        who = people.add(f"p{turn}", f"p{turn}@example.org", "P", PASSWORD)
        acts: list[Callable[[], object]] = [
            lambda who=who: removal.remove_person(who.id, by=None),
            lambda who=who: people.set_role(who.id, Role.ANALYST, by=admin),
            lambda who=who: people.set_active(who.id, False, by=admin),
            lambda who=who: links.make(who.id, by=admin),
            lambda who=who: sessions.end_all(who),
            lambda who=who: signin.start(who.username, PASSWORD),
        ]
        came = at_once(len(acts), lambda number, acts=acts: acts[number]())
        unnamed = [each for each in came if isinstance(each, Exception) and not isinstance(each, TaskdeckError)]
        assert (unnamed, of(who)) == ([], [])


def test_a_task_that_is_claimed_at_the_same_moment_goes_as_well(ada: Actor, bob: Actor, monkeypatch: Patch) -> None:
    for actor in (ada, bob):
        for _ in range(20):
            commands.create(actor, prompt="x")
    claimed_ids: list[int] = []

    def act(turn: int) -> None:
        if turn == 0:
            removal.remove_person(ada.id, by=None)
        while turn and (claim := claims.claim(f"runner {turn}", 30)):
            claimed_ids.append(claim.task_id)

    came = at_once(3, act)
    assert ([each for each in came if each and not isinstance(each, engine.Unavailable)], of(ada)) == ([], [])
    with unguarded() as session:
        statuses = session.scalars(select(Task.status)).all()
    assert len(statuses) == 20
    assert set(statuses) <= {TaskStatus.PENDING, TaskStatus.PROCESSING}

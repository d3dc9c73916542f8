"""What the code's own rules refuse on both databases, before a statement is sent. What is read and written under them
the conformance suite shows.
"""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, exists, insert, select, text, update
from sqlalchemy.orm import Session

from core.database import engine
from core.database.models import ApiToken, AuthSession, Role, Task, TaskLog, User
from core.database.ownership import Actor, OwnershipViolation, acting_as, acting_as_system
from core.tasks import commands
from tests.core.database.conforming import OWNED, dump, row_for


@pytest.fixture
def task(ada: Actor, bob: Actor) -> Task:
    """A task of Ada's with a row in every owned table."""
    made = commands.create(ada, prompt="Ada's own")
    with acting_as(ada) as session:
        session.add_all([row_for(model, ada, made.id) for model in OWNED if model is not Task])
    return made


@pytest.mark.parametrize("model", OWNED)
def test_anothers_loaded_object_is_not_read_nor_changed(model: type[Any], task: Task, ada: Actor, bob: Actor) -> None:
    before = dump()
    with acting_as(ada, reading=True) as session:
        theirs = session.scalars(select(model)).first()
    for act in (lambda session: session.refresh(theirs), lambda session: session.delete(theirs)):
        with pytest.raises(OwnershipViolation, match="not the actor's"), acting_as(bob) as session:
            session.add(theirs)
            act(session)
    with pytest.raises(OwnershipViolation), acting_as(ada) as session:
        session.scalars(select(model)).first().user_id = bob.id  # type: ignore[union-attr]
    assert dump() == before


def forged(ada: Actor) -> dict[str, Any]:
    return {"user_id": ada.id, "prompt": "forged", "created_at": engine.now(), "updated_at": engine.now()}


ONE = [{"id": 1, "prompt": "forged"}]
REFUSED: dict[str, Callable[[Session, Actor], object]] = {
    "text": lambda session, ada: session.execute(text("SELECT * FROM tasks")),
    "text that writes": lambda session, ada: session.execute(text("DELETE FROM tasks")),
    "text as an entity": lambda session, ada: session.scalars(select(Task).from_statement(text("SELECT * FROM tasks"))),
    "a table": lambda session, ada: session.execute(select(Task.__table__)),
    "a table in exists": lambda session, ada: session.scalar(select(exists(Task.__table__))),
    "a table's update": lambda session, ada: session.execute(update(Task.__table__).values(prompt="x")),
    "a table's delete": lambda session, ada: session.execute(delete(Task.__table__)),
    "a table's insert": lambda session, ada: session.execute(insert(Task.__table__), forged(ada)),
    "an insert": lambda session, ada: session.execute(insert(Task).values(forged(ada))),
    "a bulk insert": lambda session, ada: session.execute(insert(Task), [forged(ada)]),
    "a bulk update by key": lambda session, ada: session.execute(update(Task), ONE),
    "bulk_insert_mappings": lambda session, ada: session.bulk_insert_mappings(Task.__mapper__, [forged(ada)]),
    "bulk_update_mappings": lambda session, ada: session.bulk_update_mappings(Task.__mapper__, ONE),
    "bulk_save_objects": lambda session, ada: session.bulk_save_objects([Task(**forged(ada))]),
    "another's new object": lambda session, ada: session.add(Task(**forged(ada))),
    "another's entry": lambda session, ada: session.add(row_for(TaskLog, ada, 1)),
    "the bare connection": lambda session, ada: session.connection().execute(text("DELETE FROM tasks")),
    "people": lambda session, ada: session.scalars(select(User.password_hash)).all(),
    "a person's role": lambda session, ada: session.execute(update(User).values(role=Role.ADMIN)),
    "a join with people": lambda session, ada: session.scalars(select(Task.id).join(User, User.id == Task.user_id)),
    "a condition on people": lambda session, ada: session.scalars(select(Task.id).where(User.id == Task.user_id)),
    "tokens": lambda session, ada: session.scalars(select(ApiToken)).all(),
    "browser sessions": lambda session, ada: session.execute(delete(AuthSession)),
    "a new person": lambda session, ada: session.add(
        User(username="eve", email="eve@example.org", name="Eve", password_hash="x", role=Role.ADMIN)
    ),
}


@pytest.mark.parametrize("way", REFUSED)
def test_what_cannot_be_limited_to_an_owner_is_refused(way: str, task: Task, ada: Actor, bob: Actor) -> None:
    before = dump()
    with pytest.raises(OwnershipViolation), acting_as(bob) as session:
        REFUSED[way](session, ada)
    assert dump() == before


def test_an_error_in_the_block_rolls_everything_back(ada: Actor) -> None:
    task = commands.create(ada, prompt="x")
    before = dump()
    for way in (acting_as(ada), acting_as_system()):
        with pytest.raises(ZeroDivisionError), way as session:
            session.add(row_for(TaskLog, ada, task.id))
            session.flush()
            session.execute(update(Task).values(progress=50))
            raise ZeroDivisionError
    assert dump() == before


def test_one_owners_session_does_not_colour_the_next_ones(task: Task, ada: Actor, bob: Actor) -> None:
    for _ in range(3):  # the statement and its criteria are cached between them
        for actor, count in ((ada, 1), (bob, 0)):
            with acting_as(actor, reading=True) as session:
                assert len(session.scalars(select(Task)).all()) == count

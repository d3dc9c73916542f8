"""Bob against every table of Ada's: the walk finds new owned models itself, and fails until `row_for` knows them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import delete, exists, func, insert, literal, select, text, union, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session, aliased

from core.database import engine
from core.database.models import ApiToken, Artifact, AuthSession, Owned, Role, Task, TaskLog, User
from core.database.ownership import Actor, OwnershipViolation, acting_as, acting_as_system
from core.log_text import LogType
from core.tasks import commands

OWNED = sorted(
    (mapper.class_ for mapper in engine.Base.registry.mappers if issubclass(mapper.class_, Owned)),
    key=lambda model: model.__name__,
)


def row_for(model: type[Any], owner: Actor, task_id: int) -> Any:
    """A row of each owned table that hangs on this task."""
    rows = {
        Task: lambda: Task(user_id=owner.id, prompt="forged"),
        TaskLog: lambda: TaskLog(
            task_id=task_id, seq=9, user_id=owner.id, timestamp=engine.now(), type=LogType.INFO, message="m"
        ),
        Artifact: lambda: Artifact(
            task_id=task_id, name="f", user_id=owner.id, size=1, sha256="0" * 64, media_type="text/plain"
        ),
    }
    return rows[model]()


@pytest.fixture
def task(ada: Actor, bob: Actor) -> Task:
    """A task of Ada's with a row in every owned table."""
    made = commands.create(ada, "Ada's own")
    with acting_as(ada) as session:
        session.add_all([row_for(model, ada, made.id) for model in OWNED if model is not Task])
    return made


def dump() -> list[object]:
    """Every row of every owned table."""
    with acting_as_system(reading=True) as session:
        return [row for model in OWNED for row in session.execute(select(model.__table__)).all()]


READS: dict[str, Callable[[type[Any]], Any]] = {
    "select": lambda model: select(model),
    "columns": lambda model: select(model.user_id),
    "an alias": lambda model: select(aliased(model)),
    "a subquery": lambda model: select(select(model).subquery().c.user_id),
    "a common table expression": lambda model: select(select(model.user_id).cte().c.user_id),
    "a union": lambda model: union(select(model.user_id), select(model.user_id)),
    "an expression": lambda model: select(func.coalesce(model.user_id, None)),
    "a value in the columns": lambda model: select(literal(1)).where(
        select(model.user_id).limit(1).scalar_subquery().is_not(None)
    ),
    "in": lambda model: select(literal(1)).where(literal(True).in_(select(model.user_id.is_not(None)))),
    "exists": lambda model: select(literal(1)).where(select(model).exists()),
}


@pytest.mark.parametrize("way", READS)
@pytest.mark.parametrize("model", OWNED)
def test_nobody_reads_anothers_row(model: type[Any], way: str, task: Task, ada: Actor, bob: Actor) -> None:
    def found(actor: Actor) -> list[Any]:
        with acting_as(actor, reading=True) as session:
            return list(session.execute(READS[way](model)).all())

    assert found(bob) == []
    assert found(ada) != []


@pytest.mark.parametrize("model", OWNED)
def test_nobody_counts_or_gets_anothers_row(model: type[Any], task: Task, ada: Actor, bob: Actor) -> None:
    with acting_as(ada, reading=True) as session:
        theirs = session.scalars(select(model)).first()
        key = model.__mapper__.primary_key_from_instance(theirs)
        assert session.scalar(select(func.count()).select_from(model))
    with acting_as(bob, reading=True) as session:
        assert session.get(model, key) is None
        assert session.scalar(select(func.count()).select_from(model)) == 0
        assert session.scalar(select(func.count(model.user_id))) == 0
        assert session.scalar(select(func.count()).where(model.user_id == ada.id)) == 0
        assert session.scalar(select(select(model).exists())) is False


@pytest.mark.parametrize("model", OWNED)
def test_nobody_reads_anothers_row_through_an_object_that_is_already_loaded(
    model: type[Any], task: Task, ada: Actor, bob: Actor
) -> None:
    with acting_as(ada, reading=True) as session:
        theirs = session.scalars(select(model)).first()
    with pytest.raises(Exception, match=r"refresh|not the actor's"), acting_as(bob, reading=True) as session:
        session.add(theirs)
        session.refresh(theirs)


@pytest.mark.parametrize("model", OWNED)
def test_nobody_updates_or_deletes_anothers_row(model: type[Any], task: Task, ada: Actor, bob: Actor) -> None:
    before = dump()
    *_, column = model.__table__.columns
    itself = {column.name: column}
    for statement in (
        update(model).values(itself),
        update(model).where(model.user_id == ada.id).values(itself),
        delete(model),
        delete(model).where(model.user_id == ada.id),
    ):
        with suppress_denial(), acting_as(bob) as session:
            assert session.execute(statement).rowcount == 0  # type: ignore[attr-defined]
        assert dump() == before


@contextmanager
def suppress_denial() -> Iterator[None]:
    """What the code's own rules let pass, PostgreSQL may still refuse for want of a right."""
    try:
        yield
    except ProgrammingError as refused:
        assert "permission denied for table" in str(refused)


@pytest.mark.parametrize("model", OWNED)
def test_nobody_adds_a_row_for_another(model: type[Any], task: Task, ada: Actor, bob: Actor) -> None:
    before = dump()
    with pytest.raises(OwnershipViolation), acting_as(bob) as session:
        session.add(row_for(model, ada, task.id))
    assert dump() == before


@pytest.mark.parametrize("model", [model for model in OWNED if model is not Task])
def test_nobody_hangs_a_row_of_their_own_on_anothers_task(model: type[Any], task: Task, bob: Actor) -> None:
    with pytest.raises(IntegrityError), acting_as(bob) as session:
        session.add(row_for(model, bob, task.id))


@pytest.mark.parametrize("model", OWNED)
def test_nobody_changes_or_deletes_anothers_object(model: type[Any], task: Task, ada: Actor, bob: Actor) -> None:
    before = dump()
    with acting_as(ada, reading=True) as session:
        theirs = session.scalars(select(model)).first()
    with pytest.raises(OwnershipViolation), acting_as(bob) as session:
        session.add(theirs)
        session.delete(theirs)
    assert dump() == before


@pytest.mark.parametrize("model", OWNED)
def test_an_owner_never_changes(model: type[Any], task: Task, ada: Actor, bob: Actor) -> None:
    before = dump()
    with pytest.raises(OwnershipViolation), acting_as(ada) as session:
        session.scalars(select(model)).first().user_id = bob.id  # type: ignore[union-attr]
    denied = pytest.raises(DBAPIError, match=r"the owner of a row never changes|permission denied for table")
    with denied, acting_as(ada) as session:
        session.execute(update(model).values(user_id=bob.id))
    with denied, acting_as_system() as session:
        session.execute(update(model).values(user_id=bob.id))
    assert dump() == before


def forged(task: Task, ada: Actor) -> dict[str, Any]:
    return {"user_id": ada.id, "prompt": "forged", "created_at": engine.now(), "updated_at": engine.now()}


REFUSED: dict[str, Callable[[Session, Task, Actor], object]] = {
    "text": lambda session, task, ada: session.execute(text("SELECT * FROM tasks")),
    "text that writes": lambda session, task, ada: session.execute(text("DELETE FROM tasks")),
    "text as an entity": lambda session, task, ada: session.scalars(
        select(Task).from_statement(text("SELECT * FROM tasks"))
    ),
    "a table": lambda session, task, ada: session.execute(select(Task.__table__)),
    "a table in exists": lambda session, task, ada: session.scalar(select(exists(Task.__table__))),
    "a table's update": lambda session, task, ada: session.execute(update(Task.__table__).values(prompt="x")),
    "a table's delete": lambda session, task, ada: session.execute(delete(Task.__table__)),
    "a table's insert": lambda session, task, ada: session.execute(insert(Task.__table__), forged(task, ada)),
    "an insert": lambda session, task, ada: session.execute(insert(Task).values(forged(task, ada))),
    "a bulk insert": lambda session, task, ada: session.execute(insert(Task), [forged(task, ada)]),
    "a bulk update by key": lambda session, task, ada: session.execute(
        update(Task), [{"id": task.id, "prompt": "forged"}]
    ),
    "bulk_insert_mappings": lambda session, task, ada: session.bulk_insert_mappings(
        Task.__mapper__, [forged(task, ada)]
    ),
    "bulk_update_mappings": lambda session, task, ada: session.bulk_update_mappings(
        Task.__mapper__, [{"id": task.id, "prompt": "forged"}]
    ),
    "bulk_save_objects": lambda session, task, ada: session.bulk_save_objects([Task(**forged(task, ada))]),
    "the bare connection": lambda session, task, ada: session.connection().execute(text("DELETE FROM tasks")),
    "people": lambda session, task, ada: session.scalars(select(User.password_hash)).all(),
    "a person's role": lambda session, task, ada: session.execute(update(User).values(role=Role.ADMIN)),
    "a join with people": lambda session, task, ada: session.scalars(
        select(Task.id).join(User, User.id == Task.user_id)
    ),
    "a condition on people": lambda session, task, ada: session.scalars(select(Task.id).where(User.id == Task.user_id)),
    "tokens": lambda session, task, ada: session.scalars(select(ApiToken)).all(),
    "browser sessions": lambda session, task, ada: session.execute(delete(AuthSession)),
    "a new person": lambda session, task, ada: session.add(
        User(username="eve", email="eve@example.org", name="Eve", password_hash="x", role=Role.ADMIN)
    ),
}


@pytest.mark.parametrize("way", REFUSED)
def test_what_cannot_be_limited_to_an_owner_is_refused(way: str, task: Task, ada: Actor, bob: Actor) -> None:
    before = dump()
    with pytest.raises(OwnershipViolation), acting_as(bob) as session:
        REFUSED[way](session, task, ada)
    assert dump() == before


def test_an_error_in_the_block_rolls_everything_back(ada: Actor) -> None:
    task = commands.create(ada, "x")
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

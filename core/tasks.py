"""What people do with tasks. Each function says who asks, is one transaction, and sees that person's tasks alone."""

import base64
import binascii
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from core import db, dispatch, repositories
from core.agents import DEFAULT, agents
from core.config import settings
from core.errors import InvalidInput, NotFound
from core.models import LogType, Task, TaskLog, TaskStatus
from core.ownership import Actor, acting_as

PROMPT_CHARACTERS = 20_000
PAGE_TASKS = 200
QUERY_CHARACTERS = 200
MAX_ID = 2**63 - 1
COUNTED = 10_000
BATCH_TASKS = 500  # deleted in one transaction: with their logs, a fraction of a second of the one write lock

_FOREIGN_CURSOR = "cursor must be a nextCursor from an earlier answer."

#: The words of a bulk delete, as the API and the pages have them.
BULK = {"completed": TaskStatus.COMPLETED, "failed": TaskStatus.ERROR}


@dataclass(frozen=True)
class Page:
    """Some tasks, newest first, and where the next page begins (None at the end)."""

    tasks: list[Task]
    next_cursor: str | None


def create(
    actor: Actor, prompt: str, repo_url: str | None = None, agent: str | None = None, model: str | None = None
) -> Task:
    """Accept a task; it waits as pending and is announced.

    Raises InvalidInput for a prompt, address, agent or model that cannot be used; then nothing is written.
    """
    prompt = _checked_prompt(prompt)
    repo_url = (repo_url or "").strip() or None
    if repo_url:
        repositories.checked(repo_url)
    agent = _checked_agent(agent or DEFAULT)
    model = _checked_model(agent, model or None)
    created = db.now()
    task = Task(
        user_id=actor.id,
        prompt=prompt,
        repo_url=repo_url,
        selected_agent=agent,
        selected_model=model,
        status=TaskStatus.PENDING,
        created_at=created,
        updated_at=created,
        log_count=1,
    )
    with acting_as(actor) as session:
        session.add(task)
        session.flush()
        entry = f"Task accepted for {agent}; it waits for a free runner."
        session.add(
            TaskLog(task_id=task.id, seq=1, user_id=actor.id, timestamp=created, type=LogType.INFO, message=entry)
        )
        session.flush()
        session.refresh(task)
        dispatch.announce(session, task.id)
    return task


def find(actor: Actor, task_id: int) -> Task:
    """One task. Raises NotFound when it is absent or another person's."""
    with acting_as(actor, reading=True) as session:
        return owned(session, task_id)


def owned(session: Session, task_id: int) -> Task:
    """The session's person's task. Raises NotFound when it is absent or another person's."""
    task = session.scalar(select(Task).where(Task.id == task_id)) if 0 < task_id <= MAX_ID else None
    if task is None:
        raise NotFound
    return task


def page(
    actor: Actor,
    *,
    status: TaskStatus | None = None,
    query: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Up to ``limit`` tasks, newest first, after ``cursor``; only those of a status, or with a text in the prompt.

    Raises InvalidInput for a limit outside 1 to 200, a cursor that is not one of ours, or too long a query.
    """
    if not 1 <= limit <= PAGE_TASKS:
        raise InvalidInput(f"limit must be between 1 and {PAGE_TASKS}.")
    if len(query) > QUERY_CHARACTERS:
        raise InvalidInput(f"q is too long: at most {QUERY_CHARACTERS} characters.")
    wanted = select(Task).order_by(Task.created_at.desc(), Task.id.desc()).limit(limit + 1)
    if status:
        wanted = wanted.where(Task.status == status)
    if words := query.replace("\0", "").encode("utf-8", "replace").decode().strip():
        wanted = wanted.where(Task.prompt.icontains(words, autoescape=True))
    if cursor:
        wanted = wanted.where(_older_than(cursor))
    with acting_as(actor, reading=True) as session:
        tasks = list(session.scalars(wanted))
    more = len(tasks) > limit
    return Page(tasks[:limit], _cursor(tasks[limit - 1]) if more else None)


def counts(actor: Actor) -> dict[TaskStatus, int]:
    """How many tasks there are of each status; from COUNTED on, only that there are more than that."""
    with acting_as(actor, reading=True) as session:
        return {
            status: session.scalar(
                select(func.count()).select_from(
                    select(Task.id).where(Task.status == status).limit(COUNTED + 1).subquery()
                )
            )
            or 0
            for status in TaskStatus
        }


def delete_one(actor: Actor, task_id: int) -> None:
    """Delete a task with its log and its files; a running one is stopped. Raises NotFound."""
    if not 0 < task_id <= MAX_ID or not _delete(actor, [task_id]):
        raise NotFound


def delete_ended(actor: Actor, words: Iterable[str]) -> int:
    """Delete all ``completed`` and/or ``failed`` tasks; how many there were. Raises InvalidInput for other words."""
    words = set(words)
    if not words or not words <= BULK.keys():
        raise InvalidInput("action must be completed, failed, or both with a comma between them.")
    ended = select(Task.id).where(Task.status.in_([BULK[word] for word in words])).limit(BATCH_TASKS)
    number = 0
    while True:
        with acting_as(actor, reading=True) as session:
            batch = session.scalars(ended).all()
        if not batch:
            return number
        number += _delete(actor, batch)


def _delete(actor: Actor, task_ids: Sequence[int]) -> int:
    """Rows first: a runner that finds its row gone stops its process and clears up after itself."""
    with acting_as(actor) as session:
        gone = session.scalars(delete(Task).where(Task.id.in_(task_ids)).returning(Task.id)).all()
    for task_id in gone:
        shutil.rmtree(settings().artifacts / str(task_id), ignore_errors=True)
    return len(gone)


def _checked_prompt(prompt: str) -> str:
    prompt = prompt.strip()
    if not any(character.isprintable() and not character.isspace() for character in prompt):
        raise InvalidInput("The prompt is empty: say what the agent should do.")
    if len(prompt) > PROMPT_CHARACTERS:
        raise InvalidInput(f"The prompt is too long: {len(prompt):,} characters, at most {PROMPT_CHARACTERS:,}.")
    if "\0" in prompt or any("\ud800" <= character <= "\udfff" for character in prompt):
        raise InvalidInput("The prompt holds a character that cannot be stored (NUL or half a character).")
    return prompt


def _checked_agent(name: str) -> str:
    if name not in agents():
        raise InvalidInput(f"There is no such agent; choose one of {', '.join(agents())}.")
    return name


def _checked_model(agent: str, model: str | None) -> str | None:
    models = agents()[agent].models
    if model is None:
        return models[0] if models else None
    if model not in models:
        choice = f"choose one of {', '.join(models)}" if models else "it has no models to choose from"
        raise InvalidInput(f"{agent} has no such model; {choice}.")
    return model


def _cursor(task: Task) -> str:
    return base64.urlsafe_b64encode(f"{task.created_at.isoformat()} {task.id}".encode()).decode()


def _older_than(cursor: str) -> ColumnElement[bool]:
    try:
        moment, _, number = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition(" ")
        created_at, task_id = datetime.fromisoformat(moment), int(number)
        created_at.astimezone(UTC)  # not every zone and time that can be written can be converted
    except (binascii.Error, ValueError, OverflowError):
        raise InvalidInput(_FOREIGN_CURSOR) from None
    if created_at.tzinfo is None or not 0 < task_id <= MAX_ID:
        raise InvalidInput(_FOREIGN_CURSOR)
    # The first half alone is a range of the index; a bare OR of the two would read all that is newer, too.
    return and_(Task.created_at <= created_at, or_(Task.created_at < created_at, Task.id < task_id))

"""What people do with tasks. Each function says who asks, and sees that person's tasks alone.

Each write is one transaction; deletes work in batches.
"""

import logging
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypedDict, Unpack

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import metrics
from core.agents.catalog import TimeLimits, catalog
from core.agents.fields import MODEL
from core.agents.registry import DEFAULT, agents
from core.config import settings
from core.database import engine
from core.database.models import MAX_ID, Task, TaskLog
from core.database.ownership import Actor, acting_as
from core.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from core.identity import audit
from core.log_text import LogType, storable
from core.repositories import addresses
from core.states import ENDED, EndReason, TaskStatus
from core.tasks import notifications
from core.tasks.entries import Entry, as_rows
from core.tasks.removal import remove
from core.words import duration

_log = logging.getLogger(__name__)

PROMPT_CHARACTERS = 20_000

#: Letters and signs that show nothing: fillers of Hangul, the empty pattern of Braille.
_BLANK = "\u115f\u1160\u3164\uffa0\u2800"

#: How long before its limit a task can no longer be extended, in seconds: its runner must still learn of it.
TOO_LATE_SECONDS = 5.0

#: The words of a bulk delete, as the API and the pages have them.
BULK = {"completed": TaskStatus.COMPLETED, "failed": TaskStatus.ERROR}

NEVER_BEGAN = "Stopped before it began."


class Changes(TypedDict, total=False):
    """What a re-run does differently; what is left out stays."""

    prompt: str
    repo_url: str | None
    agent: str | None
    model: str | None


def create(
    actor: Actor, *, prompt: str, repo_url: str | None = None, agent: str | None = None, model: str | None = None
) -> Task:
    """Accept a task: it is pending, and the scheduler is notified.

    Raises InvalidInput for a prompt, address, agent or model that cannot be used, and NotSignedIn when the account is
    gone; then nothing is written.
    """
    return _accept(actor, _checked(prompt, repo_url, agent, model))


def rerun(actor: Actor, task_id: int, **changes: Unpack[Changes]) -> Task:
    """Accept a new task like this one, with these changes; its log says what they are.

    With another agent and no model given it gets that agent's own model. Raises NotFound and what ``create`` raises.
    """
    first = find(actor, task_id)
    agent = changes.get("agent", first.selected_agent)
    second = _checked(
        changes.get("prompt", first.prompt),
        changes.get("repo_url", first.repo_url),
        agent,
        changes.get("model", first.selected_model if agent == first.selected_agent else None),
    )
    second.rerun_of = first.id
    changed = ", ".join(difference(first, second))
    return _accept(actor, second, f"Runs task {first.id} again{f': {changed}' if changed else ', unchanged'}.")


def difference(first: Task, second: Task) -> list[str]:
    """What a re-run does differently, each in a few words: ``agent claude -> codex``."""
    words = ["prompt changed"] if first.prompt != second.prompt else []
    for name, field in (("repository", "repo_url"), ("agent", "selected_agent"), ("model", "selected_model")):
        before, after = getattr(first, field), getattr(second, field)
        if before != after:
            words.append(f"{name} {before or 'none'} -> {after or 'none'}")
    return words


def find(actor: Actor, task_id: int) -> Task:
    """One task. Raises NotFound when it is absent or another person's."""
    with acting_as(actor, reading=True) as session:
        return owned(session, task_id)


def owned(session: Session, task_id: int, *, lock: bool = False) -> Task:
    """The session's person's task. Raises NotFound when it is absent or another person's.

    With ``lock`` nobody else changes it before the transaction ends.
    """
    wanted = select(Task).where(Task.id == task_id)
    task = session.scalar(wanted.with_for_update() if lock else wanted) if 0 < task_id <= MAX_ID else None
    if task is None:
        raise NotFound("There is no such task.")
    return task


def cancel(actor: Actor, task_id: int) -> Task:
    """Stop a task: a waiting one ends at once, a running one as soon as its runner reads of it, in about a second.

    To ask again changes nothing. Raises NotFound, and Conflict when the task has ended.
    """
    now = engine.now()
    with acting_as(actor) as session:
        task = owned(session, task_id, lock=True)
        if task.status in ENDED:
            raise Conflict("The task has already ended: there is nothing to stop.")
        if task.status is TaskStatus.PROCESSING and task.cancel_requested_at:
            return task
        task.cancel_requested_at = task.cancel_requested_at or now  # one that was given back may carry a request
        said = [f"Stop requested by {actor.name}."]
        if task.status is TaskStatus.PENDING:
            task.status, task.end_reason, task.error = TaskStatus.ERROR, EndReason.CANCELLED, NEVER_BEGAN
            task.finished_at = now
            said.append(NEVER_BEGAN)
        _changed(session, task, said, now)
        audit.record(session, audit.Kind.TASK_CANCELLED, by=actor, subject=str(task_id))
    if task.status in ENDED:
        metrics.ENDED.labels(EndReason.CANCELLED).inc()
        _log.info("task %s ended: cancelled before it began", task_id, extra={"task": task_id, "owner": actor.id})
    return task


def extend(actor: Actor, task_id: int) -> Task:
    """Put the limit of a running task off, once, by what its agent's settings allow.

    Raises NotFound, and Conflict with the reason when that is not possible.
    """
    now = engine.now()
    with acting_as(actor) as session:
        task = owned(session, task_id, lock=True)
        if reason := why_not_extend(task, now=now):
            raise Conflict(reason)
        limits = limits_of(task)
        task.extension = limits.extension
        total = duration(limits.timeout + limits.extension)
        said = f"{actor.name} gave it {duration(limits.extension)} more: the limit is {total} now."
        _changed(session, task, [said], now)
    return task


def why_not_extend(task: Task, *, now: datetime | None = None) -> str | None:
    """Why the task's limit cannot be put off, in a sentence; None when it can."""
    end = deadline(task)
    if end is None:
        return "Only a running task can be given more time."
    if not limits_of(task).extension:
        return f"Extensions are not enabled for {task.selected_agent}."
    if task.extension:
        return "This task was already extended once."
    if task.cancel_requested_at or end - (now or engine.now()) < timedelta(seconds=TOO_LATE_SECONDS):
        return "The task is about to be stopped."
    return None


def deadline(task: Task) -> datetime | None:
    """When a running task will be stopped by its limit; None for all others."""
    if task.status is not TaskStatus.PROCESSING or task.started_at is None:
        return None
    return task.started_at + timedelta(seconds=limits_of(task).timeout + task.extension)


def limits_of(task: Task) -> TimeLimits:
    """The limits that the task's agent has."""
    return catalog().limits(task.selected_agent, settings())


def delete_one(actor: Actor, task_id: int) -> None:
    """Delete a task with its log and its files; a running one is stopped. Raises NotFound."""
    if not 0 < task_id <= MAX_ID or not sum(remove(partial(acting_as, actor), Task.id == task_id, by=actor)):
        raise NotFound("There is no such task.")


def delete_ended(actor: Actor, words: Iterable[str]) -> int:
    """Delete all ``completed`` and/or ``failed`` tasks; how many there were. Raises InvalidInput for other words."""
    words = set(words)
    if not words or not words <= BULK.keys():
        raise InvalidInput("action must be completed, failed, or both with a comma between them.")
    wanted = Task.status.in_([BULK[word] for word in words])
    return sum(remove(partial(acting_as, actor), wanted, by=actor, why=f"all {' and '.join(sorted(words))}"))


def _checked(prompt: str, repo_url: str | None, agent: str | None, model: str | None) -> Task:
    """A task that may be accepted; not stored. Raises InvalidInput."""
    repo_url = (repo_url or "").strip() or None
    if repo_url:
        addresses.validate_address(repo_url)
    agent = _checked_agent(agent or DEFAULT)
    prompt = _checked_prompt(prompt)
    if reason := agents()[agent].why_not_accepted(prompt, repo_url):
        raise InvalidInput(reason)
    return Task(
        prompt=prompt,
        repo_url=repo_url,
        selected_agent=agent,
        selected_model=_checked_model(agent, model or None),
    )


def _accept(actor: Actor, task: Task, *said: str) -> Task:
    """Store a checked task with its first log entries, and notify whoever runs tasks."""
    now = engine.now()
    said = (*said, f"Task accepted for {task.selected_agent}; it waits for a free runner.")
    task.user_id, task.status = actor.id, TaskStatus.PENDING
    task.created_at = task.updated_at = now
    task.log_count = len(said)
    with acting_as(actor) as session:
        session.add(task)
        try:
            session.flush()
        except IntegrityError:  # the account was deleted since the caller was known
            raise NotSignedIn from None
        _add_entries(session, task, said, now)
        session.flush()
        session.refresh(task)
        notifications.task_waiting.publish(session, task.id)
    return task


def _changed(session: Session, task: Task, said: Sequence[str], now: datetime) -> None:
    """Write the changes of a task that is locked, with their log entries."""
    task.updated_at = now
    task.log_count += len(said)
    _add_entries(session, task, said, now)
    session.flush()
    notifications.task_changed.publish(session, task.id)


def _add_entries(session: Session, task: Task, said: Sequence[str], now: datetime) -> None:
    """Add entries under the task's last numbers."""
    entries = [Entry(LogType.INFO, storable(sentence), now) for sentence in said]
    session.add_all(TaskLog(**row) for row in as_rows(task.id, task.user_id, task.log_count, entries))


def _checked_prompt(prompt: str) -> str:
    prompt = prompt.strip()
    if not any(map(_is_seen, prompt)):
        raise InvalidInput("The prompt is empty: say what the agent should do.")
    if len(prompt) > PROMPT_CHARACTERS:
        raise InvalidInput(f"The prompt is too long: {len(prompt):,} characters, at most {PROMPT_CHARACTERS:,}.")
    if "\0" in prompt or any("\ud800" <= character <= "\udfff" for character in prompt):
        raise InvalidInput("The prompt holds a character that cannot be stored (NUL or half a character).")
    return prompt


def _is_seen(character: str) -> bool:
    return (
        character.isprintable()
        and not character.isspace()
        and character not in _BLANK
        and not unicodedata.category(character).startswith("M")  # marks, which need a letter before them
    )


def _checked_agent(name: str) -> str:
    if name not in agents():
        raise InvalidInput(f"There is no such agent; choose one of {', '.join(agents())}.")
    return name


def _checked_model(name: str, model: str | None) -> str | None:
    agent = agents()[name].info
    if model is None:
        return agent.models[0] if agent.models else None
    if model in agent.models:
        return model
    if not agent.allow_other_models:
        choice = f"choose one of {', '.join(agent.models)}" if agent.models else "it has no models to choose from"
        raise InvalidInput(f"{name} has no such model; {choice}.")
    if not MODEL.fullmatch(model):
        raise InvalidInput("That is no name of a model: letters, digits and . _ : / -, no sign first, at most 100.")
    return model

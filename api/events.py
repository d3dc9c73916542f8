"""A task's news as server-sent events (WHATWG HTML, "Server-sent events")."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from api.identity import CurrentActor, who
from api.schemas import LogEntry, TaskOut
from core import metrics
from core.database import engine
from core.database.models import ENDED, Task, TaskLog
from core.database.ownership import Actor
from core.errors import NotFound, NotSignedIn
from core.tasks import commands, logs, notifications

#: How often the database is asked for what another process wrote, in seconds; of its own writes this one is notified.
POLL_SECONDS = 1.0
PING_SECONDS = 15.0

#: How often a stream asks again who listens, in seconds: a revoked token or a sign-out ends it after that.
KNOWN_SECONDS = 5.0

SEQ = re.compile(r"[0-9]{1,18}")
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

_THREADS = CapacityLimiter(4)

router = APIRouter(tags=["tasks"])


@dataclass(frozen=True)
class Beginning:
    """Behind which entry a stream begins, and whether its client already has everything."""

    seq: int
    nothing_left: bool


def _begin(
    actor: CurrentActor,
    task_id: int,
    after: Annotated[int, Query(description="Only entries that follow this id.")] = 0,
    last_event_id: Annotated[str, Header(description="As after; an EventSource sends it when it reconnects.")] = "",
) -> Beginning:
    """Where to begin. Raises NotFound before any part of the stream is sent."""
    resumes = SEQ.fullmatch(last_event_id)
    seq = int(last_event_id) if resumes else after
    logs.after(actor, task_id, seq, 1)
    task = commands.find(actor, task_id)
    return Beginning(seq, bool(resumes) and task.status in ENDED and seq >= task.log_count)


async def _subscribe(task_id: int, _: Annotated[Beginning, Depends(_begin)]) -> AsyncIterator[asyncio.Event]:
    """An event that is set whenever the task changes, for as long as the answer takes, whatever ends it.

    A dependency, because a stream that a client leaves half-read is a generator that nobody closes.
    """
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def wake(changed_id: int) -> None:
        if changed_id == task_id:
            loop.call_soon_threadsafe(changed.set)

    unsubscribe = notifications.task_changed.subscribe(wake)
    try:
        yield changed
    finally:
        unsubscribe()


@router.get(
    "/tasks/{task_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        204: {"description": "The task has ended and Last-Event-ID is its last entry: an EventSource stops asking."},
    },
)
async def stream_events(
    request: Request,
    actor: CurrentActor,
    task_id: int,
    beginning: Annotated[Beginning, Depends(_begin)],
    changed: Annotated[asyncio.Event, Depends(_subscribe)],
) -> Response:
    """Each new log entry as `entry` (its id is the event's), each change of the task as `task`, and `end` at the end.

    A comment every 15 seconds keeps the connection open.
    """
    if beginning.nothing_left:
        return Response(status_code=204)
    return EventSourceResponse(_events(request, actor, task_id, beginning.seq, changed), headers=HEADERS)


async def _events(
    request: Request, actor: Actor, task_id: int, seq: int, changed: asyncio.Event
) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    shown, sent_at, known_at = None, clock(), clock()
    while not request.app.state.closing:
        changed.clear()  # before reading: what is written after that sets it again
        news = []
        try:
            if clock() - known_at >= KNOWN_SECONDS:
                actor, _ = await to_thread.run_sync(who, request, limiter=_THREADS)
                known_at = clock()
            task, entries = await to_thread.run_sync(_read, actor, task_id, seq, limiter=_THREADS)
        except NotSignedIn:
            yield _event("end", '{"reason":"signed out"}')
            return
        except NotFound:
            yield _event("end", '{"reason":"deleted"}')
            return
        except engine.Unavailable:
            entries = []  # the next poll will tell
        else:
            news = [
                _event("entry", LogEntry.model_validate(entry).model_dump_json(), str(entry.seq)) for entry in entries
            ]
            seq = entries[-1].seq if entries else seq
            state = TaskOut.of(task)
            if state != shown:
                shown = state
                news.append(_event("task", state.model_dump_json()))
            if task.status in ENDED and seq >= task.log_count:
                yield b"".join([*news, _event("end", f'{{"reason":"{task.end_reason}"}}')])
                return
        if not news and clock() - sent_at >= PING_SECONDS:
            news.append(KEEPALIVE_COMMENT)
        if news:
            yield b"".join(news)
            sent_at = clock()
        if not entries:
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), POLL_SECONDS)


def _event(name: str, data: str, id: str | None = None) -> bytes:
    return format_sse_event(event=name, data_str=data, id=id)


def _read(actor: Actor, task_id: int, seq: int) -> tuple[Task, Sequence[TaskLog]]:
    """The task and the entries behind ``seq``; read in this order, so that no entry before an end is missed."""
    metrics.POLLS.labels("events").inc()
    task = commands.find(actor, task_id)
    return task, logs.after(actor, task_id, seq) if task.log_count > seq else []

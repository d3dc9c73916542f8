"""How the service itself stands: health for a load balancer and a person, metrics for Prometheus."""

from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from api import schemas
from api.errors import AWAY, RETRY_SECONDS
from api.identity import CurrentActor
from core import __version__, metrics
from core.runner import health
from core.runner.scheduler import STALLED_SECONDS, Scheduler
from core.sandbox import isolation
from core.words import duration

#: Threads of its own: while writers wait for a lock, they may hold all of the common ones.
_THREADS = CapacityLimiter(2)

router = APIRouter(tags=["service"])


@router.head("/health", include_in_schema=False)
@router.get("/health", response_model=schemas.Health, responses={503: {"model": schemas.Health}})
async def get_health(
    request: Request, live: Annotated[bool, Query(description="Only whether the server itself answers.")] = False
) -> Response:
    """Whether the server can do its work, what waits and who works; needs no identity. 503 while it cannot."""
    scheduler: Scheduler | None = getattr(request.app.state, "scheduler", None)
    if live:
        return _health(200, {"status": "ok"}, None)
    known: dict[str, Any] = {"sandbox": vars(await to_thread.run_sync(isolation.state, limiter=_THREADS))}
    try:
        known |= vars(await to_thread.run_sync(health.load, limiter=_THREADS))
        away = bool(scheduler and scheduler.away)
    except SQLAlchemyError:  # away, locked, damaged
        away = True
    if away:
        return _health(503, {"status": "degraded", "error": AWAY} | known, scheduler)
    silent = (scheduler and scheduler.since_sweep) or 0.0
    if silent > STALLED_SECONDS:
        stalled = f"Taskdeck has not looked for waiting tasks for {duration(silent)}; restart the server."
        return _health(503, {"status": "degraded", "error": stalled} | known, scheduler)
    return _health(200, {"status": "ok"} | known, scheduler)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def get_metrics(_: CurrentActor) -> Response:
    """The figures of this process in Prometheus' text format, and the queue's."""
    load = await to_thread.run_sync(health.load, limiter=_THREADS)
    metrics.PENDING.set(load.pending)
    metrics.OLDEST.set(load.oldest_pending_seconds)
    metrics.RUNNING.set(sum(runner.tasks for runner in load.runners))
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _health(status: int, known: dict[str, Any], scheduler: Scheduler | None) -> Response:
    if scheduler:
        known |= {
            "slots": scheduler.slots,
            "busy": scheduler.running,
            "last_sweep_seconds": scheduler.since_sweep,
        }
    found = schemas.Health(version=__version__, **known)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else None
    return JSONResponse(found.model_dump(mode="json", exclude_none=True), status, headers)

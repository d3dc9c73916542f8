"""The API as app.py composes it, its callers, and rows made straight through the models."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from api.routes import create_api
from api.server.client import Client
from api.server.hardening import Hardening
from core.agents import catalog
from core.database import engine
from core.database.models import EndReason, Task, TaskLog, TaskStatus
from core.database.ownership import Actor
from core.identity import sessions
from core.log_text import LogType
from core.runner import claims
from core.tasks import commands, notifications
from tests.api.calls import Caller
from tests.api.streams import PATIENCE, Counted, Event, Opened, events
from tests.support import databases
from tests.support.databases import unguarded
from tests.support.waiting import eventually
from tests.support.world import World

MakeTask = Callable[..., int]


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as running:
        yield running


@pytest.fixture(scope="session")
def api() -> FastAPI:
    return create_api()


@pytest.fixture(scope="session")
def app(api: FastAPI) -> Starlette:
    return Starlette(routes=[Mount("/api", api)], middleware=[Middleware(Client), Middleware(Hardening)])


@pytest.fixture(scope="session")
def url(portal: BlockingPortal, app: Starlette) -> Iterator[str]:
    """Where the same API is served by uvicorn: what streams, streams here."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_config=None))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        served = portal.start_task_soon(server.serve, [listening])
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        server.should_exit = True
        served.result(10)


@pytest.fixture
def listeners() -> Counted:
    """How many more listen for news of tasks than when the test began."""
    before = notifications.task_changed._listeners
    return lambda: len([one for one in notifications.task_changed._listeners if one not in before])


@pytest.fixture
def opened(url: str, ada_token: str, listeners: Counted) -> Iterator[Opened]:
    """Open a task's stream as Ada, unless other headers are given; in the end nobody listens any more."""

    @contextmanager
    def stream(task_id: object, **given: Any) -> Iterator[Iterator[Event]]:
        given = {"headers": {"Authorization": f"Bearer {ada_token}"}} | given
        with (
            httpx.Client(base_url=url, timeout=PATIENCE) as client,
            client.stream("GET", f"/tasks/{task_id}/events", **given) as answer,
        ):
            yield events(answer)

    yield stream
    eventually(lambda: not listeners())


@pytest.fixture
def anybody(portal: BlockingPortal, app: Starlette) -> Caller:
    """A caller without any identity."""
    return Caller(portal, app)


@pytest.fixture
def by_ada(anybody: Caller, ada_token: str) -> Caller:
    return anybody.having(Authorization=f"Bearer {ada_token}")


@pytest.fixture
def by_bob(anybody: Caller, bob_token: str) -> Caller:
    return anybody.having(Authorization=f"Bearer {bob_token}")


@pytest.fixture
def cookie(ada: Actor) -> str:
    """The value of Ada's session cookie."""
    return sessions.redeem(sessions.ticket(sessions.start(ada)))


@pytest.fixture
def by_cookie(anybody: Caller, cookie: str) -> Caller:
    """Ada's browser: her cookie, and no header yet that says which page calls."""
    return anybody.having(Cookie=f"{sessions.PLAIN_COOKIE}={cookie}")


@pytest.fixture
def make_task() -> MakeTask:
    """Insert a task in any state, with so many log entries; its id."""

    def make(owner: Actor, status: str = "pending", *, entries: int = 0, **values: Any) -> int:
        reason = {"completed": EndReason.COMPLETED, "error": EndReason.FAILED}.get(status)
        row = {"prompt": "Count", "selected_agent": "data-processor", "end_reason": reason} | values
        with unguarded() as session:
            task = Task(user_id=owner.id, status=TaskStatus(status), log_count=entries, **row)
            session.add(task)
            session.flush()
            named = {"task_id": task.id, "user_id": owner.id, "timestamp": engine.now(), "type": LogType.INFO}
            session.add_all(TaskLog(**named, seq=seq, message=f"line {seq}") for seq in range(1, entries + 1))
            return task.id

    return make


@pytest.fixture
def mine(make_task: MakeTask, ada: Actor) -> MakeTask:
    """The same for a task of Ada's."""
    return partial(make_task, ada)


@pytest.fixture
def running(ada: Actor) -> claims.Claim:
    """A task of Ada's that a runner has just taken; two entries stand in its log."""
    commands.create(ada, prompt="Count", agent="data-processor")
    claim = claims.claim("runner", 30)
    assert claim is not None
    return claim


@pytest.fixture
def extension(tmp_path: Path) -> float:
    """By how many seconds agents.toml lets owners extend the tasks of data-processor."""
    (tmp_path / "agents.toml").write_text("[agents.data-processor]\nextension = 120\n")
    catalog.catalog.cache_clear()
    return 120


@pytest.fixture
def away(world: World) -> Iterator[None]:
    """From now on the configured database does not answer."""
    engine.dispose()
    with world.nowhere():
        yield


@pytest.fixture
def locked(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another process keeps everybody from writing, and nobody waits long for it."""
    monkeypatch.setattr(engine, "LOCK_WAIT", 0.05)
    engine.dispose()
    with databases.current.locked():
        yield
    engine.dispose()

"""The API as app.py composes it, its callers, and rows made straight through the models."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.applications import Starlette
from starlette.routing import Mount

from api.routes import create_api
from core import db
from core.auth import sessions
from core.models import EndReason, LogType, Task, TaskLog, TaskStatus
from core.ownership import Actor, acting_as_system
from tests.api.calls import Caller

MakeTask = Callable[..., int]


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as running:
        yield running


@pytest.fixture(scope="session")
def app() -> Starlette:
    return Starlette(routes=[Mount("/api", create_api())])


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
    return anybody.having(Cookie=f"{sessions.COOKIE}={cookie}")


@pytest.fixture
def make_task() -> MakeTask:
    """Insert a task in any state, with so many log entries; its id."""

    def make(owner: Actor, status: str = "pending", *, entries: int = 0, **values: Any) -> int:
        reason = {"completed": EndReason.COMPLETED, "error": EndReason.FAILED}.get(status)
        row = {"prompt": "Count", "selected_agent": "data-processor", "end_reason": reason} | values
        with acting_as_system() as session:
            task = Task(user_id=owner.id, status=TaskStatus(status), log_count=entries, **row)
            session.add(task)
            session.flush()
            named = {"task_id": task.id, "user_id": owner.id, "timestamp": db.now(), "type": LogType.INFO}
            session.add_all(TaskLog(**named, seq=seq, message=f"line {seq}") for seq in range(1, entries + 1))
            return task.id

    return make

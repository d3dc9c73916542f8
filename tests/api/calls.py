"""How the tests call the API, and what they look at in an answer."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal
from sqlalchemy import func, select
from starlette.types import ASGIApp

from core.config import settings
from core.database.engine import Base
from core.database.models import Artifact, Task, TaskLog
from core.database.ownership import Actor
from core.sandbox.output import media_type
from tests.support.databases import unguarded

ORIGIN = "http://taskdeck.test"

#: What a task is made of on the wire.
TASK_FIELDS = {
    *("id", "user_id", "status", "progress", "prompt", "repo_url", "selected_agent", "selected_model", "sandbox_url"),
    *("branch_name", "logs", "created_at", "updated_at", "end_reason", "error", "started_at", "finished_at"),
    *("rerun_of", "log_count", "cancel_requested_at", "deadline", "extendable"),
}

#: Every call on one task, as method and what follows /tasks/{task_id}.
TASK_CALLS = [
    *(("GET", ""), ("DELETE", ""), ("GET", "/logs"), ("GET", "/events"), ("GET", "/artifacts/")),
    *(("GET", "/artifacts/report.md"), ("GET", "/artifacts/charts/a.svg"), ("GET", "/artifacts.zip")),
    *(("POST", "/cancel"), ("POST", "/extend"), ("POST", "/rerun")),
]

NEW = {"prompt": "Count"}

Headers = dict[str, str | bytes]


@dataclass(frozen=True)
class Caller:
    """Somebody who calls the API with these headers, from any thread; it keeps no cookies of its own."""

    portal: BlockingPortal
    app: ASGIApp
    headers: Headers = field(default_factory=dict)
    origin: str = ORIGIN

    def call(self, method: str, path: str, *, headers: Headers | None = None, **given: Any) -> httpx.Response:
        return self.portal.call(partial(self._call, method, path, self.headers | (headers or {}), **given))

    async def _call(self, method: str, path: str, headers: Headers, **given: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=self.origin) as client:
            return await client.request(method, f"/api{path}", headers=headers, **given)

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.call("GET", path, **given)

    def post(self, path: str, **given: Any) -> httpx.Response:
        return self.call("POST", path, **given)

    def delete(self, path: str, **given: Any) -> httpx.Response:
        return self.call("DELETE", path, **given)

    def having(self, **headers: str | bytes) -> "Caller":
        """The same caller with more headers; an underscore stands for a dash."""
        return replace(self, headers=self.headers | {name.replace("_", "-"): text for name, text in headers.items()})


def sentence(answer: httpx.Response) -> str:
    """The one clear sentence of an error; fails when the answer is anything else."""
    assert answer.headers.get("content-type") == "application/json", answer.text
    body = answer.json()
    assert isinstance(body, dict) and list(body) == ["error"], body
    text = body["error"]
    assert isinstance(text, str), body
    assert text.endswith((".", "…")) and "\n" not in text and 10 < len(text) < 300, text
    for inside in ("Traceback", "sqlalchemy", "sqlite", "pydantic", "<class", "Error("):
        assert inside not in text, text
    return text


def same(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether two answers are equal byte for byte, but for the date and the request's id."""

    def seen(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
        headers = [(name, text) for name, text in answer.headers.multi_items() if name not in ("date", "x-request-id")]
        return answer.status_code, answer.content, headers

    return seen(one) == seen(other)


def rows(table: type[Base]) -> int:
    """How many rows a table has, whosever they are."""
    with unguarded() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def stored() -> list[tuple[Any, ...]]:
    """All that the tables hold of tasks and their logs, whosever they are."""
    with unguarded() as session:
        return [tuple(row) for table in (Task, TaskLog) for row in session.execute(select(table.__table__))]


def refused_as_unknown(caller: Caller) -> None:
    """Neither reading nor writing is answered, and nothing is written."""
    before = rows(Task)
    for answer in (caller.get("/tasks"), caller.post("/tasks", json=NEW), caller.delete("/tasks?action=completed")):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert sentence(answer)
    assert rows(Task) == before


def keep(owner: Actor, task_id: int, name: str, content: bytes = b"content") -> None:
    """Leave a file as a finished task does: a row, and the bytes in the task's folder."""
    path = settings().artifacts / str(task_id) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with unguarded() as session:
        digest = hashlib.sha256(content).hexdigest()
        row = {"name": name, "size": len(content), "sha256": digest, "media_type": media_type(name)}
        session.add(Artifact(task_id=task_id, user_id=owner.id, **row))

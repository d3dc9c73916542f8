"""The API: each route asks core one thing and shapes the answer."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Query
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi_offline import FastAPIOffline
from pydantic import BeforeValidator

from api import errors, events, files, health, schemas, session
from api.identity import CurrentActor
from api.server import headers
from api.server.client import Origin
from api.server.hardening import DOCUMENTATION_FILES
from core import __version__
from core.agents.registry import DEFAULT, agents
from core.database.models import Task, TaskStatus
from core.database.ownership import Actor
from core.tasks import commands, listing, logs
from core.words import count

TAIL_ENTRIES = 20

Logs = Literal["all", "tail", "none"]
_ENTRIES = {"all": logs.PAGE_ENTRIES, "tail": TAIL_ENTRIES, "none": 0}

_FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": schemas.Failure},
    "503": {"model": schemas.Failure},
}

router = APIRouter()


def create_api() -> FastAPI:
    """The whole API, to be mounted at /api."""
    # The offline variant serves the documentation's files itself, where FastAPI refers to a public server.
    api = FastAPIOffline(
        title="Taskdeck",
        version=__version__,
        description='Hand tasks to agents and read what they did. Errors are always `{"error": "one sentence"}`.',
        static_url=DOCUMENTATION_FILES,
        docs_url=None,
        redoc_url=None,
    )
    errors.install(api)
    api.add_middleware(Origin)
    api.add_api_route("/docs", show_documentation, include_in_schema=False)
    api.state.closing = False
    for each in (router, events.router, files.router, health.router, session.router):
        api.include_router(each, responses=_FAILURES)
    return api


async def show_documentation() -> HTMLResponse:
    """The API's documentation; its one inline script may run."""
    assets = DOCUMENTATION_FILES.removeprefix("/")
    page = get_swagger_ui_html(
        title="Taskdeck API",
        openapi_url="openapi.json",
        swagger_js_url=f"{assets}/swagger-ui-bundle.js",
        swagger_css_url=f"{assets}/swagger-ui.css",
        swagger_favicon_url=f"{assets}/favicon.png",
    )
    page.headers["Content-Security-Policy"] = headers.policy(bytes(page.body).decode())
    return page


@router.get("/tasks", tags=["tasks"])
def list_tasks(
    actor: CurrentActor,
    limit: int = 50,
    cursor: str | None = None,
    status: Annotated[TaskStatus | None, BeforeValidator(lambda word: word or None)] = None,
    q: Annotated[str, Query(description="Only tasks whose prompt holds this text.")] = "",
    logs: Annotated[Logs, Query(description="The last 1,000 entries of each task, the last 20, or none.")] = "all",
) -> schemas.TaskPage:
    """The caller's own tasks, newest first."""
    page = listing.page(actor, status=status, query=q, limit=limit, cursor=cursor)
    return schemas.TaskPage(tasks=_all_shown(actor, page.tasks, logs), nextCursor=page.next_cursor)


@router.post("/tasks", status_code=201, tags=["tasks"])
def create_task(actor: CurrentActor, new: schemas.NewTask) -> schemas.CreatedTask:
    """Accept a task; it runs in the background."""
    task = commands.create(
        actor, prompt=new.prompt, repo_url=new.repoUrl, agent=new.selectedAgent, model=new.selectedModel
    )
    return schemas.CreatedTask(task=_shown(actor, task), message="Task created; it runs in the background.")


@router.delete("/tasks", tags=["tasks"])
def delete_tasks(
    actor: CurrentActor,
    action: Annotated[
        str, Query(description="completed, failed, or both with a comma", examples=["completed,failed"])
    ] = "",
) -> schemas.Deleted:
    """Delete all of the caller's completed and/or failed tasks."""
    number = commands.delete_ended(actor, [word.strip() for word in action.split(",")])
    return schemas.Deleted(message=f"{count(number, 'task')} deleted.", deletedCount=number)


@router.get("/tasks/{task_id}", tags=["tasks"])
def get_task(actor: CurrentActor, task_id: int) -> schemas.OneTask:
    """One task with its last 1,000 log entries."""
    return schemas.OneTask(task=_shown(actor, commands.find(actor, task_id)))


@router.delete("/tasks/{task_id}", tags=["tasks"])
def delete_task(actor: CurrentActor, task_id: int) -> schemas.Message:
    """Delete a task with its log and files; a running one is stopped."""
    commands.delete_one(actor, task_id)
    return schemas.Message(message="Task deleted.")


@router.post("/tasks/{task_id}/cancel", tags=["tasks"])
def cancel_task(actor: CurrentActor, task_id: int) -> schemas.OneTask:
    """Stop a task; asking again changes nothing. 409 when it has ended."""
    return schemas.OneTask(task=_shown(actor, commands.cancel(actor, task_id)))


@router.post("/tasks/{task_id}/extend", tags=["tasks"])
def extend_task(actor: CurrentActor, task_id: int) -> schemas.OneTask:
    """Give a running task more time, once, where the agent's settings allow it; else 409."""
    return schemas.OneTask(task=_shown(actor, commands.extend(actor, task_id)))


@router.post("/tasks/{task_id}/rerun", status_code=201, tags=["tasks"])
def rerun_task(actor: CurrentActor, task_id: int, changed: schemas.Rerun | None = None) -> schemas.CreatedTask:
    """Run a task again as a new one, with changes if there are any; the log of the new one says which."""
    task = commands.rerun(actor, task_id, **(changed or schemas.Rerun()).changes())
    return schemas.CreatedTask(task=_shown(actor, task), message=f"Task {task_id} runs again in the background.")


@router.get("/tasks/{task_id}/logs", tags=["tasks"])
def list_logs(
    actor: CurrentActor,
    task_id: int,
    after: Annotated[int, Query(description="Only entries that follow this id.")] = 0,
    limit: int = logs.PAGE_ENTRIES,
) -> schemas.LogPage:
    """Log entries, oldest first: ask again with the last id to read on."""
    entries = logs.after(actor, task_id, after, limit)
    return schemas.LogPage(logs=[schemas.LogEntry.model_validate(entry) for entry in entries])


@router.get("/agents", tags=["agents"])
def list_agents(actor: CurrentActor) -> schemas.AgentList:
    """Every agent, whether it can run here, and if not why."""
    return schemas.AgentList(
        agents=[
            schemas.AgentOut(
                name=agent.info.name,
                title=agent.info.title,
                summary=agent.info.summary,
                models=list(agent.info.models),
                allow_other_models=agent.info.allow_other_models,
                changes_files=agent.info.changes_files,
                default=agent.info.name == DEFAULT,
                available=(reason := agent.unavailable()) is None,
                reason=reason,
            )
            for agent in agents().values()
        ]
    )


def _shown(actor: Actor, task: Task) -> schemas.LoggedTask:
    (shown,) = _all_shown(actor, [task], "all")
    return shown


def _all_shown(actor: Actor, found: list[Task], amount: Logs) -> list[schemas.LoggedTask]:
    limit = _ENTRIES[amount]
    entries = logs.newest(actor, [task.id for task in found], limit) if limit else {}
    return [
        schemas.LoggedTask.of(task, logs=[schemas.LogEntry.model_validate(entry) for entry in entries.get(task.id, [])])
        for task in found
    ]

"""The wire: camelCase in requests, the table's names in answers, ids as strings, times in ISO 8601 with Z."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PlainSerializer

from core.database.models import Artifact, EndReason, Task, TaskStatus
from core.log_text import LogType
from core.tasks.commands import Changes, deadline, why_not_extend

Moment = Annotated[
    datetime,
    PlainSerializer(lambda moment: moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")),
]
Id = Annotated[str, BeforeValidator(str)]

_LOG_EXAMPLE: JsonValue = {
    "id": "3",
    "timestamp": "2026-01-05T09:30:01.250Z",
    "type": "info",
    "message": "orders.csv: 12,000 rows",
}


class NewTask(BaseModel):
    """A task to create."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {"prompt": "Profile the data and name the outliers", "selectedAgent": "data-processor"},
                {
                    "prompt": "Check the data before we publish it",
                    "repoUrl": "https://git.example.org/team/data",
                    "selectedAgent": "data-processor",
                },
            ]
        },
    )

    prompt: str = Field(description="What to do: 1 to 20,000 characters.")
    repoUrl: str | None = Field(None, description="An https address without user name or password.")  # noqa: N815
    selectedAgent: str | None = Field(None, description="A name from /agents; claude if left out.")  # noqa: N815
    selectedModel: str | None = Field(None, description="One of the agent's models; its first if left out.")  # noqa: N815


class Rerun(BaseModel):
    """What to do differently; what is left out stays as it was."""

    model_config = ConfigDict(
        strict=True, extra="forbid", json_schema_extra={"examples": [{}, {"selectedAgent": "codex"}]}
    )

    prompt: str = Field("", description="1 to 20,000 characters.")
    repoUrl: str | None = Field(None, description="null for none.")  # noqa: N815
    selectedAgent: str = Field("", min_length=1, description="A name from /agents.")  # noqa: N815
    selectedModel: str | None = Field(None, description="One of the agent's models; null for its first.")  # noqa: N815

    def changes(self) -> Changes:
        """What was sent, in the words of core."""
        names = {"prompt": "prompt", "repoUrl": "repo_url", "selectedAgent": "agent", "selectedModel": "model"}
        return cast(Changes, {names[name]: getattr(self, name) for name in self.model_fields_set})


class LogEntry(BaseModel):
    """A log entry; its id counts from 1 without gaps within the task."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_LOG_EXAMPLE]})

    id: Id = Field(validation_alias="seq")
    timestamp: Moment
    type: LogType
    message: str


class TaskOut(BaseModel):
    """A task."""

    model_config = ConfigDict(from_attributes=True)

    id: Id
    user_id: Id
    status: TaskStatus
    progress: int = Field(description="Percent; 100 only when completed.")
    prompt: str
    repo_url: str | None
    selected_agent: str
    selected_model: str | None
    sandbox_url: str | None = Field(description="Where the task's files are, once there are some.")
    branch_name: str | None
    created_at: Moment
    updated_at: Moment
    end_reason: EndReason | None
    error: str | None = Field(description="Why it failed, in one sentence.")
    started_at: Moment | None
    finished_at: Moment | None
    cancel_requested_at: Moment | None = Field(description="When its owner asked for its stop.")
    deadline: Moment | None = Field(description="When its limit will stop it; null unless it runs.")
    extendable: bool = Field(description="Whether /extend would give it more time.")
    rerun_of: Annotated[str | None, BeforeValidator(lambda number: number and str(number))]
    log_count: int

    @classmethod
    def of(cls, task: Task, **more: Any) -> Self:
        """The wire's form of a task."""
        computed = {"deadline": deadline(task), "extendable": why_not_extend(task) is None} | more
        shown = {name: getattr(task, name) for name in cls.model_fields if name not in computed}
        return cls(**shown, **computed)


class LoggedTask(TaskOut):
    """A task with the newest of its log entries."""

    logs: list[LogEntry] = []


class OneTask(BaseModel):
    task: LoggedTask


class CreatedTask(BaseModel):
    task: LoggedTask
    message: str


class TaskPage(BaseModel):
    tasks: list[LoggedTask]
    nextCursor: str | None = Field(description="Send it as cursor for the next page; null at the end.")  # noqa: N815


class LogPage(BaseModel):
    logs: list[LogEntry]


class Message(BaseModel):
    message: str


class Deleted(BaseModel):
    message: str
    deletedCount: int  # noqa: N815


class AgentOut(BaseModel):
    """An agent, and whether it can run here."""

    name: str
    title: str
    summary: str
    models: list[str] = Field(description="The first is its default.")
    allow_other_models: bool = Field(description="Whether it takes models that are not in the list.")
    changes_files: bool = Field(description="Whether its work is a commit on a branch of its own, and a patch.")
    default: bool = Field(description="Whether it works on tasks that name none.")
    available: bool
    reason: str | None = Field(description="Why it is not available.")


class AgentList(BaseModel):
    agents: list[AgentOut]


class ArtifactOut(BaseModel):
    """A file that a task made; size in bytes."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    size: int
    sha256: str
    media_type: str
    url: str

    @classmethod
    def of(cls, artifact: Artifact, url: str) -> "ArtifactOut":
        """The wire's form of a file."""
        return cls(
            name=artifact.name, size=artifact.size, sha256=artifact.sha256, media_type=artifact.media_type, url=url
        )


class ArtifactList(BaseModel):
    artifacts: list[ArtifactOut]


class RunnerOut(BaseModel):
    """A runner that holds tasks."""

    model_config = ConfigDict(from_attributes=True)

    name: Annotated[str, BeforeValidator(lambda name: name.rpartition(":")[2])] = Field(
        description="The last part alone: host and process are not shown without an identity."
    )
    tasks: int
    lease_seconds: float = Field(description="Until the first of its leases ends, unless it is renewed.")


class SandboxOut(BaseModel):
    """What surrounds the processes of tasks; what does not apply is left out."""

    state: Literal["bwrap", "none", "unavailable"]
    reason: str | None = Field(None, description="Why there is no sandbox.")
    memory: Literal["cgroup", "watch"] = Field(description="What bounds it: the kernel, or a check every half second.")


class Health(BaseModel):
    """How the service stands; what does not apply is left out."""

    status: Literal["ok", "degraded"]
    version: str
    error: str | None = None
    pending: int | None = Field(None, description="Tasks that wait for a runner; 10,001 means more than 10,000.")
    oldest_pending_seconds: float | None = None
    runners: list[RunnerOut] | None = None
    slots: int | None = Field(None, description="How many tasks this server runs at once.")
    busy: int | None = Field(None, description="How many it runs now.")
    last_sweep_seconds: float | None = Field(None, description="Since this server last looked for waiting tasks.")
    sandbox: SandboxOut | None = None


class Ticket(BaseModel):
    ticket: str


class Failure(BaseModel):
    """What every error looks like."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"error": "There is no such task."}]})

    error: str

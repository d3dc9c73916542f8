"""The wire: camelCase in requests, the table's names in answers, ids as strings, times in ISO 8601 with Z."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PlainSerializer

from core.models import Artifact, EndReason, LogType, Task, TaskLog, TaskStatus

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
    selectedModel: str | None = Field(None, description="One of the agent's models.")  # noqa: N815


class LogEntry(BaseModel):
    """A log entry; its id counts from 1 without gaps within the task."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_LOG_EXAMPLE]})

    id: Id = Field(validation_alias="seq")
    timestamp: Moment
    type: LogType
    message: str


class TaskOut(BaseModel):
    """A task with the newest of its log entries."""

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
    rerun_of: Annotated[str | None, BeforeValidator(lambda number: number and str(number))]
    log_count: int
    logs: list[LogEntry] = []

    @classmethod
    def of(cls, task: Task, entries: list[TaskLog]) -> "TaskOut":
        """The wire's form of a task."""
        shown = {name: getattr(task, name) for name in cls.model_fields if name != "logs"}
        return cls(**shown, logs=[LogEntry.model_validate(entry) for entry in entries])


class OneTask(BaseModel):
    task: TaskOut


class CreatedTask(BaseModel):
    task: TaskOut
    message: str


class TaskPage(BaseModel):
    tasks: list[TaskOut]
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
    models: list[str]
    default: bool
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


class Health(BaseModel):
    status: str
    version: str


class Ticket(BaseModel):
    ticket: str


class Failure(BaseModel):
    """What every error looks like."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"error": "There is no such task."}]})

    error: str

"""One run of a real agent: its program in the box, the gateway, and the stand-in of its model's API."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from core.agents.base import Assignment, LogLine, OutputParser
from core.agents.drivers.claude import Claude
from core.agents.drivers.codex import Codex
from core.sandbox import isolation
from core.sandbox.command import ResourceLimits
from core.sandbox.gateway import Gateway
from core.sandbox.process import Process
from core.sandbox.workspace import Workspace
from tests.core.agents.model_api import ModelApi, Turn
from tests.core.sandbox.commands import living
from tests.support import clis

TASK = 7
VARIABLE = "TEST_MODEL_KEY"
GIVEN_UP = "It gave no sign of life."


def agent(kind: type[Claude | Codex], upstream: str = "http://127.0.0.1:9", **changes: object) -> Claude | Codex:
    """Claude or Codex as the registry makes them, with the programs that the tests have."""
    words = {"name": kind.__name__.lower(), "title": kind.__name__, "summary": "Writes code."}
    program, model = {Claude: (clis.CLAUDE, "sonnet"), Codex: (clis.CODEX, "gpt-5.5")}[kind]
    given = {
        "program": (str(program),),
        "models": (model,),
        "key_variable": VARIABLE,
        "upstream_url": upstream,
        "limits": ResourceLimits(),
        "idle": 60.0,
    }
    return kind(**words, **(given | changes))  # type: ignore[arg-type]


@dataclass
class Outcome:
    """What became of a run."""

    workspace: Workspace
    api: ModelApi
    entries: list[LogLine] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)  #: the lines of its standard error
    status: int = -1
    failure: str | None = None
    used: str | None = None
    seconds: float = 0.0

    def said(self, kind: str) -> list[str]:
        return [entry.message for entry in self.entries if entry.type == kind]

    def read(self, name: str) -> str:
        return (self.workspace.repository / name).read_text()

    def survivors(self) -> list[psutil.Process]:
        """The processes that still work in the repository."""
        return living(self.workspace.repository)

    def files(self) -> Iterator[Path]:
        return (path for path in self.workspace.root.rglob("*") if path.is_file() and not path.is_symlink())


@contextmanager
def run(
    kind: type[Claude | Codex],
    root: Path,
    *turns: Turn | Callable[[Path], Turn],
    prompt: str = "Do it.",
    model: str | None = None,
    fill: Callable[[Path], None] = lambda repository: None,
    watch: Callable[[Outcome], bool] = lambda so_far: True,
    **changes: object,
) -> Iterator[Outcome]:
    """Let an agent work, in a repository that ``fill`` fills, until it ends, is idle or ``watch`` says no.

    A turn of the model may depend on where the repository is; ``changes`` are made to the agent.
    """
    workspace = Workspace(root, TASK)
    with workspace, ModelApi(*(turn(workspace.repository) if callable(turn) else turn for turn in turns)) as api:
        workspace.make()
        workspace.make_repository()
        fill(workspace.repository)
        isolation.chown_folder(workspace.repository, workspace.user)
        outcome = Outcome(workspace, api)
        chosen = agent(kind, api.url, **changes)
        live(chosen, prompt, model or chosen.models[0], outcome, watch)
        yield outcome


def live(chosen: Claude | Codex, prompt: str, model: str, outcome: Outcome, watch: Callable[[Outcome], bool]) -> None:
    """The runner's loop, as short as it can be."""
    workspace = outcome.workspace
    gateway = Gateway(chosen.upstream, workspace.gateway, workspace.user)
    with gateway as endpoint:
        assignment = Assignment(
            prompt=prompt,
            model=model,
            repository=workspace.repository,
            repository_url=None,
            output=workspace.output,
            home=workspace.home,
            sandbox=workspace.sandbox(chosen.limits, changes_files=True),
            endpoint=endpoint,
        )
        listener = chosen.output_parser(assignment)
        began = heard = time.monotonic()
        with Process(chosen.command(assignment), 30) as process:
            while not process.ended and time.monotonic() - max(heard, gateway.heard) < chosen.idle and watch(outcome):
                assert time.monotonic() - began < 90
                process.alive()
                for line, is_error in process.read(0.1):
                    heard = time.monotonic()
                    note(outcome, listener, line, is_error)
            given_up = not process.ended
            process.stop()
            outcome.status = process.exit_status
            outcome.failure = GIVEN_UP if given_up else process.verdict or listener.failure(outcome.status)
    outcome.seconds = time.monotonic() - began
    outcome.used = gateway.summary()


def note(outcome: Outcome, listener: OutputParser, line: str, is_error: bool) -> None:
    """Add what a line means."""
    if is_error:
        outcome.noise.append(line)
        return
    for meaning in listener.feed(line):
        if isinstance(meaning, LogLine):
            outcome.entries.append(meaning)
        else:
            outcome.shares.append(meaning.share)


def host_users() -> str:
    """A line about this machine's users that the box does not have."""
    return Path("/etc/passwd").read_text().splitlines()[1]


def texts(value: Any) -> list[str]:
    """Every text in a document."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in texts(part)]

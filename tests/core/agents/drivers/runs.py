"""One run of a real agent: its program in the sandbox, the gateway, and the stand-in of its model's API."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from core.agents.base import Assignment, LogLine
from core.agents.drivers import DRIVERS
from core.agents.drivers.claude import Claude
from core.agents.drivers.codex import Codex
from core.agents.drivers.model_cli import ModelCli
from core.sandbox import folders
from core.sandbox.gateway import Gateway
from core.sandbox.process import Process
from core.sandbox.workspace import Workspace
from tests.core.agents.model_api import ModelApi, Turn
from tests.core.sandbox.commands import living
from tests.support import clis

TASK = 7
VARIABLE = "TEST_MODEL_KEY"
GIVEN_UP = "It gave no sign of life."

Kind = type[Claude | Codex]
KINDS: list[Kind] = [Claude, Codex]
PROGRAMS = {Claude: (clis.CLAUDE, "sonnet"), Codex: (clis.CODEX, "gpt-5.5")}


def agent(kind: Kind, upstream: str = "http://127.0.0.1:9", **changes: object) -> ModelCli:
    """Claude or Codex as the registry makes them, with the programs that the tests have."""
    name, (program, model) = kind.__name__.lower(), PROGRAMS[kind]
    table = {"driver": name, "command": [str(program)], "models": [model], "upstream": upstream, "idle": 60.0}
    made = DRIVERS[name].model_validate({**table, "secrets": {"api_key": VARIABLE}, **changes}).agent(name)
    assert isinstance(made, kind)
    return made


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
    kind: Kind,
    root: Path,
    *turns: Turn | Callable[[Path], Turn],
    prompt: str = "Do it.",
    model: str | None = None,
    fill: Callable[[Path], None] = lambda repository: None,
    watch: Callable[[Outcome], bool] = lambda so_far: True,
    **changes: object,
) -> Iterator[Outcome]:
    """Let an agent work, in a repository that ``fill`` fills, until it ends, is idle or ``watch`` says no.

    A turn of the model may depend on where the repository is; ``changes`` are made to the agent's settings.
    """
    workspace = Workspace(root, TASK)
    with workspace, ModelApi(*(turn(workspace.repository) if callable(turn) else turn for turn in turns)) as api:
        workspace.make()
        workspace.make_repository()
        fill(workspace.repository)
        folders.chown_tree(workspace.repository, workspace.user)
        outcome = Outcome(workspace, api)
        chosen = agent(kind, api.url, **changes)
        work(chosen, prompt, model or chosen.info.models[0], outcome, watch)
        yield outcome


def work(chosen: ModelCli, prompt: str, model: str, outcome: Outcome, watch: Callable[[Outcome], bool]) -> None:
    """The runner's loop, as short as it can be."""
    workspace, info = outcome.workspace, chosen.info
    assert info.upstream
    gateway = Gateway(info.upstream, workspace.gateway, workspace.user)
    with gateway as endpoint:
        sandbox = workspace.sandbox(info.limits, changes_files=True)
        folders = (workspace.repository, None, workspace.output, workspace.home)
        assignment = Assignment(prompt, model, *folders, sandbox, endpoint)
        parser = chosen.output_parser(assignment)
        began = heard = time.monotonic()
        with Process(chosen.command(assignment), 30) as process:
            while not process.ended and time.monotonic() - max(heard, gateway.heard) < info.idle and watch(outcome):
                assert time.monotonic() - began < 90
                process.alive()
                for line, is_error in process.read(0.1):
                    heard = time.monotonic()
                    if is_error:
                        outcome.noise.append(line)
                        continue
                    for meaning in parser.feed(line):
                        if isinstance(meaning, LogLine):
                            outcome.entries.append(meaning)
                        else:
                            outcome.shares.append(meaning.share)
            given_up = not process.ended
            process.stop()
            outcome.status = process.exit_status
            outcome.failure = GIVEN_UP if given_up else process.verdict or parser.failure(outcome.status)
    outcome.seconds = time.monotonic() - began
    outcome.used = gateway.summary()


def host_users() -> str:
    """A line about this machine's users that the sandbox does not have."""
    return Path("/etc/passwd").read_text().splitlines()[1]


def texts(value: Any) -> list[str]:
    """Every text in a document."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in texts(part)]

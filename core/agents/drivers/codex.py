"""The driver ``codex``: Codex, OpenAI's program (tested with 0.169.0)."""

import json
from pathlib import Path
from typing import ClassVar, Literal

from core.agents.base import Assignment
from core.agents.drivers.codex_stream import CodexStream
from core.agents.drivers.model_cli import CODING, ModelCli
from core.agents.fields import Argv, Models, WebAddress
from core.agents.settings import ModelSecrets, ModelSettings, Words
from core.sandbox import isolation
from core.sandbox.command import Command

#: The variable that holds the task's token; commands that Codex starts do not get it.
TOKEN = "TASKDECK_MODEL_TOKEN"  # noqa: S105  its name

#: How it treats an API that fails or falls silent.
PATIENCE = {"request_max_retries": 1, "stream_max_retries": 3, "stream_idle_timeout_ms": 60_000}

_SETTINGS = (
    'model_provider="taskdeck"',
    'shell_environment_policy.inherit="core"',
    'history.persistence="none"',
    'web_search="disabled"',
    'otel.exporter="none"',
    "analytics.enabled=false",
    "feedback.enabled=false",
    "check_for_update_on_startup=false",
)
_SANDBOXED = ("--dangerously-bypass-approvals-and-sandbox",)
#: Without a sandbox its own sandbox holds the commands that it starts, and lets them write to the repository alone.
_UNSANDBOXED = (
    *("--sandbox", "workspace-write"),
    *("-c", "sandbox_workspace_write.exclude_slash_tmp=true"),
    *("-c", "sandbox_workspace_write.exclude_tmpdir_env_var=true"),
)


class CodexSettings(ModelSettings):
    """The program, its models and their API, as OpenAI has them."""

    words: ClassVar[Words] = Words("Codex", "Writes and changes code in a repository, with an OpenAI model.", CODING)
    header: ClassVar[Literal["authorization"]] = "authorization"
    paths: ClassVar[tuple[str, ...]] = ("/v1/responses",)

    driver: Literal["codex"]
    command: Argv = ("codex",)
    models: Models = ("gpt-6.1-sol", "gpt-6-astra", "gpt-6-luna")
    secrets: ModelSecrets = ModelSecrets(api_key="OPENAI_API_KEY")
    upstream: WebAddress = "https://api.openai.com"

    def agent(self, name: str) -> "Codex":
        return Codex.of(name, self)


class Codex(ModelCli):
    """Codex, headless; the prompt comes on its standard input. It trusts no repository, so reads no settings there."""

    def command(self, assignment: Assignment) -> Command:
        assert assignment.repository and assignment.endpoint  # noqa: S101  promised by changes_files and upstream
        model = ("--model", assignment.model) if assignment.model else ()
        settings = (*_SETTINGS, *_provider(assignment.endpoint.port))
        argv = self._started(
            assignment,
            *("exec", "--json", "--skip-git-repo-check", "--ephemeral", *model),
            *(_SANDBOXED if isolation.enforced() else _UNSANDBOXED),
            *(word for setting in settings for word in ("-c", setting)),
            "-",
        )
        return Command(
            argv=argv,
            cwd=assignment.repository,
            shown=" ".join((self.info.name, *model)),
            sandbox=self._sandboxed(assignment),
            stdin=assignment.prompt,
            env={
                "HOME": str(assignment.home),
                "TMPDIR": str(_temporary(assignment.home)),
                TOKEN: assignment.endpoint.token,
            },
        )

    def output_parser(self, assignment: Assignment) -> CodexStream:
        return CodexStream(self.info.name, assignment.repository)


def _provider(port: int) -> list[str]:
    provider = {
        "name": "Taskdeck",
        "base_url": f"http://127.0.0.1:{port}/v1",
        "env_key": TOKEN,
        "wire_api": "responses",
    }
    return [f"model_providers.taskdeck.{name}={json.dumps(value)}" for name, value in (provider | PATIENCE).items()]


def _temporary(home: Path) -> Path:
    # Codex makes this folder, for the programs that it needs beside itself; if its home lay in the folder for temporary
    # files it would not, and every command would fail with nothing said.
    return home / ".codex" / "tmp"

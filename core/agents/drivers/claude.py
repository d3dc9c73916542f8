"""The driver ``claude``: Claude Code, Anthropic's program, version 2.1 (tested with 2.1.197)."""

import math
from typing import ClassVar, Literal

from core.agents.base import Assignment
from core.agents.drivers.claude_stream import ClaudeStream
from core.agents.drivers.model_cli import CODING, ModelCli
from core.agents.fields import Argv, Models, WebAddress
from core.agents.settings import ModelSecrets, ModelSettings, Words
from core.sandbox import isolation
from core.sandbox.command import Command

#: It may not ask anybody but the model, and gives up on an API that does not answer before the task does.
ENVIRONMENT = {
    "API_TIMEOUT_MS": "60000",
    "CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD": "1",
    "CLAUDE_CODE_MAX_RETRIES": "3",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}

#: Settings, hooks and servers of the repository are not read: without these it would run them, and send the key where
#: they say. The repository's CLAUDE.md is read all the same, as that of a folder that is added, which has no settings.
#: The tools that are not allowed need a network.
_ARGUMENTS = (
    *("-p", "--output-format", "stream-json", "--verbose"),
    *("--setting-sources", "user", "--strict-mcp-config", "--disable-slash-commands", "--no-session-persistence"),
)
_SANDBOXED = ("--permission-mode", "bypassPermissions", "--disallowedTools", "WebFetch,WebSearch")
#: Without a sandbox it changes files of the repository and starts nothing.
_UNSANDBOXED = ("--permission-mode", "acceptEdits", "--disallowedTools", "WebFetch,WebSearch,Bash")


class ClaudeSettings(ModelSettings):
    """The program, its models and their API, as Anthropic has them."""

    words: ClassVar[Words] = Words(
        "Claude Code", "Writes and changes code in a repository, with a Claude model.", CODING
    )
    header: ClassVar[Literal["x-api-key"]] = "x-api-key"
    paths: ClassVar[tuple[str, ...]] = ("/v1/messages", "/v1/messages/count_tokens")

    driver: Literal["claude"]
    command: Argv = ("claude",)
    models: Models = ("sonnet", "opus", "haiku")
    secrets: ModelSecrets = ModelSecrets(api_key="ANTHROPIC_API_KEY")
    upstream: WebAddress = "https://api.anthropic.com"

    def agent(self, name: str) -> "Claude":
        return Claude.of(name, self)


class Claude(ModelCli):
    """Claude Code, headless; the prompt comes on its standard input, never as an argument."""

    def command(self, assignment: Assignment) -> Command:
        model = ("--model", assignment.model) if assignment.model else ()
        allowed = _SANDBOXED if isolation.enforced() else _UNSANDBOXED
        assert assignment.repository and assignment.endpoint  # noqa: S101  promised by changes_files and upstream
        folder = ("--add-dir", str(assignment.repository))
        argv = self._started(assignment, *_ARGUMENTS, *folder, *allowed, *model)
        home = str(assignment.home)
        return Command(
            argv=argv,
            cwd=assignment.repository,
            shown=" ".join((self.info.name, *model)),
            sandbox=self._sandboxed(assignment),
            stdin=_plain(assignment.prompt),
            env={
                **ENVIRONMENT,
                **_command_seconds(self.info.idle),
                "HOME": home,
                "TMPDIR": home,
                "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{assignment.endpoint.port}",
                "ANTHROPIC_API_KEY": assignment.endpoint.token,
            },
        )

    def output_parser(self, assignment: Assignment) -> ClaudeStream:
        return ClaudeStream(self.info.name, assignment.repository)


def _command_seconds(idle: float) -> dict[str, str]:
    # Claude is silent while a command runs: it should give up a long one before it is given up itself.
    if math.isinf(idle):
        return {}
    milliseconds = str(int(idle * 0.8 * 1000))
    return {"BASH_DEFAULT_TIMEOUT_MS": milliseconds, "BASH_MAX_TIMEOUT_MS": milliseconds}


def _plain(prompt: str) -> str:
    # A slash in the first place would make a command of it, which does nothing here and calls that a success.
    return f"\n{prompt}" if prompt.startswith("/") else prompt

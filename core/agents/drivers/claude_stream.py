"""What the events of Claude Code mean (``--output-format stream-json``)."""

from collections.abc import Iterator
from typing import Any

from core.agents.base import LogLine, Progress
from core.agents.drivers import causes
from core.agents.drivers.stream import LONGEST_NAME, Stream, field, items, plain, text
from core.log_text import LogType

_FILE_TOOLS = ("Edit", "MultiEdit", "NotebookEdit", "Read", "Write")

#: Where a tool's input says in few words what it is about.
_ABOUT = ("subject", "description", "pattern", "query", "skill")


class ClaudeStream(Stream):
    """Reads one run of Claude Code.

    Its result is the last event ``result`` of its own stream: what a script of the repository prints lies inside of
    other events. Of that event ``is_error`` counts, and neither ``subtype``, which is ``success`` for failures too,
    nor the agent's words.
    """

    _succeeded: bool | None = None  # None: there is no result yet
    _refused: int | None = None  # the HTTP status that it gave up on
    _error_kind = ""

    def failure(self, status: int) -> str | None:
        if self._succeeded is None:
            return f"{self.name} ended without a result (exit status {status})."
        if self._succeeded:
            return None if status == 0 else f"{self.name} ended with exit status {status}."
        if self._error_kind == "billing_error":
            return causes.out_of_credit()
        if self._refused is not None:
            return causes.of_status(self._refused)
        if self._error_kind:
            return causes.of_status(None)
        return f"{self.name} ended with an error; what it said is in the log."

    def _read(self, event: dict[str, Any]) -> Iterator[LogLine | Progress]:
        match event.get("type"), event.get("subtype"):
            case "system", "init":
                yield LogLine(
                    LogType.INFO, f"Claude Code {text(event.get('claude_code_version'))}, {text(event.get('model'))}"
                )
            case "system", "api_retry":
                what = plain(event.get("error_status") or event.get("error"))
                attempt, most = plain(event.get("attempt")), plain(event.get("max_retries"))
                yield LogLine(LogType.ERROR, f"model API {what}, retry {attempt}/{most}")
            case "assistant", _:
                yield from self._assistant(event)
            case "user", _:
                yield from self._tool_results(event)
            case "result", _:
                yield from self._end(event)

    def _assistant(self, event: dict[str, Any]) -> Iterator[LogLine | Progress]:
        self._error_kind = text(event.get("error"))[:LONGEST_NAME]
        for block in self._parts(field(event, "message", "content")):
            match field(block, "type"):
                case "text" if self._error_kind:
                    yield from self._error(text(block.get("text")))
                case "text" if words := text(block.get("text")).strip():
                    yield LogLine(LogType.INFO, words)
                case "tool_use":
                    yield from self._tool(text(block.get("name")), block.get("input"))

    def _tool(self, name: str, given: Any) -> Iterator[LogLine | Progress]:
        path = text(field(given, "file_path")) or text(field(given, "notebook_path"))
        if name == "Bash":
            yield LogLine(LogType.COMMAND, text(field(given, "command")) or "Bash")
        elif name in _FILE_TOOLS and path:
            yield LogLine(LogType.INFO, f"{name} {self._shown(path)}")
        elif name == "TodoWrite":
            yield self._plan([field(todo, "status") == "completed" for todo in self._parts(field(given, "todos"))])
        else:
            about = next(filter(None, (text(field(given, word)) for word in _ABOUT)), "")
            yield LogLine(LogType.INFO, f"{name}: {about}" if about else name)

    def _tool_results(self, event: dict[str, Any]) -> Iterator[LogLine | Progress]:
        self._list(event.get("tool_use_result"))
        for block in self._parts(field(event, "message", "content")):
            if field(block, "type") == "tool_result":
                if block.get("is_error") is True:
                    yield LogLine(LogType.ERROR, _words(block.get("content")))
                yield self._step()

    def _list(self, outcome: Any) -> None:
        """Keep the list of what is to do, which grows, changes and shrinks by a tool each."""
        task = text(field(outcome, "task", "id"))
        if task and task not in self._to_do:
            self._mark(task, False)
        changed, to = text(field(outcome, "taskId")), field(outcome, "statusChange", "to")
        if changed and to:
            self._mark(changed, None if to == "deleted" else to == "completed")

    def _end(self, event: dict[str, Any]) -> Iterator[LogLine | Progress]:
        self._succeeded = event.get("is_error") is False
        refused = event.get("api_error_status")
        self._refused = refused if isinstance(refused, int) else None
        if denied := [text(field(denial, "tool_name")) for denial in items(event.get("permission_denials"))]:
            yield LogLine(LogType.ERROR, f"Refused tool calls: {len(denied)} ({', '.join(sorted(set(denied)))})")
        if self._succeeded:
            yield LogLine(LogType.SUCCESS, f"Claude Code says that it is done; turns: {plain(event.get('num_turns'))}")
        else:
            yield from self._error(text(event.get("result")) or "; ".join(map(text, items(event.get("errors")))))


def _words(content: Any) -> str:
    """What a tool's result says, which is a text or a list of blocks."""
    said = text(content) or "\n".join(text(field(block, "text")) for block in items(content))
    return said.removeprefix("<tool_use_error>").removesuffix("</tool_use_error>") or "A tool failed without a word."

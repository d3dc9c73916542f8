"""What the events of Codex mean (``codex exec --json``)."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

from core.agents.base import LogLine, Progress
from core.agents.drivers import causes
from core.agents.drivers.stream import Stream, field, plain, text
from core.log_text import MAX_CHARACTERS, LogType

#: Codex names no code of an error, so its own fixed words are all there is.
_STATUS = re.compile(r"\b(?:unexpected status|last status:) (\d{3})\b")
_QUOTA = "Quota exceeded."


class CodexStream(Stream):
    """Reads one run of Codex. Its result is the last event of its own stream that ends a turn."""

    _completed: bool | None = None
    _reason = ""

    def failure(self, status: int) -> str | None:
        if self._completed is None:
            return f"{self.name} ended without a result (exit status {status})."
        if self._completed:
            return None if status == 0 else f"{self.name} ended with exit status {status}."
        if self._reason.startswith(_QUOTA):
            return causes.out_of_credit()
        number = _STATUS.search(self._reason)
        return causes.of_status(int(number[1]) if number else None)

    def _read(self, event: dict[str, Any]) -> Iterator[LogLine | Progress]:
        match event.get("type"):
            case "thread.started":
                yield LogLine(LogType.INFO, "Codex is ready")
            case "turn.started":
                self._completed = None
            case "item.started" | "item.updated" | "item.completed" as when:
                yield from self._item(event.get("item"), when)
            case "error":  # it tries again, or a turn.failed follows
                yield from self._error(text(event.get("message")))
            case "turn.failed":
                reason = text(field(event, "error", "message"))
                self._completed, self._reason = False, reason[:MAX_CHARACTERS]
                yield from self._error(reason)
            case "turn.completed":
                self._completed = True
                yield LogLine(LogType.SUCCESS, "Codex says that it is done.")

    def _item(self, item: Any, when: str) -> Iterator[LogLine | Progress]:
        kind = field(item, "type")
        if kind == "todo_list":
            yield self._plan([field(todo, "completed") is True for todo in self._parts(field(item, "items"))])
        elif kind == "command_execution" and when == "item.started":
            yield LogLine(LogType.COMMAND, _command(text(field(item, "command"))))
        elif when == "item.completed":
            yield from self._finished(kind, item)

    def _finished(self, kind: Any, item: Any) -> Iterator[LogLine | Progress]:
        if kind in ("agent_message", "error"):  # such an error is a note; what stops it is an event of its own
            words = text(field(item, "text")) or text(field(item, "message"))
            if words.strip():
                yield LogLine(LogType.INFO, words)
            return
        if kind == "command_execution" and field(item, "exit_code") not in (0, None):
            said = text(field(item, "aggregated_output")).strip()
            yield LogLine(
                LogType.ERROR, f"exit status {plain(field(item, 'exit_code'))}" + (f"\n{said}" if said else "")
            )
        elif kind == "file_change":
            for change in self._parts(field(item, "changes")):
                yield LogLine(LogType.INFO, f"{text(field(change, 'kind'))} {self._shown(text(field(change, 'path')))}")
        if kind == "reasoning":
            return
        if field(item, "status") == "failed" and kind != "command_execution":
            yield LogLine(LogType.ERROR, f"{plain(kind)} failed")
        yield self._step()


def _command(command: str) -> str:
    """The command as the model wrote it, without the shell that Codex puts around it."""
    if len(command) > MAX_CHARACTERS:  # the time that shlex takes grows with the square of it
        return command
    try:
        words = shlex.split(command)
    except ValueError:  # it is no shell's language
        return command
    return words[2] if len(words) == 3 and words[1] in ("-c", "-lc") else command

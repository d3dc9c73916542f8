"""What a model's API says that a call used: tokens, found in its answer as that passes by."""

import json
from typing import Any

from core.sandbox.lines import BoundedLines

#: An answer's JSON, or an event of its stream, that is longer is not looked into, in bytes.
LONGEST = 4 * 2**20

_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_OUTPUT = "output_tokens"


class Meter:
    """Reads one answer of the Messages or the Responses API, a JSON document or a stream of events.

    Whatever is not understood counts as nothing.
    """

    def __init__(self, media_type: str) -> None:
        is_stream = media_type.startswith("text/event-stream")
        self._lines = BoundedLines(LONGEST, kept=0) if is_stream else None
        self._document = bytearray()
        self._counts: dict[str, int] = {}

    def feed(self, block: bytes) -> None:
        """The next bytes of the answer."""
        if self._lines:
            for line in self._lines.feed(block):
                self._read(line.removeprefix("data:"))
        elif len(self._document) <= LONGEST:
            self._document += block

    def total(self) -> tuple[int, int]:
        """The tokens in and out, once the answer has ended."""
        if self._lines:
            for line in self._lines.rest():
                self._read(line.removeprefix("data:"))
        elif len(self._document) <= LONGEST:
            self._read(self._document.decode("utf-8", "replace"))
        return sum(self._counts.get(name, 0) for name in _INPUT), self._counts.get(_OUTPUT, 0)

    def _read(self, text: str) -> None:
        if '"usage"' not in text:
            return
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):  # no JSON: the vendor's business and the agent's, not ours
            return
        for holder in (event, _part(event, "message"), _part(event, "response")):
            usage = _part(holder, "usage")
            for name in (*_INPUT, _OUTPUT):
                count = _part(usage, name)
                # A stream says its counts more than once, each time the sum so far.
                if type(count) is int and 0 <= count < 2**40:
                    self._counts[name] = count


def _part(whole: Any, name: str) -> Any:
    return whole.get(name) if isinstance(whole, dict) else None
